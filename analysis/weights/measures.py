"""What `orz-analysis weights` computes, with formulas and sources: a part of docs/metrics.md."""

from __future__ import annotations

from orz_bench.records.measure import Measure

WEIGHT_MEASURES = (
    Measure("changed", "share of weights that differ at all"),
    Measure(
        "beyond",
        "share of weights that differ by more than --tolerance (1e-5)",
        "arXiv 2505.11711",
    ),
    Measure("norm, relative", "Frobenius norm of the difference, and that over the norm of A's weights"),
    Measure(
        "effective rank",
        "exp(- sum p log p) over the shorter side, p = s^2 / sum s^2 of the singular values s of a matrix' difference",
        "Roy and Vetterli 2007",
    ),
    Measure("for_99", "least number of directions with 99 % of the squared norm, over the shorter side"),
    Measure("numerical", "singular values above max(shape) eps s_1, eps of float32"),
)
