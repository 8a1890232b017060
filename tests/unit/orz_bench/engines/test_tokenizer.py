"""Tokens that a tokenizer has, and tokens that it adds by itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer
from tokenizers.processors import TemplateProcessing

from orz_bench.engines.engine import EngineSpec
from orz_bench.engines.tokenizer import load_tokenizer
from orz_bench.errors import ConfigError
from tests.support.tiny_model import a_tiny_checkpoint


@pytest.mark.parametrize("adds", [False, True])
def test_a_begin_token_is_part_of_a_text_only_if_the_tokenizer_adds_it(tmp_path: Path, *, adds: bool) -> None:
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


@pytest.mark.parametrize(
    ("template", "roles"),
    [
        (
            "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}",
            "system",
        ),
        ("{% for message in messages %}", "user"),
        ("{{ messages[0]['content'] + 1 }}", "user"),
        ("{{ nothing.at.all }}", "user"),
    ],
)
def test_a_chat_template_that_fails_is_named_with_what_to_do(tmp_path: Path, template: str, roles: str) -> None:
    folder = a_tiny_checkpoint(tmp_path)
    (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    found = load_tokenizer(EngineSpec(name="transformers", checkpoint=str(folder)))
    assert found is not None
    messages = [{"role": role, "content": "text"} for role in dict.fromkeys((roles, "user"))]
    with pytest.raises(ConfigError, match=f"{tmp_path.name}.*chat template does not render.*{roles}.*--template"):
        found.render_chat(messages)
