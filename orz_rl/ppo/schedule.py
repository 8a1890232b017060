"""Learning rates by optimizer step."""

from __future__ import annotations

from collections.abc import Iterable


def schedule(
    updates: Iterable[int], *, peak: float, warmup: int, final: float | None = None, total: int = 0
) -> list[float]:
    """The learning rate of each optimizer step, counted from 1 over the whole run.

    It rises linearly to `peak` in the first `warmup` steps, then is constant, or linear to `final` at step `total`.
    """
    return [_rate(update, peak=peak, warmup=warmup, final=final, total=total) for update in updates]


def _rate(update: int, *, peak: float, warmup: int, final: float | None, total: int) -> float:
    if update <= warmup:
        return peak * update / warmup
    if final is None:
        return peak
    return peak + (final - peak) * min(1.0, (update - warmup) / (total - warmup))
