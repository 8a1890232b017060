"""The gain of one further change besides given ones, for every place and shape in one pass."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.step_moment.background import Background, Backgrounds
from analysis.step_moment.curve import Curve
from analysis.step_moment.shapes import Change, allowed, columns, inner_products, squared_norms

Floats = NDArray[np.float64]

_INDEPENDENT = 1e-4
"""Share of a shape's norm that must remain after projecting out the other changes."""
_RIDGE = 1e-10
"""Relative ridge that keeps nearly identical changes solvable."""
_EXACT = 1e-9
"""Minimum share of squares that a model leaves: a noise-free curve would leave none."""


class Scan:
    """Generalised least squares of one further change (Frisch and Waugh), for any number of curves."""

    def __init__(self, background: Background, changes: tuple[Change, ...], norms: Floats) -> None:
        """`norms` are `squared_norms(background)`."""
        self.background = background
        design = columns(changes, background.time)
        weighed = background.weigh(design)
        gram = design.T @ weighed
        triangle = np.linalg.cholesky(gram + _RIDGE * np.diag(gram.diagonal()))
        self._basis = np.linalg.solve(triangle, design.T).T
        self._shared = inner_products(background.weigh(self._basis), background.time)
        left = norms - (self._shared**2).sum(axis=-1)
        is_open = allowed(len(background.time), changes) & (left > _INDEPENDENT * norms)
        self._inverse = np.where(is_open, 1 / np.where(is_open, left, 1.0), 0.0)

    def gains(self, values: Floats) -> tuple[Floats, Floats]:
        """(reduction of the weighted sum of squares, the sum) of values (n,) or (n, m): (shapes, n[, m]) and ([m])."""
        weighed = self.background.weigh(values)
        scores = self._basis.T @ weighed
        products = inner_products(weighed, self.background.time) - np.tensordot(self._shared, scores, axes=1)
        squares = np.maximum((values * weighed).sum(axis=0) - (scores**2).sum(axis=0), _EXACT * len(values))
        inverse = self._inverse.reshape(*self._inverse.shape, *(1,) * (values.ndim - 1))
        return np.minimum(products**2 * inverse, (1 - _EXACT) * squares), squares


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """Changes, the background that fits best with them, and the selection criterion."""

    changes: tuple[Change, ...]
    background: Background
    criterion: float
    """-2 log marginal likelihood plus the cost of the changes."""


class Search:
    """The state of a search in one curve: its backgrounds and their norms, each computed once."""

    def __init__(self, curve: Curve, *, cost: float) -> None:
        """`cost` is the cost of one change in units of log n."""
        self.curve = curve
        tamed = curve.tamed
        self.unit = float(tamed.std())
        self.values = (tamed - tamed.mean()) / self.unit
        self.backgrounds = Backgrounds(curve)
        self.cost = cost
        self._norms: dict[Background, Floats] = {}

    def at_cost(self, cost: float) -> Search:
        """The same search with another cost per change."""
        other = copy(self)
        other.cost = cost
        return other

    def model(self, changes: tuple[Change, ...]) -> Model:
        """These changes with the background that fits them best."""
        ordered = tuple(sorted(changes))
        cost = self.cost * float(np.log(self.curve.n))
        background, loss = self.backgrounds.fit(self.values, columns(ordered, self.curve.time))
        return Model(changes=ordered, background=background, criterion=loss + cost * len(ordered))

    def scan(self, background: Background, changes: tuple[Change, ...]) -> Scan:
        """A scan for a change besides these."""
        if background not in self._norms:
            self._norms[background] = squared_norms(background)
        return Scan(background, changes, self._norms[background])

    def best_addition(self, background: Background, changes: tuple[Change, ...]) -> Change | None:
        """The change with the largest gain besides these; None if there is no room for one."""
        gains, _ = self.scan(background, changes).gains(self.values)
        shape, at = np.unravel_index(int(np.argmax(gains)), gains.shape)
        return Change(at=int(at), shape=int(shape)) if gains[shape, at] > 0 else None
