"""Select the number and places of breaks: stepwise from none upwards and from many downwards, by BIC."""

from __future__ import annotations

import numpy as np
import ruptures

from analysis.step_moment.curve import LASTING, Curve
from analysis.step_moment.scan import Model, Search
from analysis.step_moment.shapes import Change, columns

MOST_CHANGES = 20
_PATIENCE = 3
"""Steps that may fail to lower the criterion: a rise and the fall after it may only be worthwhile together."""
_MOST_ROUNDS = 3
_JUMP = 5
"""Observations between the places that the segmentation considers; its proposals are refined later."""


def best_model(search: Search) -> Model:
    """The model with the smallest criterion that stepwise search finds from either side."""
    starts = (forward(search, search.model(())), backward(search, search.model(proposals(search.curve))))
    return min((polished(search, start) for start in starts), key=lambda one: one.criterion)


def polished(search: Search, model: Model) -> Model:
    """The model after moving, dropping and adding changes until that no longer lowers the criterion."""
    for _ in range(_MOST_ROUNDS):
        better = forward(search, backward(search, refine(search, model)))
        if better.criterion >= model.criterion:
            return model
        model = better
    return model


def proposals(curve: Curve) -> tuple[Change, ...]:
    """Breaks of a bottom-up segmentation into straight lines (Keogh et al. 2001), as many as a model may have."""
    design = np.column_stack([curve.tamed, curve.time, np.ones(curve.n)])
    most = min(MOST_CHANGES, curve.n // (2 * LASTING) - 1)
    search = ruptures.BottomUp(model="linear", min_size=LASTING, jump=_JUMP).fit(design)
    return tuple(Change(at=int(at), shape=0) for at in search.predict(n_bkps=most)[:-1])


def forward(search: Search, model: Model) -> Model:
    """Repeatedly add the change with the largest gain; return the best model on the way."""
    best, failures = model, 0
    while failures < _PATIENCE and len(model.changes) < MOST_CHANGES:
        addition = search.best_addition(model.background, model.changes)
        if addition is None:
            return best
        model = search.model((*model.changes, addition))
        failures = 0 if model.criterion < best.criterion else failures + 1
        best = min(best, model, key=lambda one: one.criterion)
    return best


def backward(search: Search, model: Model) -> Model:
    """Repeatedly drop the change with the smallest gain; return the best model on the way."""
    best, failures = model, 0
    while model.changes and failures < _PATIENCE:
        model = search.model(without(model.changes, _weakest(search, model)))
        failures = 0 if model.criterion < best.criterion else failures + 1
        best = min(best, model, key=lambda one: one.criterion)
    return best


def refine(search: Search, model: Model) -> Model:
    """Move each change to the place with the largest gain given the others, if that lowers the criterion."""
    for change in model.changes:
        others = without(model.changes, change)
        moved = search.best_addition(model.background, others)
        if moved is not None and moved != change:
            model = min(model, search.model((*others, moved)), key=lambda one: one.criterion)
    return model


def without(changes: tuple[Change, ...], dropped: Change) -> tuple[Change, ...]:
    """All changes but one."""
    return tuple(change for change in changes if change != dropped)


def _weakest(search: Search, model: Model) -> Change:
    """The change with the smallest squared t statistic in the joint fit."""
    design = columns(model.changes, search.curve.time)
    weighed = model.background.weigh(design)
    inverse = np.linalg.pinv(design.T @ weighed)
    coefficients = inverse @ (weighed.T @ search.values)
    return model.changes[int(np.argmin(coefficients**2 / inverse.diagonal()))]
