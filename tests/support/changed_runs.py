"""Two runs of which questions are learned, forgotten and never solved, and one with long responses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from orz_bench.records.rollout import Rollout
from orz_bench.records.run_dir import RunDir
from orz_bench.records.summary import EvalResult
from orz_bench.results.statistics import ScoredSample, summarise
from tests.support.app_runs import write_evaluation
from tests.support.builders import a_result, a_rollout

FINGERPRINT = "0123456789ab"
NAMES = [f"q{number}" for number in range(12)]
NUM_MANY = 30
THOUGHT = "We add the two numbers carefully, one digit after the other.\n"


LONG = {
    name: "".join(f"{n}. Then the {name} sum of {n} and {n * n} is {n + n * n}, as before.\n" for n in range(1200))
    + THOUGHT * 40
    + "Wait, let me check again.\n</think> so the choice is (C)"
    for name in ("first", "second")
}
"""Responses of about 32,000 tokens, with steps, repeats and one letter at the end."""


def _rate(number: int, step: int) -> int:
    """Correct samples of four: q0 is learned, q1 forgotten, q2 changes, q3 has a wrong gold, the others are right."""
    return {0: step // 10, 1: 4 - step // 10, 2: 4 * (step // 10 % 2), 3: 0}.get(number, 4)


def _evaluated(run: RunDir, step: int, *, shift: int = 0) -> EvalResult:
    rows = [
        a_rollout(
            problem_id=name, sample_index=sample, step=step, question=f"What is {number} + {number}?",
            gold=str(2 * number), extracted=str(2 * number) if right else "99", verdict="correct" if right else "wrong",
            completion=f"{THOUGHT * (1 + sample)}In all \\boxed{{{2 * number if right else 99}}}.",
            extra={"level": number % 3, "subject": "even" if number % 2 else "odd"},
        )
        for number, name in enumerate(NAMES)
        for sample in range(4)
        for right in [sample < _rate(number, abs(step - shift))]
    ]  # fmt: skip
    return _stored(run, rows, step=step)


def _stored(run: RunDir, rows: Sequence[Rollout], *, step: int) -> EvalResult:
    directory = run.evaluation(benchmark="arithmetic", step=step, fingerprint=FINGERPRINT)
    directory.path.mkdir(parents=True)
    directory.protocol_path.write_text('{"benchmark": "arithmetic"}', encoding="utf-8")
    directory.append(rows)
    names = ("problem_id", "sample_index", "verdict", "second_verdict", "extracted", "stop_reason", "num_tokens")
    samples = [
        ScoredSample(**{name: getattr(row, name) for name in names}, completion_hash=row.completion) for row in rows
    ]
    summary = summarise(samples, second_extractor="boxed")
    card = {"benchmark": "arithmetic"}
    result = a_result(run=str(run.path), step=step, fingerprint=FINGERPRINT, summary=summary, protocol=card)
    directory.write_result(result)
    return result


def changed_runs(folder: Path) -> None:
    """`up` and `down`, of five checkpoints each, `many`, which learns more questions than have a link, and `long`."""
    many = RunDir(folder / "many")
    many.create(kind="train", command=[], seed=0, environment={})
    for step in (0, 1):
        verdict = "correct" if step else "wrong"
        _stored(many, [a_rollout(problem_id=f"m{n}", step=step, verdict=verdict) for n in range(NUM_MANY)], step=step)
    many.mark("DONE")
    for name, shift in (("up", 0), ("down", 40)):
        run = RunDir(folder / name)
        run.create(kind="train", command=[], seed=0, environment={})
        for step in range(0, 50, 10):
            _evaluated(run, step, shift=shift)
        run.mark("DONE")
    long = RunDir(folder / "long")
    long.create(kind="eval", command=[], seed=0, environment={})
    rows = [
        a_rollout(problem_id=name, completion=text, gold="C", extracted=None, verdict="no_answer", num_tokens=32_000)
        for name, text in LONG.items()
    ]
    write_evaluation(long, 0, rows, benchmark="arithmetic")
    long.mark("DONE")
