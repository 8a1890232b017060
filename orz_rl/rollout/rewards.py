"""Rewards for grades: rule-based and binary, as in Open-Reasoner-Zero, or a function of a package's own (orz.rewards).

DAPO's overlong shaping is optional and added to either.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

from orz_bench.errors import ConfigError
from orz_bench.installed.plugins import PluginGroup
from orz_bench.records.rollout import Completion, Grade, Problem, StopReason, Verdict

RewardFunction = Callable[[Problem, Completion, Grade], float]
"""(problem, completion, grade) -> a finite number."""
DEFAULT = "binary"


def binary_reward(verdict: Verdict, stop_reason: StopReason) -> float:
    """1 for a correct answer in a response that was not truncated by the token limit, else 0."""
    return float(verdict == "correct" and stop_reason != "length")


def binary(problem: Problem, completion: Completion, grade: Grade) -> float:
    """The default: binary_reward of the grade's verdict."""
    del problem
    return binary_reward(grade.verdict, completion.stop_reason)


def overlong_penalty(num_tokens: int, *, max_tokens: int, buffer: int) -> float:
    """0 until `buffer` tokens before the limit, then falling linearly to -1 at the limit (DAPO, 2503.14476, eq. 13)."""
    if buffer == 0:
        return 0.0
    return max(-1.0, min(0.0, (max_tokens - buffer - num_tokens) / buffer))


REWARDS: PluginGroup[RewardFunction] = PluginGroup(
    name="orz.rewards",
    noun="reward",
    kind=Callable,  # type: ignore[arg-type]  # a protocol that is checked at run time
    built_in=MappingProxyType({DEFAULT: f"{__name__}:binary"}),
)
"""Ours, and those that other packages add."""


def reference_of(name: str) -> tuple[str, str]:
    """(`module:attribute`, name and version of its package) of reward.function. ConfigError for an unknown name."""
    module, colon, attribute = name.partition(":")
    if not colon:
        return REWARDS.reference_of(name)
    parts = [*module.split("."), *attribute.split(".")]
    if not all(part.isidentifier() for part in parts):
        raise ConfigError(
            f"reward.function={name}: wanted package.module:name of a function of (problem, completion, grade), or one "
            f"of {', '.join(REWARDS.names())}."
        )
    return name, ""
