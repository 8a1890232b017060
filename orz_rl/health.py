"""Signs that training collapses or learns nothing, read off the metrics of a run so far. A warning stops nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Row = Mapping[str, float]
_WINDOW = 5


@dataclass(frozen=True, slots=True)
class Sign:
    """Something to be warned of, once, when it holds for a whole window of steps."""

    name: str
    holds: Callable[[Row, Row], bool]
    """(a row of the window, the first row of the run) -> whether it looks bad there."""
    text: str


_SIGNS = (
    Sign(
        "entropy",
        lambda row, first: row["policy/entropy"] < 0.05 * first["policy/entropy"],
        "the policy's entropy has fallen below 5 % of its start: it hardly explores any more. A lower optim.policy_lr, "
        "a higher rollout.temperature or loss.clip_high (clip-higher) help",
    ),
    Sign(
        "clip_rate",
        lambda row, _: row["response/clip_rate"] > 0.5,
        "more than half of the responses are cut by the token limit and earn nothing; raise rollout.max_tokens, or "
        "look at the rollouts for loops",
    ),
    Sign(
        "repetition",
        lambda row, first: row["response/repetition"] > max(0.2, 3 * first["response/repetition"]),
        "responses repeat themselves three times as much as at the start; look at the rollouts",
    ),
    Sign(
        "length",
        lambda row, first: row["response/length_mean"] < 0.25 * first["response/length_mean"],
        "responses have shrunk to less than a quarter of their first length; look at the rollouts",
    ),
    Sign(
        "no_signal",
        lambda row, _: row["group/all_right"] + row["group/all_wrong"] > 0.95,
        "nearly all problems have only right or only wrong samples, so there is nothing to learn from; use problems of "
        "another difficulty, more rollout.num_samples, or rollout.dynamic_sampling",
    ),
    Sign(
        "mismatch",
        lambda row, _: row["mismatch/kl"] > 0.05,
        "engines and trainer disagree on log-probabilities (mismatch/kl above 0.05): gradients are off-policy. "
        "loss.importance_cap=2 corrects for it; a common cause is another dtype",
    ),
    Sign(
        "format",
        lambda row, first: row["format/answer_rate"] < 0.5 * first["format/answer_rate"],
        "an answer is found in less than half as many responses as at the start; look at the rollouts",
    ),
)


def warnings(rows: Sequence[Row], already: set[str]) -> list[tuple[str, str]]:
    """(name, sentence) of every sign that holds over the last steps and was not told `already`."""
    window = rows[-_WINDOW:]
    if len(window) < _WINDOW:
        return []
    first = rows[0]
    return [
        (sign.name, sign.text)
        for sign in _SIGNS
        if sign.name not in already and all(sign.holds(row, first) for row in window)
    ]
