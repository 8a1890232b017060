"""The real benchmarks, responses and conformance cases, where they are at hand (see tests/support/shared_data.py)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from math_verify import parse, verify

from orz_bench.benchmarks.loading.load import load_problems
from orz_bench.benchmarks.registry import all_benchmarks, get_benchmark
from orz_bench.grading.grader import Grader, Submission
from tests.support.command_line import orz_bench, results_of
from tests.support.shared_data import shared_data

AT_HAND = {
    *("aime24", "aime25", "amc", "gpqa_diamond", "gsm8k", "ifeval", "livecodebench", "math500", "math_test", "minerva"),
    *("mmlu", "mmlu_cot", "mmlu_pro", "olympiadbench"),
}
"""Benchmarks whose questions are in the shared data."""
ELSEWHERE = pytest.mark.skip(reason="benchmarks that only the hub has; `orz-bench data check` does the same there")
WITH_DATA = [
    name if name in AT_HAND else pytest.param(name, marks=ELSEWHERE)
    for name, benchmark in all_benchmarks().items()
    if benchmark.generate is None
]


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    with Grader(extractor="final") as grader:
        yield grader


def rows_of(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


@pytest.mark.parametrize("name", WITH_DATA)
def test_every_gold_accepts_itself(grader: Grader, name: str) -> None:
    loaded = load_problems(get_benchmark(name), folders=[shared_data()])
    assert len(loaded.problems) == get_benchmark(name).num_problems
    if not loaded.tests:
        assert grader.check_golds(loaded.problems) == []
        return
    with Grader(tests=loaded.tests) as judge_of_programs:
        assert judge_of_programs.check_golds(loaded.problems) == []


@pytest.mark.parametrize("name", ["aime2024", "gpqa_diamond", "math500"])
def test_the_published_orz_files_are_read(tmp_path: Path, name: str) -> None:
    (tmp_path / f"{name}.json").symlink_to(shared_data() / "eval" / "orz_format" / f"{name}.json")
    loaded = load_problems(get_benchmark(name), folders=[tmp_path])
    assert len(loaded.problems) == get_benchmark(name).num_problems
    assert len(loaded.errata) == (1 if name == "aime2024" else 0)


def test_no_string_match_is_graded_wrong(grader: Grader) -> None:
    """`is_match` of these files is a plain string match."""
    for name, kind, num_choices in (("math500", "math", 0), ("aime2024", "math", 0), ("gpqa_diamond", "choice", 4)):
        rows = rows_of(shared_data() / "rollouts" / f"orz_fork_eval_{name}.jsonl")
        submissions = [
            Submission(gold=str(r["expected"]), kind=kind, num_choices=num_choices, response=r["raw_response"])  # type: ignore[arg-type]
            for r in rows
        ]
        grades = grader.grade(submissions)
        assert [r["id"] for r, g in zip(rows, grades, strict=True) if r["is_match"] and not g.is_correct] == []
        assert not [grade for grade in grades if grade.verdict in ("timeout", "error")]


def test_the_fast_path_and_the_workers_agree() -> None:
    """The fast path never changes a verdict: what the workers run, asked directly, says the same."""
    from orz_bench.grading.jobs import Job
    from orz_bench.grading.math.fast_path import quick_reply
    from orz_bench.grading.math.judge import judge

    rows = rows_of(shared_data() / "rollouts" / "orz_fork_eval_math500.jsonl")
    pairs = {(str(row["expected"]), str(row["generated_answer"])) for row in rows if row["generated_answer"]}
    quick = {pair: reply for pair in sorted(pairs) if len(pair[1]) < 200 and (reply := quick_reply(*pair))}
    assert len(quick) > 500
    for (gold, answer), reply in list(quick.items())[::5]:
        slow = judge(Job(gold, answer, strict=True))
        assert slow.verdict == reply.verdict, (gold, answer)


def test_conformance_is_at_least_math_verifys(grader: Grader) -> None:
    rows = rows_of(shared_data() / "conformance" / "answer_equivalence.jsonl")
    ours = plain = 0
    for row in rows:
        gold, prediction = str(row["gold"]), str(row["prediction"])
        ours += (grader.equal(gold, prediction).verdict == "correct") == bool(row["expected"])
        plain += bool(verify(parse(gold), parse(prediction))) == bool(row["expected"])
    assert ours >= plain + 10
    assert ours >= 249


def test_a_whole_evaluation_of_real_benchmarks(tmp_path: Path) -> None:
    names = "aime24,aime25,math500,gpqa_diamond"
    arguments = (
        "eval",
        "--ckpt",
        "fake:0.7",
        "--engine",
        "fake",
        "--bench",
        names,
        "--n",
        "4",
        "--data-dir",
        shared_data(),
    )
    results = results_of(orz_bench(*arguments, "--out", tmp_path, "--json"))
    assert [result["num_generated_now"] for result in results] == [120, 120, 2000, 792]
    assert all(0.6 < result["avg_at_n"] < 0.75 for result in results)
