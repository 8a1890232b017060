"""What `orz-analysis boundary` computes, with formulas and sources: a part of docs/metrics.md."""

from __future__ import annotations

from orz_bench.records.measure import Measure

BOUNDARY_MEASURES = (
    Measure(
        "pass_at_k",
        "mean over questions of 1 - C(n - c, k) / C(n, k), c of n samples right, for k up to the fewest samples",
        "Chen et al., arXiv 2107.03374; the claim: Yue et al., arXiv 2504.13837",
    ),
    Measure(
        "cover_at_tau",
        "mean over questions of P(at least ceil(tau n) of n samples drawn without replacement are right)",
        "Dragoi et al., arXiv 2510.08325; over subsets: Liu et al., arXiv 2412.13147",
    ),
    Measure(
        "crossing",
        "the first k from which the other model is ahead, if each is ahead at some k outside of a 95 % band of all k "
        "together; its interval: between the last k at which the first and the first at which the other is ahead "
        "outside of the 95 % band of that k",
    ),
    Measure(
        "entered, left",
        "problems with a right sample of the trained model alone, or of the base alone; the other's rate is at most "
        "1 - 0.05^(1/n); Fisher's exact test, one-sided, Holm-adjusted",
        "the claim: Yuan et al., arXiv 2606.15455",
    ),
    Measure(
        "guessing",
        "g = probability that the model's answer to another question is right here; pass@k of guesses 1 - (1 - g)^k; a "
        "problem is explained if P(Binomial(n, g) >= c) > 0.05",
        "the claim: Dragoi et al., arXiv 2510.08325",
    ),
)
