"""What `orz-bench probe` computes, with formulas and sources: a part of docs/metrics.md."""

from __future__ import annotations

from orz_bench.records.measure import Measure

_SCORE = "Zhao et al., arXiv 2510.24941"
THOUGHT_MEASURES = (
    Measure(
        "outcome_efficiency",
        "T' / T of right responses: T all characters, T' those up to the end of the sentence that first concludes the "
        "right answer; T' = T where none does",
        "Chen et al., arXiv 2412.21187, there of solutions found by a model, and 0 for wrong responses",
    ),
    Measure(
        "underthinking",
        "1 - T' / T of wrong responses, with the same T'",
        "Wang et al., arXiv 2501.18585, there of thoughts judged by a model",
    ),
    Measure("underthinking_by_chance", "the same with the answer to the next question that has another one"),
    Measure("reached", "share of wrong responses that conclude the right answer somewhere"),
    Measure("reached_by_chance", "the same with the answer to the next question that has another one"),
    Measure(
        "accuracy (forced answer)",
        "share of right answers that a model gives greedily behind the prompt, the first part of the thought "
        "(0, 10 ... 100 % of its characters, no word is cut), its end, and the beginning of an answer",
        "Lanham et al., arXiv 2307.13702, early answering",
    ),
    Measure("own (forced answer)", "share of these answers that equal the response's own answer"),
    Measure(
        "score (true-thinking score)",
        "(abs(S(c, s) - S(c, s')) + abs(S(c', s) - S(c', s'))) / 2 of a step s behind the steps c before it; s', c': "
        "every number moved by 1 to 3, a step without numbers dropped; S: the probability of the response's own answer "
        "right behind the step (now), or 1 if the thought that goes on ends with it, else 0 (later)",
        _SCORE,
    ),
    Measure("support", "(S(c, s) - S(c, s') + S(c', s) - S(c', s')) / 2: below 0 where a step leads away"),
    Measure("decorative", "share of steps with a score of at most 0.005", _SCORE),
)
