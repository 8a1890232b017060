"""Names of alternatives and of health warnings, for configurations that must load without torch."""

from __future__ import annotations

from typing import Literal

Estimator = Literal["gae", "grpo", "dr_grpo", "rloo", "reinforce_pp", "reverse_kl", "imitation"]
Normalisation = Literal["token", "sequence", "constant"]
ClipReference = Literal["auto", "policy", "sampler"]
KlEstimator = Literal["k1", "k2", "k3"]
KlChoice = Literal["auto", "k1", "k2", "k3"]
SignName = Literal[
    "entropy",
    "entropy_explosion",
    "reward",
    "explained_variance",
    "grad_norm",
    "grading_timeouts",
    "clip_rate",
    "repetition",
    "length",
    "no_signal",
    "mismatch",
    "format",
]
GIVEN = "distilled_from"
"""In `extra` of a row that the policy did not sample, but learned: where it was."""
