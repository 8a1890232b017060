"""A few cells of benchmarks/model_matrix.py: the transformers engine reports the values of a plain forward."""

from __future__ import annotations

from pathlib import Path

import pytest

from orz_bench.engines.engine import EngineSpec
from orz_bench.engines.tokenizer import load_tokenizer
from orz_bench.errors import ConfigError
from tests.support.model_zoo import Cell, a_model, outcome

CELLS = (
    Cell(architecture="qwen2", dtype="bfloat16", is_tied=True, is_sharded=True, has_template=False),
    Cell(architecture="gemma2", dtype="float32"),
    Cell(architecture="gpt2", dtype="float32", is_tied=True),
)


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_right(cell: Cell, tmp_path: Path) -> None:
    assert outcome(a_model(tmp_path, cell), cell, engine="transformers").startswith("right")


def test_a_chat_template_or_a_reason(tmp_path: Path) -> None:
    for has_template in (True, False):
        cell = Cell(architecture="llama", dtype="float32", has_template=has_template)
        folder = a_model(tmp_path / str(has_template), cell)
        tokenizer = load_tokenizer(EngineSpec(name="transformers", checkpoint=str(folder)))
        assert tokenizer is not None
        if has_template:
            assert tokenizer.render_chat([{"role": "user", "content": "1 + 1?"}]) == "<user>1 + 1?<assistant>"
            continue
        with pytest.raises(ConfigError, match="has no chat template"):
            tokenizer.render_chat([{"role": "user", "content": "1 + 1?"}])
