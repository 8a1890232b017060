"""What `orz-bench contamination` computes, with formulas and sources: a part of docs/metrics.md."""

from __future__ import annotations

from orz_bench.records.measure import Measure

_SOURCE = "Wu et al., arXiv 2507.10532"
CONTAMINATION_MEASURES = (
    Measure(
        "exact (completion exact match)",
        "share of questions whose beginning (40, 60, 80 % of the characters, no word is cut) the model completes, "
        "greedily, with all words of the rest, in lower case; signs are words, white space does not count",
        _SOURCE,
    ),
    Measure(
        "rouge_l",
        "mean F1 = 2 L / (m + n) of the completion, cut to the n words of the rest, so that it has m <= n words; L: "
        "length of the longest common subsequence of words",
        f"{_SOURCE}; Lin 2004",
    ),
    Measure(
        "right",
        "share of right answers given at once, without a thought, behind 0 (no question), 40, 60, 80 % of a question",
        _SOURCE,
    ),
    Measure("by_chance", "share of these answers that are the answer to the next question that has another one"),
    Measure(
        "difference (old against fresh)",
        "mean of the old questions' ROUGE-L (of one question: the mean over its beginnings) minus that of the fresh "
        "ones; interval: 1.96 sqrt(var_old / n_old + var_fresh / n_fresh) to both sides (Welch)",
    ),
    Measure(
        "p_value (old against fresh)",
        "(1 + number of permutations with a difference as large or larger) / (1 + 9,999), one-sided, all questions of "
        "both exchanged; below 0.001 the old ones are called known in part",
    ),
    Measure("p_exact", "the same of the share of a question's beginnings that are completed exactly"),
)
