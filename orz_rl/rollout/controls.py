"""Rewards that do not say which answers are right: controls for the claim that a run learns from its verdicts.

Some models gain from random or inverted rewards, which then shows what was in them before (Spurious Rewards,
2506.10947). A control is a function of the rollout alone, so a resumed run gives the same rewards.
"""

from __future__ import annotations

import random

from orz_rl.rollout.reward_process import Reward, Scored
from orz_rl.settings.section import parsed_control


def controlled_reward(scored: Scored, *, control: str, reward: Reward) -> float:
    """The reward of a rollout under `reward.control`; `reward` is that of the run without a control.

    random: 1 or 0 with equal chances. inverted: 1 for a wrong answer. format: 1 for any answer that was extracted.
    flip:P: the reward, inverted with chance P. A truncated response has reward 0 under inverted and format, too.
    """
    kind, share = parsed_control(control)
    ends = scored.completion.stop_reason != "length"
    match kind:
        case "random":
            return float(_chance(scored) < 0.5)
        case "inverted":
            return float(scored.grade.verdict == "wrong" and ends)
        case "format":
            return float(scored.grade.extracted is not None and ends)
    given = reward(scored)
    return 1.0 - given if kind == "flip" and _chance(scored) < share else given


def _chance(scored: Scored) -> float:
    """Uniform in [0, 1), from the sample's seed."""
    completion = scored.completion
    return random.Random(f"control {completion.seed} {completion.problem_id} {completion.sample_index}").random()
