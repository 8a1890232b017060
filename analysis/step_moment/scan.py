"""One more change beside given ones: what it would gain, at every place and in every shape, in one pass."""

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
"""Share of a shape's norm that must be left beside the other changes."""
_RIDGE = 1e-10
"""Of a share of each norm: changes that are all but the same as others stay solvable."""
_EXACT = 1e-9
"""Share of the squares that any model leaves: a curve without noise would leave none."""


class Scan:
    """The generalised least squares of one change beside the others (Frisch and Waugh), for any number of curves."""

    def __init__(self, background: Background, changes: tuple[Change, ...], norms: Floats) -> None:
        """`norms` are `squared_norms(background)`."""
        self.background = background
        design = columns(changes, background.time)
        weighed = background.weigh(design)
        gram = design.T @ weighed
        triangle = np.linalg.cholesky(gram + _RIDGE * np.diag(gram.diagonal())) if changes else np.zeros((0, 0))
        self._basis = np.linalg.solve(triangle, design.T).T if changes else design
        self._shared = inner_products(background.weigh(self._basis), background.time)
        left = norms - (self._shared**2).sum(axis=-1)
        is_open = allowed(len(background.time), changes) & (left > _INDEPENDENT * norms)
        self._inverse = np.where(is_open, 1 / np.where(is_open, left, 1.0), 0.0)

    def gains(self, values: Floats) -> tuple[Floats, Floats]:
        """(fall of the weighed sum of squares, that sum) in values of (n,) or (n, m): (shapes, n[, m]) and ([m])."""
        weighed = self.background.weigh(values)
        scores = self._basis.T @ weighed
        products = inner_products(weighed, self.background.time) - np.tensordot(self._shared, scores, axes=1)
        squares = np.maximum((values * weighed).sum(axis=0) - (scores**2).sum(axis=0), _EXACT * len(values))
        inverse = self._inverse.reshape(*self._inverse.shape, *(1,) * (values.ndim - 1))
        return np.minimum(products**2 * inverse, (1 - _EXACT) * squares), squares


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """Changes, the background that fits best with them, and the criterion."""

    changes: tuple[Change, ...]
    background: Background
    criterion: float
    """-2 log marginal likelihood plus the cost of the changes."""


class Search:
    """What searching one curve needs: its backgrounds, and each one's norms, made once."""

    def __init__(self, curve: Curve, *, cost: float) -> None:
        """`cost` is that of one change, in units of log n."""
        self.curve = curve
        tamed = curve.tamed
        self.unit = float(tamed.std())
        self.values = (tamed - tamed.mean()) / self.unit
        self.backgrounds = Backgrounds(curve)
        self.cost = cost
        self._norms: dict[Background, Floats] = {}

    def at_cost(self, cost: float) -> Search:
        """The same search with another cost of a change."""
        other = copy(self)
        other.cost = cost
        return other

    def model(self, changes: tuple[Change, ...]) -> Model:
        """These changes with the background that suits them best."""
        ordered = tuple(sorted(changes))
        cost = self.cost * float(np.log(self.curve.n))
        background, loss = self.backgrounds.fit(self.values, columns(ordered, self.curve.time))
        return Model(changes=ordered, background=background, criterion=loss + cost * len(ordered))

    def scan(self, background: Background, changes: tuple[Change, ...]) -> Scan:
        """A scan beside these changes."""
        if background not in self._norms:
            self._norms[background] = squared_norms(background)
        return Scan(background, changes, self._norms[background])

    def best_addition(self, background: Background, changes: tuple[Change, ...]) -> Change | None:
        """The change that gains most beside these; None where there is no room for one."""
        gains, _ = self.scan(background, changes).gains(self.values)
        shape, at = np.unravel_index(int(np.argmax(gains)), gains.shape)
        return Change(at=int(at), shape=int(shape)) if gains[shape, at] > 0 else None
