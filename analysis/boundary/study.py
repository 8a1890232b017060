"""Everything about the boundary of one benchmark: the curves of a base and of a trained model on the same questions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from analysis.boundary.answers import Answered
from analysis.boundary.crossing import Array, Crossing, band_of, crossing_of, grid_of
from analysis.boundary.guessing import Guesser, guesser_of, without
from analysis.boundary.support import Support, support_of
from orz_bench.errors import ConfigError, counted
from orz_bench.results.comparison import Comparison, compare_values, holm
from orz_bench.results.statistics import g_pass_at_k, pass_at_every_k, value_band

_MOST_DRAWN = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """One point of a curve of one model, with its 95 % interval over questions (None for one question)."""

    at: float
    """k, or tau."""
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PassTest:
    """pass@k of the trained model against that of the base, paired by question."""

    k: int
    comparison: Comparison
    p_holm: float
    """Adjusted for the number of k tested."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuessingShare:
    """What guessing explains."""

    pass_base: float
    """pass@n of the base's guesser."""
    pass_run: float
    explained_base: int
    """Problems with right samples of the base that are no more than guesses would give."""
    explained_run: int
    crossing: Crossing
    """The crossing where each model's explained problems count as unsolved by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundaryStudy:
    """The findings about one benchmark."""

    benchmark: str
    base: str
    run: str
    num_questions: int
    num_only_base: int
    num_only_run: int
    n: int
    """Samples of the question that has fewest, in either model: the curves end there."""
    pass_base: tuple[CurvePoint, ...]
    pass_run: tuple[CurvePoint, ...]
    cover_base: tuple[CurvePoint, ...]
    """Cover@tau of n samples."""
    cover_run: tuple[CurvePoint, ...]
    tests: tuple[PassTest, ...]
    crossing: Crossing
    support: Support
    guessing: GuessingShare | None
    """None where the answers are unknown."""
    differing: tuple[str, ...] = ()
    """Fields in which the protocols differ."""

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON; lists of problems are complete."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What is compared, for people."""

    benchmark: str
    base: str
    run: str


@dataclass(frozen=True, slots=True)
class _Model:
    """One model's samples of the shared questions, in one order."""

    answered: Mapping[str, Answered]

    def pass_table(self, ks: Sequence[int]) -> Array:
        """(Q, K)."""
        chosen = np.array(ks) - 1
        every = cache(pass_at_every_k)
        return np.array([every(each.num, each.num_right)[chosen] for each in self.answered.values()])

    def cover(self, tau: float, n: int) -> list[float]:
        """For each question the probability that at least tau of n of its samples are right."""
        covered = cache(g_pass_at_k)
        return [covered(each.num, each.num_right, k=n, threshold=tau) for each in self.answered.values()]


def boundary_study(
    base: Mapping[str, Answered],
    run: Mapping[str, Answered],
    *,
    names: Names,
    ks: Sequence[int] = (),
    differing: tuple[str, ...] = (),
) -> BoundaryStudy:
    """`ks`: where pass@k is tested, by default 1, 2, 4, ... and n.

    ConfigError if no question is shared, if a question has one sample, and for a k above the number of samples.
    """
    shared = sorted(base.keys() & run.keys())
    if not shared:
        raise ConfigError(
            f"{names.benchmark}: {names.base} and {names.run} share no question; evaluate both on the same data."
        )
    models = [_Model({key: side[key] for key in shared}) for side in (base, run)]
    n = _fewest(models, names)
    tested = _tested(ks, n, names=names)
    guessers = [guesser_of(model.answered) for model in models]
    return BoundaryStudy(
        benchmark=names.benchmark,
        base=names.base,
        run=names.run,
        num_questions=len(shared),
        num_only_base=len(base) - len(shared),
        num_only_run=len(run) - len(shared),
        n=n,
        pass_base=_pass_curve(models[0], n),
        pass_run=_pass_curve(models[1], n),
        cover_base=_cover_curve(models[0], n),
        cover_run=_cover_curve(models[1], n),
        tests=_tests(models, tested, n=n),
        crossing=_crossing(models, n),
        support=support_of(models[0].answered, models[1].answered),
        guessing=_guessing(models, guessers, n=n),
        differing=differing,
    )


def _fewest(models: Sequence[_Model], names: Names) -> int:
    fewest = {
        name: min(model.answered.items(), key=lambda item: item[1].num)
        for name, model in zip((names.base, names.run), models, strict=True)
    }
    name, (question, answered) = min(fewest.items(), key=lambda item: item[1][1].num)
    if answered.num < 2:
        raise ConfigError(
            f"{names.benchmark}: {name} has one sample of {question}, and pass@k needs several a question; evaluate "
            f"both with --n 16 or more."
        )
    return answered.num


def _tested(ks: Sequence[int], n: int, *, names: Names) -> list[int]:
    too_large = [k for k in ks if not 1 <= k <= n]
    if too_large:
        raise ConfigError(
            f"{names.benchmark}: k = {too_large[0]}, but a question has {counted(n, 'sample')} in {names.base} or "
            f"{names.run}; choose k from 1 to {n}, or evaluate both with --n {max(too_large)}."
        )
    return sorted(set(ks)) or sorted({1 << power for power in range(n.bit_length())} | {n})


def _pass_curve(model: _Model, n: int) -> tuple[CurvePoint, ...]:
    ks = sorted(set(np.geomspace(1, n, _MOST_DRAWN).round().astype(int).tolist()))
    table = model.pass_table(ks)
    return tuple(_point(k, table[:, column].tolist(), samples_each=n / k) for column, k in enumerate(ks))


def _cover_curve(model: _Model, n: int) -> tuple[CurvePoint, ...]:
    least = np.unique(np.linspace(1, n, min(n, _MOST_DRAWN)).round().astype(int)).tolist()
    return tuple(_point(num / n, model.cover(num / n, n), samples_each=1) for num in least)


def _point(at: float, values: list[float], *, samples_each: float) -> CurvePoint:
    band = value_band(values, samples_each=samples_each)
    return CurvePoint(
        at=at,
        value=min(1.0, math.fsum(values) / len(values)),
        low=band.low if band else None,
        high=band.high if band else None,
    )


def _tests(models: Sequence[_Model], ks: Sequence[int], *, n: int) -> tuple[PassTest, ...]:
    tables = [model.pass_table(ks) for model in models]
    compared = [
        compare_values(
            *(dict(zip(models[0].answered, table[:, column].tolist(), strict=True)) for table in tables),
            samples_each=n / k,
        )
        for column, k in enumerate(ks)
    ]
    adjusted = holm([one.p_value for one in compared])
    return tuple(
        PassTest(k=k, comparison=replace(one, gained=(), lost=()), p_holm=p)
        for k, one, p in zip(ks, compared, adjusted, strict=True)
    )


def _crossing(models: Sequence[_Model], n: int) -> Crossing:
    ks = grid_of(n)
    base, run = (model.pass_table(ks) for model in models)
    return crossing_of(band_of(run - base, ks, n=n), num_questions=len(base))


def _guessing(models: Sequence[_Model], guessers: Sequence[Guesser | None], *, n: int) -> GuessingShare | None:
    known = [guesser for guesser in guessers if guesser is not None]
    if len(known) < 2:
        return None
    base, run = known
    left = [_Model(without(model.answered, each.explained)) for model, each in zip(models, known, strict=True)]
    return GuessingShare(
        pass_base=base.pass_at(n),
        pass_run=run.pass_at(n),
        explained_base=len(base.explained),
        explained_run=len(run.explained),
        crossing=_crossing(left, n),
    )
