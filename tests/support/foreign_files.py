"""Files in the shape of other tools' files, made up, and what is read from them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from orz_bench.exchange.formats.format import Contents
from orz_bench.exchange.formats.registry import read_file
from orz_bench.exchange.formats.sample import ForeignSample

VERL = {"input": "system\nBe brief.\nuser\n1+1?\nassistant\n", "output": "2", "gts": "2", "score": 1.0, "step": 7}
TURNS = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "1+1?"}]
VERIFIERS = {
    "example_id": 3,
    "task": "default",
    "prompt": TURNS,
    "completion": [
        {"role": "assistant", "content": "", "tool_calls": ["{}"]},
        {"role": "tool", "content": "2"},
        {"role": "assistant", "content": "It is 2."},
    ],
    "answer": "2",
    "reward": 1.37,
    "correct_answer_reward_func": 1.0,
}
QWEN = {
    "idx": 4,
    "question": "q",
    "gt": "10",
    "answer": "10 cm",
    "code": ["a", "b"],
    "pred": ["10", ""],
    "score": [True, False],
}
LM_EVAL = {
    "doc_id": 0,
    "doc": {"question": "1+1?"},
    "target": "2",
    "arguments": {"gen_args_0": {"arg_0": "Q: 1+1?\nA:", "arg_1": {"until": ["Q:"]}}},
    "resps": [["#### 2"]],
    "filtered_resps": ["2"],
    "filter": "strict-match",
    "metrics": ["exact_match"],
    "exact_match": 1.0,
}
REVIEW = {
    "index": 9,
    "input": "**User**: \n1+1?",
    "target": "2",
    "sample_score": {
        "score": {"value": {"acc": 1.0}, "extracted_prediction": "2", "prediction": "It is 2"},
        "sample_id": 19,
        "group_id": 4,
    },
}

Rows = Sequence[dict[str, Any]]


def lines(path: Path, rows: Rows) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def whole(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def contents_of(path: Path, tool: str) -> Contents:
    format_, contents = read_file(path)
    assert format_.name == tool
    return contents


def samples_of(path: Path, tool: str) -> list[ForeignSample]:
    contents = contents_of(path, tool)
    assert contents.samples is not None
    return list(contents.samples())


def curves_of(path: Path, tool: str) -> list[dict[str, Any]]:
    """Rows as a table has them, and what a log says about each step."""
    contents = contents_of(path, tool)
    if contents.log is not None:
        return [{"step": one.step, **one.values} for one in contents.log.lines() if not isinstance(one, str)]
    assert contents.curves is not None
    return [dict(row) for row in contents.curves()]


def parquet(path: Path, columns: Mapping[str, Any]) -> Path:
    pq.write_table(pa.table(dict(columns)), path)
    return path
