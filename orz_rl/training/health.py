"""Signs that training collapses or learns nothing, found in the metrics of a run so far. A sign alone stops nothing.

Input: the rows of metrics.jsonl. Output: the signs that hold now, each with what was found, since when, and what to
do. A sign is not evaluated if its metrics are absent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from orz_rl.names import SignName

Row = Mapping[str, float]
Rows = Sequence[Row]
_WINDOW = 5
_SUDDEN = 3
"""Steps for which a jump has to last."""
_BEFORE = 20
"""Earlier steps with which a jump is compared; at least _WINDOW."""
_CRITIC_STEPS = 8


@dataclass(frozen=True, slots=True)
class Sign:
    """A condition that is reported once, when it has lasted."""

    name: SignName
    lasting: Callable[[Rows], int]
    """For how many steps it has held, up to the last row; 0 if it does not hold."""
    text: str
    """Contains {since}, the first step at which it held."""


def warnings(rows: Rows, already: set[str]) -> list[tuple[SignName, str]]:
    """(name, sentence) of every sign that holds at the last step and has not been reported `already`."""
    found: list[tuple[SignName, str]] = []
    for sign in SIGNS:
        lasting = 0 if sign.name in already else sign.lasting(rows)
        if lasting:
            first = rows[-lasting]
            since = int(first.get("step", len(rows) - lasting + 1))
            found.append((sign.name, sign.text.format(since=since)))
    return found


def _whole_window(metrics: Sequence[str], holds: Callable[[Row, Row], bool]) -> Callable[[Rows], int]:
    """A condition on (row, first row of the run) that holds at each of the last _WINDOW steps."""

    def lasting(rows: Rows) -> int:
        window = rows[-_WINDOW:]
        is_known = all(name in row for row in (rows[0], *window) for name in metrics) if window else False
        return _WINDOW if is_known and len(window) == _WINDOW and all(holds(row, rows[0]) for row in window) else 0

    return lasting


def _entropy_collapses(rows: Rows) -> int:
    """Below 5 % of its start for a whole window, or down to a tenth within a few steps."""
    low = _whole_window(("policy/entropy",), lambda row, first: row["policy/entropy"] < 0.05 * first["policy/entropy"])
    return low(rows) or _jump(rows, "policy/entropy", holds=lambda now, before: now < 0.1 * before)


def _entropy_explodes(rows: Rows) -> int:
    """Twice the value of shortly before; or, however slowly, four times the start and a nat above it."""
    sudden = _jump(rows, "policy/entropy", holds=lambda now, before: now > max(2 * before, before + 0.3))
    entropies = _values(rows, "policy/entropy")
    if sudden or len(entropies) < 2 * _WINDOW:
        return sudden
    start = median(entropies[:_WINDOW])
    is_high = all(value > max(4 * start, start + 1) for value in entropies[-_WINDOW:])
    return _WINDOW if is_high else 0


def _jump(rows: Rows, metric: str, *, holds: Callable[[float, float], bool]) -> int:
    """A condition on (value, median of the steps before) that holds at each of the last _SUDDEN steps."""
    values = _values(rows, metric)
    now, before = values[-_SUDDEN:], values[:-_SUDDEN][-_BEFORE:]
    if len(before) < _WINDOW:
        return 0
    middle = median(before)
    return _SUDDEN if all(holds(value, middle) for value in now) else 0


def _reward_collapses(rows: Rows) -> int:
    """The median of _WINDOW steps is below 60 % of its best and .1 under it, _WINDOW times in a row."""
    rewards = _values(rows, "reward/mean")
    best, lasting = -math.inf, 0
    for end in range(_WINDOW, len(rewards) + 1):
        middle = median(rewards[end - _WINDOW : end])
        best = max(best, middle)
        lasting = lasting + 1 if middle < 0.6 * best and middle < best - 0.1 else 0
    return lasting if lasting >= _WINDOW else 0


def _critic_is_harmful(rows: Rows) -> int:
    """Clearly negative for _CRITIC_STEPS steps, without halving its distance to 0 (as while a new critic learns)."""
    values = _values(rows, "critic/explained_variance")[-_CRITIC_STEPS:]
    if len(values) < _CRITIC_STEPS or max(values) >= 0 or median(values) > -0.1:
        return 0
    older, newer = median(values[: _CRITIC_STEPS // 2]), median(values[_CRITIC_STEPS // 2 :])
    return _CRITIC_STEPS if newer < 0.5 * older else 0


def _gradients_explode(rows: Rows) -> int:
    return max(_norms_explode(rows, metric) for metric in ("policy/grad_norm", "critic/grad_norm"))


def _norms_explode(rows: Rows, metric: str) -> int:
    """The median of the last steps is 100 times the 90th percentile of the first half of the run.

    Steps with nothing to learn (a norm of almost 0) are not counted. A single spike is clipped, and does not move the
    median.
    """
    norms = _values(rows, metric)
    now = median(norms[-_WINDOW:]) if len(norms) >= _WINDOW else 0.0
    before = norms[:-_WINDOW]
    usual = sorted(norm for norm in before[: max(2 * _WINDOW, len(before) // 2)] if norm > 1e-5 * now)
    if len(usual) < _WINDOW:
        return 0
    return _SUDDEN if now > 100 * usual[int(0.9 * (len(usual) - 1))] else 0


def _values(rows: Rows, metric: str) -> list[float]:
    """The metric in all rows that have it; empty if the last row has not. Values that are not finite are left out."""
    if not rows or metric not in rows[-1]:
        return []
    return [row[metric] for row in rows if metric in row and math.isfinite(row[metric])]


SIGNS = (
    Sign(
        "entropy",
        _entropy_collapses,
        "the policy's entropy has collapsed since step {since} (below 5 % of its start, or a tenth of what it was just "
        "before): it hardly explores any more. Try a lower optim.policy_lr, a higher rollout.temperature or "
        "loss.clip_high "
        "(clip-higher)",
    ),
    Sign(
        "entropy_explosion",
        _entropy_explodes,
        "the policy's entropy has exploded since step {since} (twice what it was just before, or four times its "
        "start): its samples turn into noise. Start from an earlier checkpoint with a new --out and a lower "
        "optim.policy_lr or loss.clip_high, and look at the rollouts",
    ),
    Sign(
        "reward",
        _reward_collapses,
        "the reward has collapsed since step {since}: its median of 5 steps is below 60 % of its best. Start from an "
        "earlier checkpoint with a new --out and a lower optim.policy_lr, and look at the rollouts",
    ),
    Sign(
        "explained_variance",
        _critic_is_harmful,
        "the critic's explained variance has been negative since step {since}: its values are worse than their mean, "
        "and add noise to the advantages. Try a lower optim.critic_lr, more optim.critic_updates, or an estimator "
        "without "
        "a critic (dr_grpo, rloo)",
    ),
    Sign(
        "grad_norm",
        _gradients_explode,
        "the gradient norm has been a hundred times as large as in the run before since step {since}: every update is "
        "clipped to optim.max_grad_norm and dominated by few samples. Start from an earlier checkpoint with a new "
        "--out "
        "and a lower learning rate, and look at mismatch/* and at the rollouts",
    ),
    Sign(
        "grading_timeouts",
        _whole_window(("grading/timeout_share",), lambda row, _: row["grading/timeout_share"] > 0.03),
        "more than 3 % of the answers have not been graded in time since step {since}, and get reward 0; look at "
        "rollouts whose verdict is timeout, raise reward.deadline_s, or reduce the load of the machine",
    ),
    Sign(
        "clip_rate",
        _whole_window(("response/clip_rate",), lambda row, _: row["response/clip_rate"] > 0.5),
        "more than half of the responses have been truncated by the token limit since step {since}, and get reward 0; "
        "raise "
        "rollout.max_tokens, or look at the rollouts for loops",
    ),
    Sign(
        "repetition",
        _whole_window(
            ("response/repetition",),
            lambda row, first: row["response/repetition"] > max(0.2, 3 * first["response/repetition"]),
        ),
        "responses have repeated themselves three times as much as at the start, since step {since}; look at the "
        "rollouts",
    ),
    Sign(
        "length",
        _whole_window(
            ("response/length_mean",),
            lambda row, first: row["response/length_mean"] < 0.25 * first["response/length_mean"],
        ),
        "responses have been shorter than a quarter of their first length since step {since}; look at the rollouts",
    ),
    Sign(
        "no_signal",
        _whole_window(
            ("group/all_right", "group/all_wrong"),
            lambda row, _: row["group/all_right"] + row["group/all_wrong"] > 0.95,
        ),
        "nearly all problems have had only correct or only wrong samples since step {since}, so there is nothing to "
        "learn from; use problems of another difficulty, more rollout.num_samples, or rollout.dynamic_sampling",
    ),
    Sign(
        "mismatch",
        _whole_window(("mismatch/kl",), lambda row, _: row["mismatch/kl"] > 0.05),
        "engines and trainer have disagreed on log-probabilities since step {since} (mismatch/kl above 0.05): "
        "gradients are off-policy. A common cause is another dtype, or with rollout.max_staleness weights that move "
        "far in a step; loss.importance_cap=2 corrects for it",
    ),
    Sign(
        "format",
        _whole_window(
            ("format/answer_rate",), lambda row, first: row["format/answer_rate"] < 0.5 * first["format/answer_rate"]
        ),
        "answers have been found in less than half as many responses as at the start, since step {since}; look at the "
        "rollouts",
    ),
)
