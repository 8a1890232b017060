"""IFEval (Zhou et al. 2023): 541 prompts with 834 instructions of 25 types that a program can check."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from orz_bench.benchmarks.benchmark import Benchmark, HubDataset
from orz_bench.benchmarks.rows import id_of
from orz_bench.errors import DataError
from orz_bench.records.rollout import Problem


def parse_row(row: Mapping[str, Any], position: int) -> Problem:
    """A row of the hub's JSON lines (`key`), or one of the same shape with an `id`."""
    prompt, ids, arguments = (row.get(name) for name in ("prompt", "instruction_id_list", "kwargs"))
    if not isinstance(prompt, str) or not prompt.strip():
        raise DataError("found no text under prompt")
    if not isinstance(ids, list) or not isinstance(arguments, list) or not ids or len(ids) != len(arguments):
        raise DataError("wanted lists of the same length under instruction_id_list and kwargs")
    # The hub's table has every argument of every instruction, null where it does not apply.
    checks = [
        {"id": str(name), "arguments": {key: value for key, value in given.items() if value is not None}}
        for name, given in zip(ids, arguments, strict=True)
    ]
    return Problem(
        benchmark="ifeval",
        problem_id=f"ifeval-{row['key']}" if "key" in row else id_of(row, position, benchmark="ifeval"),
        question=prompt,
        gold=json.dumps(checks, ensure_ascii=False, sort_keys=True),
        kind="instruction",
    )


BENCHMARK = Benchmark(
    name="ifeval",
    title="IFEval",
    kind="instruction",
    num_problems=541,
    local_names=("ifeval",),
    hub=HubDataset(
        repo="google/IFEval",
        revision="966cd89545d6b6acfd7638bc708b98261ca58e84",
        files=("ifeval_input_data.jsonl",),
    ),
    licence="Apache-2.0",
    parse_row=parse_row,
    default_protocol="ifeval",
)
