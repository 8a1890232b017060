"""What is computed from a critic's values, with formulas and sources: a part of docs/metrics.md."""

from __future__ import annotations

from orz_bench.records.measure import Measure

VALUE_MEASURES = (
    Measure("reliability", "share right among responses whose value is in a tenth of [0, 1], at ten positions"),
    Measure("brier", "mean of (v - y)^2, v cut to [0, 1], y = 1 for a right response", "Brier 1950"),
    Measure(
        "ece",
        "sum over tenths b of n_b / n * abs(mean of v in b - share right in b); above 0 for finite samples",
        "Guo et al., arXiv 1706.04599, equation 3",
    ),
    Measure(
        "auroc",
        "P(v of a right response > v of a wrong one), ties a half; by relative position, step, quarter of the length",
        "Hanley and McNeil 1982",
    ),
    Measure("within_question", "mean over questions of the AUROC among their responses, minus 0.5"),
    Measure(
        "reflections",
        "mean v of 8 tokens behind a reflection minus that of 8 up to it, minus the same at up to 4 words without one: "
        "same question, step and outcome, relative position within 0.15",
    ),
    Measure(
        "repetition_value",
        "mean v at tokens that end a 10-gram of tokens that stands earlier in the response, minus that of others: "
        "same question, step, outcome and tenth of the response, weighted by repeated tokens",
        "the claim: Open-Reasoner-Zero, arXiv 2503.24290",
    ),
    Measure(
        "repetition_advantage",
        "the same of y - v (advantage with gamma = lambda = 1) in the same tenth, whatever the outcome",
    ),
    Measure("falls", "first token of a wrong response from which on v stays below the threshold, over its length"),
)
