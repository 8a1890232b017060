"""What `orz-analysis forecast` computes, with formulas and sources: a part of docs/metrics.md."""

from __future__ import annotations

from orz_bench.records.measure import Measure

FORECAST_MEASURES = (
    Measure(
        "sigmoid",
        "R(x) = R0 + (A - R0) / (1 + (m / x)^B) at step x: A the ceiling, m the middle",
        "Khatri et al., arXiv 2510.13786",
    ),
    Measure("power", "R(x) = A - (A - R0) (1 + x / (B t))^-B, t a number of steps; for large B an exponential"),
    Measure(
        "entropy",
        "R = b - a exp(H), H the policy's entropy; the ceiling is b - a",
        "Cui et al., arXiv 2505.22617",
    ),
    Measure(
        "value, low, high",
        "mean over the last tenth of the steps up to the one that is forecast, with its 90 % interval: block bootstrap "
        "over both laws and over shapes by their likelihood",
        "bagged posteriors: arXiv 2007.14845",
    ),
    Measure("ceiling", "A of the same fits, with its 90 % interval"),
)
