"""Which changes: forward from none and backward from many, refined exactly, judged by the criterion of `Regression`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analysis.step_moment.proposals import segment_borders
from analysis.step_moment.segmented import Model, Regression
from analysis.step_moment.shapes import EDGE, SLOPE, Change

Floats = NDArray[np.float64]

MOST_CHANGES = 20
OBSERVATIONS_PER_CHANGE = 40
_LOOK_AHEAD = 2
"""Changes added after the criterion last fell: a rise may pay only with its fall."""
_MOST_PASSES = 4


def best_model(regression: Regression, values: Floats) -> Model:
    """The trend and the changes with the least criterion that the searches find."""
    most = min(MOST_CHANGES, len(values) // OBSERVATIONS_PER_CHANGE)
    none = regression.fit(())
    found = [none, _forward(regression, none, most=most)]
    if most >= 2:
        borders = segment_borders(values, time=regression.time, noise=regression.noise, num_borders=most)
        many = [Change(at=at, shape=shape) for at in borders for shape in (0, SLOPE)]
        found.append(_forward(regression, _backward(regression, many, most=most), most=most))
    return min(found, key=lambda model: model.criterion)


def refine(regression: Regression, model: Model) -> Model:
    """Every change in turn is taken out and put where it serves best, or left out, until nothing moves."""
    for _ in range(_MOST_PASSES):
        before = model.criterion
        for change in model.changes:
            model = min(model, _moved(regression, model, change), key=lambda candidate: candidate.criterion)
        if model.criterion > before - 1e-6:
            return model
    return model


def _moved(regression: Regression, model: Model, change: Change) -> Model:
    others = tuple(other for other in model.changes if other != change)
    if len(others) == len(model.changes):  # it was moved or dropped earlier in this pass
        return model
    scan = regression.scan(others, family=model.family)
    return min(scan.model, scan.best_addition(), key=lambda candidate: candidate.criterion)


def _forward(regression: Regression, start: Model, *, most: int) -> Model:
    best = current = start
    since = 0
    while len(current.changes) < most and since <= _LOOK_AHEAD:
        families = range(len(regression.families))
        additions = [regression.scan(current.changes, family=family).best_addition() for family in families]
        current = refine_last(regression, min(additions, key=lambda model: model.criterion))
        since = 0 if current.criterion < best.criterion else since + 1
        best = min(best, current, key=lambda model: model.criterion)
    return refine(regression, best) if best.changes else best


def refine_last(regression: Regression, model: Model) -> Model:
    """One pass in which changes move but none is left out."""
    for change in model.changes:
        others = tuple(other for other in model.changes if other != change)
        if len(others) < len(model.changes):
            moved = regression.scan(others, family=model.family).best_addition()
            model = min(model, moved, key=lambda candidate: candidate.criterion)
    return model


def _backward(regression: Regression, many: list[Change], *, most: int) -> Model:
    """Drops the least needed change again and again, on a cubic trend; returns the best model on the way."""
    n = len(regression.time)
    kept = list(many)
    trend = regression.trends[0][:, :4]
    design = np.concatenate([trend, regression.columns(tuple(kept)), regression.target[:, None]], axis=1)
    design = design / np.sqrt((design**2).sum(axis=0))
    gram = design.T @ design
    best, least = (), np.inf
    while True:
        columns = gram[:-1, :-1] + 1e-10 * np.eye(len(gram) - 1)
        inverse = np.linalg.inv(columns)
        coefficients = inverse @ gram[:-1, -1]
        rss = max(gram[-1, -1] - gram[:-1, -1] @ coefficients, 1e-12)
        criterion = n * np.log(rss) + regression.change_cost * len(kept)
        if criterion < least and len(kept) <= most:
            best, least = tuple(kept), criterion
        if not kept:
            break
        weakest = int(np.argmin((coefficients**2 / np.diag(inverse))[4:]))
        kept.pop(weakest)
        rows = np.delete(np.arange(len(gram)), 4 + weakest)
        gram = gram[np.ix_(rows, rows)]
    return regression.fit(tuple(sorted(best)))


def is_apart(a: Change, b: Change) -> bool:
    """Whether two changes are far enough from one another to be two."""
    return abs(a.middle - b.middle) >= EDGE
