"""One question across the checkpoints of a run: correct samples by step, when it was solved, when lost again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.queries.index import FAILED, NOT_GRADED, RunIndex
from app.queries.keys import RowKey, natural


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample of the question."""

    key: RowKey
    verdict: str | None
    num_tokens: int | None
    is_truncated: bool
    is_silent: bool = False
    """Whether its request failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionStep:
    """The samples of the question at one step of training or under one protocol."""

    kind: str
    step: int
    fingerprint: str
    samples: tuple[Sample, ...]
    is_incomplete: bool = False
    """Whether samples of this step have been lost, of this question or of others."""

    @property
    def num_correct(self) -> int:
        """Number of correct samples."""
        return sum(sample.verdict == "correct" for sample in self.samples)

    @property
    def num_graded(self) -> int:
        """Number of samples with a verdict."""
        return sum(sample.verdict is not None for sample in self.samples)

    @property
    def why_unrated(self) -> str:
        """Why it has no share; empty if it has one."""
        if self.num_graded:
            return ""
        return FAILED if all(sample.is_silent for sample in self.samples) else NOT_GRADED

    @property
    def share(self) -> float | None:
        """Correct samples / samples with a verdict; None without verdicts."""
        return self.num_correct / self.num_graded if self.num_graded else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Milestones:
    """Events of a question over the steps; None for what did not happen."""

    first_solved: int | None
    """The first step with a share of correct samples above `threshold`."""
    lost_again: int | None
    """The first later step from which the share stays at or below the threshold to the end."""
    best: int | None
    """The first step with the largest share of correct samples."""


def history(index: RunIndex, benchmark: str, *, problem_id: str) -> list[QuestionStep]:
    """The question's steps: evaluations by protocol and step, then training by step. Empty for an unknown question."""
    rows = (
        index.cursor()
        .execute(
            "SELECT kind, step, fingerprint, folder IN (FROM incomplete), sample_index, verdict, num_tokens, "
            "stop_reason, is_silent FROM rollouts "
            "WHERE benchmark = ? AND problem_id = ? ORDER BY kind, fingerprint, step, sample_index, id",
            [benchmark, problem_id],
        )
        .fetchall()
    )
    steps: dict[tuple[str, str, int, bool], list[Sample]] = {}
    for kind, step, fingerprint, is_incomplete, sample_index, verdict, num_tokens, stop_reason, is_silent in rows:
        key = RowKey(benchmark, step, fingerprint, problem_id, sample_index)
        steps.setdefault((kind, fingerprint, step, is_incomplete), []).append(
            Sample(key, verdict, num_tokens, is_truncated=stop_reason == "length", is_silent=is_silent)
        )
    return [
        QuestionStep(kind=kind, step=step, fingerprint=fingerprint, samples=tuple(samples), is_incomplete=is_incomplete)
        for (kind, fingerprint, step, is_incomplete), samples in steps.items()
    ]


def milestones(steps: Sequence[QuestionStep], *, threshold: float = 0.0) -> Milestones:
    """First solved, lost again, best, over steps of one protocol in their order.

    The question is solved at a step if the share of correct samples is above `threshold`: 0 means any sample, 0.5 most.
    Steps without verdicts, and incomplete ones, are ignored.
    """
    shares = {step.step: share for step in steps if not step.is_incomplete and (share := step.share) is not None}
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
    """A question in the list for choosing one."""

    benchmark: str
    problem_id: str
    num_steps: int
    first_share: float | None
    """Share of correct samples at the first step with verdicts; None without verdicts."""
    last_share: float | None


def questions(
    index: RunIndex, *, benchmark: str = "", text: str = "", limit: int = 50, order: str = "lost"
) -> list[QuestionSummary]:
    """Questions of a run: those asked at two or more steps first, by default with the largest fall first.

    Only ids that contain `text`. `order`: lost (largest fall first), gained (largest rise first), id. Steps are those
    of the evaluations under one protocol, or of training without evaluations. Incomplete steps have no share.
    """
    by_id = f"benchmark, {natural('problem_id')}"
    ordering = {
        "lost": f"change NULLS LAST, {by_id}",
        "gained": f"change DESC NULLS LAST, {by_id}",
    }
    rows = (
        index.cursor()
        .execute(
            f"""
        WITH shares AS (
          SELECT benchmark, problem_id, kind, fingerprint, step,
                 avg((verdict = 'correct')::INT) FILTER (folder NOT IN (FROM incomplete)) AS share
          FROM rollouts WHERE (? = '' OR benchmark = ?) AND contains(problem_id, ?) GROUP BY ALL
        ), spans AS (
          SELECT benchmark, problem_id, count(*) AS num_steps, arg_min(share, step) AS first_share,
                 arg_max(share, step) AS last_share, last_share - first_share AS change,
                 row_number() OVER (
                   PARTITION BY benchmark, problem_id ORDER BY kind, count(*) DESC, fingerprint) AS choice
          FROM shares GROUP BY benchmark, problem_id, kind, fingerprint
        )
        SELECT benchmark, problem_id, num_steps, first_share, last_share FROM spans WHERE choice = 1
        ORDER BY num_steps < 2, {ordering.get(order, by_id)} LIMIT ?
        """,
            [benchmark, benchmark, text, limit],
        )
        .fetchall()
    )
    names = ("benchmark", "problem_id", "num_steps", "first_share", "last_share")
    return [QuestionSummary(**dict(zip(names, row, strict=True))) for row in rows]
