"""One question across the checkpoints of a run: how many of its samples were right, when first, when lost again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.queries.index import RunIndex
from app.queries.keys import RowKey


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample of the question."""

    key: RowKey
    verdict: str | None
    num_tokens: int | None
    is_truncated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionStep:
    """The samples of the question at one step, of training or of one protocol."""

    kind: str
    step: int
    fingerprint: str
    samples: tuple[Sample, ...]

    @property
    def num_correct(self) -> int:
        """Samples that were graded correct."""
        return sum(sample.verdict == "correct" for sample in self.samples)

    @property
    def num_graded(self) -> int:
        """Samples that have a verdict."""
        return sum(sample.verdict is not None for sample in self.samples)

    @property
    def share(self) -> float | None:
        """Correct samples over those with a verdict; None where no sample has one."""
        return self.num_correct / self.num_graded if self.num_graded else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Milestones:
    """What became of a question over the steps; None for what did not happen."""

    first_solved: int | None
    """The first step with more right samples than `threshold`."""
    lost_again: int | None
    """The first step after it that falls back to the threshold or below, and stays there to the end."""
    best: int | None
    """The step with the largest share of right samples, the first of several."""


def history(index: RunIndex, benchmark: str, *, problem_id: str) -> list[QuestionStep]:
    """The question's steps: evaluations by protocol and step, then training by step. Empty for an unknown question."""
    rows = (
        index.cursor()
        .execute(
            "SELECT kind, step, fingerprint, sample_index, verdict, num_tokens, stop_reason FROM rollouts "
            "WHERE benchmark = ? AND problem_id = ? ORDER BY kind, fingerprint, step, sample_index, id",
            [benchmark, problem_id],
        )
        .fetchall()
    )
    steps: dict[tuple[str, str, int], list[Sample]] = {}
    for kind, step, fingerprint, sample_index, verdict, num_tokens, stop_reason in rows:
        key = RowKey(benchmark, step, fingerprint, problem_id, sample_index)
        steps.setdefault((kind, fingerprint, step), []).append(
            Sample(key, verdict, num_tokens, is_truncated=stop_reason == "length")
        )
    return [
        QuestionStep(kind=kind, step=step, fingerprint=fingerprint, samples=tuple(samples))
        for (kind, fingerprint, step), samples in steps.items()
    ]


def milestones(steps: Sequence[QuestionStep], *, threshold: float = 0.0) -> Milestones:
    """First solved, lost again, best, over steps of one protocol in their order.

    A step solves the question where the share of right samples is above `threshold`: 0 means any sample, 0.5 most.
    Steps without verdicts count for nothing.
    """
    shares = {step.step: share for step in steps if (share := step.share) is not None}
    solved = [share > threshold for share in shares.values()]
    first = solved.index(True) if True in solved else None
    lost = None
    numbers = list(shares)
    if first is not None and not solved[-1]:
        last = len(solved) - 1 - solved[::-1].index(True)
        lost = numbers[last + 1]
    best = max(shares, key=shares.__getitem__) if first is not None else None
    return Milestones(first_solved=None if first is None else numbers[first], lost_again=lost, best=best)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionSummary:
    """A question in the list that one is picked from."""

    benchmark: str
    problem_id: str
    num_steps: int
    first_share: float | None
    """Right samples of those with a verdict, at its first step that has any; None where no step has."""
    last_share: float | None


def questions(
    index: RunIndex, *, benchmark: str = "", text: str = "", limit: int = 50, order: str = "lost"
) -> list[QuestionSummary]:
    """Questions of a run, those asked at two steps or more first; by default those that fell most lead.

    `text` narrows to ids that hold it. `order`: lost (largest fall first), gained (largest rise first), id. For each
    benchmark and protocol the steps of evaluations count, and those of training where there are none.
    """
    ordering = {
        "lost": "change NULLS LAST, benchmark, problem_id",
        "gained": "change DESC NULLS LAST, benchmark, problem_id",
    }
    rows = (
        index.cursor()
        .execute(
            f"""
        WITH shares AS (
          SELECT benchmark, problem_id, kind, fingerprint, step, avg((verdict = 'correct')::INT) AS share
          FROM rollouts WHERE (? = '' OR benchmark = ?) AND contains(problem_id, ?) GROUP BY ALL
        ), spans AS (
          SELECT benchmark, problem_id, count(*) AS num_steps, arg_min(share, step) AS first_share,
                 arg_max(share, step) AS last_share, last_share - first_share AS change,
                 row_number() OVER (
                   PARTITION BY benchmark, problem_id ORDER BY kind, count(*) DESC, fingerprint) AS choice
          FROM shares GROUP BY benchmark, problem_id, kind, fingerprint
        )
        SELECT benchmark, problem_id, num_steps, first_share, last_share FROM spans WHERE choice = 1
        ORDER BY num_steps < 2, {ordering.get(order, "benchmark, problem_id")} LIMIT ?
        """,
            [benchmark, benchmark, text, limit],
        )
        .fetchall()
    )
    names = ("benchmark", "problem_id", "num_steps", "first_share", "last_share")
    return [QuestionSummary(**dict(zip(names, row, strict=True))) for row in rows]
