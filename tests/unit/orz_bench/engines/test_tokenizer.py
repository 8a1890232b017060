"""What a tokenizer has and what it adds by itself are two things."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer
from tokenizers.processors import TemplateProcessing

from orz_bench.engines.engine import EngineSpec
from orz_bench.engines.tokenizer import load_tokenizer
from tests.tiny_model import a_tiny_checkpoint


@pytest.mark.parametrize("adds", [False, True])
def test_a_begin_token_is_part_of_a_text_only_where_the_tokenizer_adds_it(tmp_path: Path, *, adds: bool) -> None:
    folder = a_tiny_checkpoint(tmp_path, bos=True)
    if adds:
        file = str(folder / "tokenizer.json")
        tokenizer = Tokenizer.from_file(file)
        tokenizer.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 2)])
        tokenizer.save(file)
    found = load_tokenizer(EngineSpec(name="transformers", checkpoint=str(folder)))
    assert found is not None
    assert (found.bos, found.eos, found.opening) == ("<s>", "<end>", "<s>" if adds else "")
    assert found.encode(found.opening + "ab") == ((2,) if adds else ()) + found.encode("ab")
