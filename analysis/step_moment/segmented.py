"""Segmented regression: a smooth trend plus changes of level and slope, by generalised least squares.

`Regression` holds what is the same for all models of one curve under one noise model; `Scan` adds every possible
further change to one model at once. Whitened columns are orthonormalised in the order line, changes, rest of the trend,
so that the fit of every trend size is a partial sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from analysis.step_moment.noise import Noise
from analysis.step_moment.shapes import Change, allowed, column, inner_products, squared_norms
from analysis.step_moment.trend import Trends

Floats = NDArray[np.float64]

TREND_COST = 2.0
"""Of one more column of the trend, as in AIC: smoothness has the benefit of the doubt."""
CHANGE_COST = 3.0
"""Of one more change, times the logarithm of the effective sample size: Zhang and Siegmund (2007) count a change of
level as three parameters of BIC, its size, and twice its place."""
_LINE = 2
_LEAST_NEW = 1e-6
"""A shape of which less than this share is new to the model is not tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """Which changes, on which trend."""

    changes: tuple[Change, ...]
    family: int
    size: int
    """Index into the family's sizes."""
    criterion: float
    """n log(RSS / n) + 2 columns + 3 log(effective n) changes; less is better."""


class Regression:
    """One curve, whitened. `time` is steps scaled to 0..1; `values` are those observed."""

    def __init__(self, time: Floats, values: Floats, *, noise: Noise, families: tuple[Trends, ...]) -> None:
        """Whitens all that models share."""
        self.time, self.noise, self.families = time, noise, families
        self.target = noise.whiten(values)
        self.trends = [np.linalg.qr(noise.whiten(family.columns))[0] for family in families]
        self.norms = squared_norms(noise, time)
        self.change_cost = CHANGE_COST * float(np.log(noise.effective_size))

    def columns(self, changes: tuple[Change, ...]) -> Floats:
        """The whitened changes, (n, changes)."""
        raw = [column(change, self.time) for change in changes]
        return self.noise.whiten(np.stack(raw, axis=1)) if raw else np.zeros((len(self.time), 0))

    def basis(self, changes: tuple[Change, ...], *, family: int) -> Floats:
        """Orthonormal columns: the line, the changes, the rest of the trend."""
        trend = self.trends[family]
        design = np.concatenate([trend[:, :_LINE], self.columns(changes), trend[:, _LINE:]], axis=1)
        return _orthonormal(design / np.sqrt((design**2).sum(axis=0)))

    def scan(self, changes: tuple[Change, ...], *, family: int) -> Scan:
        """Everything that can be added to these changes."""
        return Scan(self, changes, family=family)

    def fit(self, changes: tuple[Change, ...]) -> Model:
        """The best trend for these changes."""
        scans = (self.scan(changes, family=family) for family in range(len(self.families)))
        return min((scan.model for scan in scans), key=lambda model: model.criterion)


def _orthonormal(design: Floats) -> Floats:
    """Q of the QR decomposition, by Cholesky twice (Yamamoto et al. 2015): many times faster for tall matrices."""
    try:
        for _ in range(2):
            lower = np.linalg.cholesky(design.T @ design)
            design = np.linalg.solve(lower, design.T).T
    except np.linalg.LinAlgError:  # columns almost dependent
        return np.linalg.qr(design)[0]
    return design


class Scan:
    """One set of changes on every trend of a family, and what each further change would bring."""

    def __init__(self, regression: Regression, changes: tuple[Change, ...], *, family: int) -> None:
        """Fits all sizes."""
        self.regression, self.changes, self.family = regression, changes, family
        self.basis = regression.basis(changes, family=family)
        sizes = regression.families[family].sizes
        self.ends = tuple(size + len(changes) for size in sizes)
        self.costs = np.array([TREND_COST * size for size in sizes]) + regression.change_cost * len(changes)
        self.scores = self.basis.T @ regression.target

    @cached_property
    def rss(self) -> Floats:
        """Residual sum of squares of every size."""
        explained = np.cumsum(self.scores**2)
        return np.array([(self.regression.target**2).sum() - explained[end - 1] for end in self.ends])

    @cached_property
    def criteria(self) -> Floats:
        """The criterion of every size."""
        n = len(self.regression.target)
        return n * np.log(np.maximum(self.rss, 1e-300) / n) + self.costs

    @property
    def model(self) -> Model:
        """The best size."""
        size = int(np.argmin(self.criteria))
        return Model(changes=self.changes, family=self.family, size=size, criterion=float(self.criteria[size]))

    @cached_property
    def projections(self) -> Floats:
        """Inner products of every shape with every basis column: (shapes, n, columns)."""
        return inner_products(self.basis, noise=self.regression.noise, time=self.regression.time)

    @cached_property
    def new_norms(self) -> Floats:
        """What of every shape's squared norm no column explains: (sizes, shapes, n); inf where it may not be added."""
        explained = np.cumsum(self.projections**2, axis=2)
        ends = np.array(self.ends) - 1
        left = self.regression.norms - np.moveaxis(explained[:, :, ends], 2, 0)
        usable = allowed(len(self.regression.time)) & (left > _LEAST_NEW * self.regression.norms)
        return np.where(usable, left, np.inf)

    @cached_property
    def gains(self) -> Floats:
        """By how much every further change lowers the residual sum of squares: (sizes, shapes, n)."""
        raw = inner_products(self.regression.target, noise=self.regression.noise, time=self.regression.time)
        explained = np.cumsum(self.projections * self.scores, axis=2)
        ends = np.array(self.ends) - 1
        return (raw - np.moveaxis(explained[:, :, ends], 2, 0)) ** 2 / self.new_norms

    def best_addition(self) -> Model:
        """The model with the one more change that lowers the criterion most, or raises it least."""
        n = len(self.regression.target)
        most = self.gains.reshape(len(self.ends), -1)
        places = most.argmax(axis=1)
        rss = np.maximum(self.rss - most[np.arange(len(places)), places], 1e-300)
        criteria = n * np.log(rss / n) + self.costs + self.regression.change_cost
        size = int(np.argmin(criteria))
        shape, at = np.unravel_index(places[size], self.gains.shape[1:])
        added = Change(at=int(at), shape=int(shape))
        return Model(
            changes=tuple(sorted((*self.changes, added))),
            family=self.family,
            size=size,
            criterion=float(criteria[size]),
        )
