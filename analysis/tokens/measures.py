"""What is computed from the tokens of training steps, with formulas and sources: a part of docs/metrics.md."""

from __future__ import annotations

from orz_bench.records.measure import Measure

TOKEN_MEASURES = (
    Measure("advantage", "share of the sum over tokens of abs(A), A the mean advantage of the token's response"),
    Measure(
        "update",
        "share of the sum of w abs(A) (1 - p): w the weight of loss.normalisation, p the token's probability when it "
        "was sampled; w abs(A) 2 (1 - p) is the L1 norm of the loss' gradient with regard to the logits",
    ),
    Measure(
        "by entropy",
        "tenths of a step's tokens by the policy's entropy; equal entropies that two tenths divide are divided evenly",
        "the claim: Wang et al., arXiv 2506.01939",
    ),
    Measure("top_fifth", "share of the update of the two highest tenths", "Wang et al., arXiv 2506.01939"),
    Measure("by length", "the same of tenths of a step's responses by their number of tokens"),
    Measure(
        "raising, lowering",
        "update per token in a tenth by length over that of all tenths, of responses with A > 0, and with A < 0",
        "the claim: Liu et al., arXiv 2503.20783",
    ),
    Measure("by word", "shares of words in lower case, of all numbers, and of other characters; entropy at the start"),
)
