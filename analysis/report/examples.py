"""A few responses before and after training to the same problems, chosen by a fixed rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from analysis.curves.learning import ends_of
from analysis.curves.study import Study
from analysis.reading.load import Evaluation
from analysis.reading.run_rollouts import Rollouts

NUM_EXAMPLES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One response as shown. Its text comes from the model and is untrusted until escaped."""

    step: int
    text: str
    verdict: str
    num_tokens: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One problem with a response before and one after."""

    title: str
    question: str
    gold: str
    before: Response
    after: Response


def examples_of(study: Study, num_examples: int = NUM_EXAMPLES) -> list[Example]:
    """First samples of problems: by id, those that most samples got wrong before and right after, then others.

    Taken from the first and last evaluation of the first benchmark; empty without two evaluations.
    """
    pairs = ends_of(study.run.evaluations)
    if not pairs:
        return []
    first, last = pairs[0]
    chosen = _chosen(first, last)[:num_examples]
    before, after = _first_samples(first.samples, chosen), _first_samples(last.samples, chosen)
    return [
        Example(
            title=f"{first.benchmark}, {name}",
            question=str(before[name].get("question") or ""),
            gold=str(before[name].get("gold") or ""),
            before=_response(before[name], first.step),
            after=_response(after[name], last.step),
        )
        for name in chosen
        if name in before and name in after
    ]


def _chosen(first: Evaluation, last: Evaluation) -> list[str]:
    before, after = _shares(first.samples), _shares(last.samples)
    shared = sorted(set(before.index) & set(after.index))
    won = [name for name in shared if before[name] <= 0.5 < after[name]]
    lost = [name for name in shared if after[name] <= 0.5 < before[name]]
    return [*won[: NUM_EXAMPLES - bool(lost)], *lost[:1], *(name for name in shared if name not in {*won, *lost})]


def _shares(rollouts: Rollouts) -> pd.Series:
    numbers = rollouts.numbers()
    is_right = (numbers["verdict"] == "correct").astype(float)
    return is_right.groupby(numbers["problem_id"].astype(str)).mean()


def _first_samples(rollouts: Rollouts, problems: Sequence[str]) -> dict[str, dict[str, object]]:
    """By problem: the row with the lowest sample index. Holds one batch in memory at a time."""
    found: dict[str, dict[str, object]] = {}
    for batch in rollouts.batches():
        rows = batch[batch["problem_id"].isin(problems)]
        for row in rows.to_dict("records"):
            name = str(row["problem_id"])
            if name not in found or _index(row) < _index(found[name]):
                found[name] = {str(key): value for key, value in row.items()}
    return found


def _index(row: object) -> int:
    assert isinstance(row, dict)
    return int(row.get("sample_index", 0))


def _response(row: dict[str, object], step: int) -> Response:
    tokens = row.get("num_tokens")
    return Response(
        step=step,
        text=str(row["completion"]),
        verdict=str(row.get("verdict") or "not graded"),
        num_tokens=int(tokens) if isinstance(tokens, int) else None,
    )
