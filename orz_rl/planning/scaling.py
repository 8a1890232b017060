"""A recipe on the GPUs that there are: ranks and engines in its proportions, and why some GPUs stay idle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from orz_bench.errors import ConfigError, counted
from orz_rl.config import TrainConfig

POLICY, CRITIC, ENGINES = "cluster.policy_ranks", "cluster.critic_ranks", "rollout.num_engines"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaled:
    """The counts that use these GPUs."""

    gpus: int
    used: int
    counts: Mapping[str, int]
    """Setting -> value, of everything that takes GPUs."""
    why_idle: str
    """Empty if every GPU is used."""
    partly_idle: tuple[str, ...] = ()
    """Where models and engines share GPUs: which of them are on fewer GPUs than others, and why."""

    @property
    def idle(self) -> int:
        """GPUs without a rank or an engine."""
        return self.gpus - self.used

    @property
    def settings(self) -> list[str]:
        """The counts as overrides of the command line."""
        return [f"{name}={count}" for name, count in self.counts.items()]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """Ranks of one model, or the engines."""

    setting: str
    of_recipe: int
    size: int
    """GPUs that one takes."""
    most: int
    """More have nothing to do."""
    why_most: str
    fixed: int | None
    """As it was given."""


def scaled(config: TrainConfig, gpus: int, *, fixed: Mapping[str, int] = MappingProxyType({})) -> Scaled:
    """Counts for `gpus` GPUs; those in `fixed` (setting -> value) were given. Raises ConfigError for too few GPUs."""
    parts = _parts(config, fixed)
    if config.cluster.device == "cpu" or config.cluster.in_process:
        counts = {part.setting: part.fixed or part.of_recipe for part in parts}
        used = 0 if config.cluster.device == "cpu" else 1
        why = "cluster.device=cpu uses no GPU" if used == 0 else "cluster.in_process=true uses one GPU"
        return Scaled(gpus=gpus, used=used, counts=counts, why_idle=why if gpus > used else "")
    is_shared, by_ipc = config.cluster.colocate, config.cluster.transport == "ipc"
    counts = _shared(parts, gpus, by_ipc=by_ipc) if is_shared else _separate(parts, gpus)
    sizes = [counts[part.setting] * part.size for part in parts]
    used = max(sizes) if config.cluster.colocate else sum(sizes)
    why = _why_idle(parts, counts, idle=gpus - used) if used < gpus else ""
    partly = [
        f"{counted(used - size, 'GPU')} without one of {part.setting}={counts[part.setting]}"
        for part, size in zip(parts, sizes, strict=True)
        if config.cluster.colocate and size < used
    ]
    return Scaled(gpus=gpus, used=used, counts=counts, why_idle=why, partly_idle=tuple(partly))


def _parts(config: TrainConfig, fixed: Mapping[str, int]) -> list[_Part]:
    cluster, rollout, optim = config.cluster, config.rollout, config.optim
    found = [(POLICY, cluster.policy_ranks, 1, optim.policy_updates)]
    if config.has_critic:
        found.append((CRITIC, cluster.critic_ranks, 1, optim.critic_updates))
    found.append((ENGINES, rollout.num_engines, rollout.tensor_parallel, 1))
    return [
        _Part(
            setting=setting,
            of_recipe=count,
            size=size,
            most=max(1, config.num_rollouts // updates),
            why_most=f"{setting} is {max(1, config.num_rollouts // updates)}, because that is the number of rollouts "
            + ("of a step" if updates == 1 else f"of one of its {updates} updates"),
            fixed=fixed.get(setting),
        )
        for setting, count, size, updates in found
    ]


def _shared(parts: list[_Part], gpus: int, *, by_ipc: bool) -> dict[str, int]:
    """Colocated: everything is on every GPU."""
    counts = {part.setting: part.fixed or min(part.most, gpus // part.size) for part in parts}
    engines = next(part for part in parts if part.setting == ENGINES)
    if engines.fixed is None and by_ipc:
        # Engine i reads its weights from the rank of the policy on its own device.
        counts[ENGINES] = min(counts[ENGINES], counts[POLICY] // engines.size)
    for part in parts:
        if not 1 <= counts[part.setting] <= gpus // part.size:
            raise _too_few([part], gpus=gpus, needed=max(1, counts[part.setting]) * part.size, is_shared=True)
    return counts


def _separate(parts: list[_Part], gpus: int) -> dict[str, int]:
    """One of each, then again and again one more of what has the smallest share of its number in the recipe."""
    counts = {part.setting: part.fixed or 1 for part in parts}
    left = gpus - sum(counts[part.setting] * part.size for part in parts)
    if left < 0:
        raise _too_few(parts, gpus=gpus, needed=gpus - left, is_shared=False)
    while open_parts := [
        part for part in parts if part.fixed is None and part.size <= left and counts[part.setting] < part.most
    ]:
        part = min(open_parts, key=lambda part: counts[part.setting] / part.of_recipe)
        counts[part.setting] += 1
        left -= part.size
    return counts


def _too_few(parts: list[_Part], *, gpus: int, needed: int, is_shared: bool) -> ConfigError:
    named = " + ".join(
        f"{part.fixed or 1} x {part.size} ({part.setting}"
        + (f", rollout.tensor_parallel={part.size})" if part.size > 1 else ")")
        for part in parts
    )
    larger = [f"{part.setting}={part.fixed}" for part in parts if part.fixed is not None and part.fixed > 1]
    remedies = [f"leave out {', '.join(larger)}"] if larger else []
    if any(part.size > 1 for part in parts):
        remedies.append("lower rollout.tensor_parallel")
    if not is_shared:
        remedies.append("set cluster.colocate=true, with rollout.tensor_parallel=1, so that all share the same GPUs")
    return ConfigError(
        f"this needs at least {counted(needed, 'GPU')}: {named}, but found {gpus}; "
        f"{', or '.join([*remedies, 'use more GPUs'])}."
    )


def _why_idle(parts: list[_Part], counts: Mapping[str, int], *, idle: int) -> str:
    reasons = [f"{part.setting}={part.fixed} was given" for part in parts if part.fixed is not None]
    reasons += [part.why_most for part in parts if part.fixed is None and counts[part.setting] == part.most]
    reasons += [
        f"an engine takes rollout.tensor_parallel={part.size} GPUs"
        for part in parts
        if part.size > max(1, idle) and part.fixed is None
    ]
    return "; ".join(reasons)
