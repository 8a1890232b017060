"""IFEval (Zhou et al. 2023): 541 prompts with 834 instructions of 25 types that a program can check."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from orz_bench.benchmarks.benchmark import Benchmark, Erratum, HubDataset
from orz_bench.benchmarks.dates import on
from orz_bench.benchmarks.rows import id_of
from orz_bench.errors import DataError
from orz_bench.records.rollout import Problem


def parse_row(row: Mapping[str, Any], position: int, *, benchmark: str = "ifeval") -> Problem:
    """A row of the hub's JSON lines (`key`), or one of the same shape with an `id`. IFBench's are alike."""
    prompt, ids, arguments = (row.get(name) for name in ("prompt", "instruction_id_list", "kwargs"))
    keys = ", ".join(map(str, row)) or "none"
    if not isinstance(prompt, str) or not prompt.strip():
        raise DataError(f"found no text under prompt (keys: {keys})")
    if not isinstance(ids, list) or not isinstance(arguments, list) or not ids or len(ids) != len(arguments):
        raise DataError(f"wanted lists of the same length under instruction_id_list and kwargs (keys: {keys})")
    # The hub's table has every argument of every instruction, null where it does not apply.
    checks = [
        {"id": str(name), "arguments": {key: value for key, value in given.items() if value is not None}}
        for name, given in zip(ids, arguments, strict=True)
    ]
    return Problem(
        benchmark=benchmark,
        problem_id=f"{benchmark}-{row['key']}" if "key" in row else id_of(row, position, benchmark=benchmark),
        question=prompt,
        gold=_gold(checks),
        kind="instruction",
    )


def _gold(checks: Sequence[Mapping[str, Any]]) -> str:
    return json.dumps(checks, ensure_ascii=False, sort_keys=True)


def _check(name: str, **arguments: Any) -> dict[str, Any]:
    return {"id": name, "arguments": arguments}


_QUOTED, _TITLE = _check("startend:quotation"), _check("detectable_format:title")
_IN_600, _IN_400, _IN_336 = (
    _check("length_constraints:number_words", relation="at least", num_words=count) for count in (600, 400, 336)
)
_REPORTED = "google-research/google-research#3103 and #3361, key"

ERRATA = (
    Erratum(
        question_sha256="fafc91b65e0ba236c998883ecdb4c8f91f3bcf8fecc20b49601277879c87573d",
        wrong_gold=_gold([_check("detectable_format:number_bullet_lists", num_bullets=1)]),
        right_gold=None,
        why="the prompt asks for exactly one bullet point and for a few",
        source=f"{_REPORTED} 2078",
    ),
    Erratum(
        question_sha256="06a61b06d4cfa9cff083a0b034f879ed15c9f38a1ed5491a511ad6e60a3f2459",
        wrong_gold=_gold([_IN_336, _TITLE]),
        right_gold=_gold([_IN_400, _TITLE]),
        why="the prompt asks for at least 400 words",
        source=f"{_REPORTED} 337",
    ),
    Erratum(
        question_sha256="efd0908d36ebbb426f888234bc12dd512ba9098730c1ac3568a42eb7c49d34e8",
        wrong_gold=_gold([_QUOTED, _IN_600, _QUOTED]),
        right_gold=_gold([_QUOTED, _IN_600, _check("change_case:english_lowercase")]),
        why="quotation marks are checked twice, and the lower case that the prompt asks for is not",
        source=f"{_REPORTED} 30",
    ),
)

BENCHMARK = Benchmark(
    name="ifeval",
    title="IFEval",
    kind="instruction",
    num_problems=541,
    dates=on(date(2023, 11, 14), "IFEval (2311.07911)"),
    local_names=("ifeval",),
    hub=HubDataset(
        repo="google/IFEval",
        revision="966cd89545d6b6acfd7638bc708b98261ca58e84",
        files=("ifeval_input_data.jsonl",),
    ),
    licence="Apache-2.0",
    parse_row=parse_row,
    default_protocol="ifeval",
    errata=ERRATA,
)
