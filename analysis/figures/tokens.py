"""The figure of `orz-analysis tokens`: advantage and update by entropy and by length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from analysis.figures.spec import FigureSpec, Panel, Series
from analysis.tokens.layer import OverSteps, TokenLayer


def tokens_figure(found: Mapping[str, TokenLayer]) -> FigureSpec:
    """Three panels: tenths of tokens by entropy, tenths of responses by length, and the update per token there."""
    runs = list(enumerate(found.items()))
    by_entropy = [
        _series(name, [getattr(one, which) for one in layer.entropies], slot=slot, quantity=which)
        for slot, (name, layer) in runs
        for which in ("update", "advantage")
    ]
    by_length = [
        _series(name, [getattr(one, which) for one in layer.lengths], slot=slot, quantity=which)
        for slot, (name, layer) in runs
        for which in ("update", "tokens")
    ]
    signed = [
        Series(label=name, slot=slot, x=np.arange(1.0, 11.0)[: len(values)], y=values, quantity=which)
        for slot, (name, layer) in runs
        for which in ("raising", "lowering")
        if len(values := _known([getattr(one, which) for one in layer.lengths]))
    ]
    panels = [
        Panel(title="By entropy", y_label="share", x_label="tenth of the tokens, by entropy", is_share=True,
              series=tuple(by_entropy)),
        Panel(title="By length", y_label="share", x_label="tenth of the responses, by length", is_share=True,
              series=tuple(by_length)),
        Panel(title="Update per token", y_label="over the mean of its sign",
              x_label="tenth of the responses, by length", series=tuple(signed)),
    ]  # fmt: skip
    return FigureSpec(
        name="tokens",
        title="Which tokens are learned from",
        panels=tuple(panel for panel in panels if panel.series),
        caption=(
            "Shares of the advantage and of the update, means over steps with 95 % intervals. Tenths are equally "
            "large, from the lowest entropy or length to the highest."
        ),
    )


def _series(label: str, values: Sequence[OverSteps], *, slot: int, quantity: str) -> Series:
    known = all(value.low is not None for value in values)
    return Series(
        label=label,
        slot=slot,
        x=np.arange(1.0, len(values) + 1),
        y=np.array([value.value for value in values]),
        low=np.array([value.low for value in values], dtype=float) if known else None,
        high=np.array([value.high for value in values], dtype=float) if known else None,
        quantity=quantity,
    )


def _known(values: Sequence[float | None]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """NaN for an unknown one; empty if all are."""
    found = np.array([np.nan if value is None else value for value in values])
    return found[:0] if np.isnan(found).all() else found
