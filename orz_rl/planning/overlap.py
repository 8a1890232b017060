"""What overlap of sampling and training would give a configuration: costs from public figures, lengths, and splits.

Estimates, where orz_rl.planning.plan gives lower bounds. Assumptions beside the plan's (and see docs/gpu.md): engines
reach SHARE of bandwidth and peak and need ITERATION_S on the host for an iteration; gathering of weights is hidden
behind computation; ranks wait for the one with most packs; weights travel at LINK_GIB_S.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from orz_bench.errors import ConfigError
from orz_bench.records.run_dir import RunDir
from orz_rl.config import TrainConfig
from orz_rl.planning.architectures import architecture_of
from orz_rl.planning.plan import GIB, Hardware, Plan, make_plan, num_devices, prompt_tokens
from orz_rl.planning.scaling import CRITIC, ENGINES, POLICY, scaled
from orz_rl.planning.simulation import MODES, Costs, EngineCosts, Mode, Outcome, simulate

SHARE = 0.75
"""Of bandwidth and peak, in decoding."""
ITERATION_S = 0.002
LINK_GIB_S = 10.0
MOST_SEQUENCES = 256
"""Of an engine at a time: vLLM's default."""
SPREAD = 0.8
"""Deviation of the logarithm of response lengths, where no run gives them: some 2 % reach four times the mean."""
_SIMULATED_ENGINES, _BATCHES = 4, 7
"""Engines are alike: a part of them with its part of the rollouts gives the same times."""
_SHARES_OF_ENGINES = (0.125, 0.25, 0.375, 0.5, 0.75)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """A way of alternating, on the best of the splits that were tried."""

    mode: Mode
    is_colocated: bool
    engines: int
    gpus_of_engines: int
    gpus_of_models: int
    outcome: Outcome

    @property
    def name(self) -> str:
        """As it is printed."""
        return f"{self.mode.name}, {'colocated' if self.is_colocated else 'separated'}"


def prospects(config: TrainConfig, hardware: Hardware, *, lengths: Sequence[int]) -> Iterator[Prospect]:
    """On-policy as the recipe places it, and every mode with separate devices, each on its fastest split."""
    gpus = num_devices(config)
    if config.cluster.colocate:
        yield _tried(config, hardware, lengths=lengths, mode=Mode())
    for mode in MODES:
        tried = [_tried(split, hardware, lengths=lengths, mode=mode) for split in _splits(config, hardware, gpus=gpus)]
        if tried:
            yield min(tried, key=lambda each: each.outcome.step_s)


def _splits(config: TrainConfig, hardware: Hardware, *, gpus: int) -> Iterator[TrainConfig]:
    """The configuration with separate devices and all of these GPUs, in several proportions that fit the memory."""
    parallel, seen = config.rollout.tensor_parallel, set()
    for share in _SHARES_OF_ENGINES:
        engines = max(1, round(gpus * share / parallel))
        left = gpus - engines * parallel
        if left < 1 + config.has_critic or engines in seen:
            continue
        seen.add(engines)
        separate = config.model_copy(
            update={"cluster": config.cluster.model_copy(update={"colocate": False, "weight_sync": "auto"})}
        )
        counts = scaled(separate, gpus, fixed={ENGINES: engines}).counts
        split = separate.model_copy(
            update={
                "cluster": separate.cluster.model_copy(
                    update={"policy_ranks": counts[POLICY], "critic_ranks": counts.get(CRITIC, 1)}
                ),
                "rollout": config.rollout.model_copy(update={"num_engines": engines}),
            }
        )
        if make_plan(split, hardware, mean_tokens=1).fits:
            yield split


def _tried(config: TrainConfig, hardware: Hardware, *, lengths: Sequence[int], mode: Mode) -> Prospect:
    engines, parallel = config.rollout.num_engines, config.rollout.tensor_parallel
    plan = make_plan(config, hardware, mean_tokens=sum(lengths) / len(lengths))
    shown = min(engines, _SIMULATED_ENGINES)
    each = max(1, round(config.num_rollouts * shown / engines))
    generator = random.Random(config.seed)
    batches = [[generator.choice(lengths) for _ in range(each)] for _ in range(_BATCHES)]
    costs = costs_of(config, plan)
    thinned = replace(costs, train_per_token=costs.train_per_token * config.num_rollouts / each)
    outcome = simulate(batches, prompt_tokens=prompt_tokens(config), engines=shown, costs=thinned, mode=mode)
    is_colocated = config.cluster.colocate
    return Prospect(
        mode=mode,
        is_colocated=is_colocated,
        engines=engines,
        gpus_of_engines=engines * parallel,
        gpus_of_models=num_devices(config) - (0 if is_colocated else engines * parallel),
        outcome=outcome,
    )


def costs_of(config: TrainConfig, plan: Plan) -> Costs:
    """Seconds of everything, for the whole of the run's engines and ranks."""
    hardware, parallel = plan.hardware, config.rollout.tensor_parallel
    model = architecture_of(config.model.policy)
    size = 2 if config.model.dtype == "bfloat16" else 4
    bandwidth = hardware.bandwidth_gib_s * GIB * SHARE * parallel
    flops = hardware.peak_tflops * 1e12 * SHARE * parallel
    weights, cached = model.policy_parameters * size, model.kv_bytes_per_token(size)
    cache = max(0.0, plan.engine_bytes * parallel - weights)
    engine = EngineCosts(
        iteration=ITERATION_S + weights / bandwidth,
        per_sequence=2 * model.policy_parameters / flops,
        per_cached_token=cached / bandwidth,
        # Samples of a problem share its prompt.
        per_prefilled_token=2 * model.policy_parameters / flops / config.rollout.num_samples,
        slots=MOST_SEQUENCES,
        cache_tokens=cache / cached,
    )
    tokens = config.num_rollouts * (plan.mean_tokens + prompt_tokens(config))
    training = (plan.seconds["score"] + plan.seconds["update"]) * _imbalance(config, tokens)
    moved = weights / (LINK_GIB_S * GIB)
    if config.cluster.colocate:  # models to the host and back
        states = plan.policy.states + (plan.critic.states if plan.critic else 0.0)
        moved += 2 * states / (LINK_GIB_S * GIB)
    return Costs(engine=engine, train_fixed=0.0, train_per_token=training / tokens, sync=moved)


def _imbalance(config: TrainConfig, tokens: float) -> float:
    """How much longer an update takes because ranks have whole packs: of the model whose updates are more uneven."""
    cluster, optim = config.cluster, config.optim
    models = [(cluster.policy_ranks, optim.policy_updates)]
    if config.has_critic:
        models.append((cluster.critic_ranks, optim.critic_updates))
    found = []
    for ranks, updates in models:
        packs = max(1.0, tokens / updates / cluster.pack_tokens)
        found.append(math.ceil(packs / ranks) * ranks / packs)
    return sum(found) / len(found) if cluster.colocate else max(found)


def assumed_lengths(config: TrainConfig, mean_tokens: float) -> list[int]:
    """1,000 response lengths: log-normal with this mean, cut at the limit of tokens."""
    most = config.rollout.max_tokens
    generator = random.Random(0)
    drawn = [generator.lognormvariate(0.0, SPREAD) for _ in range(1000)]
    low, high = 0.0, float(most)
    for _ in range(60):  # the scale whose mean, after the cut, is the one that is wanted
        scale = (low + high) / 2
        mean = sum(min(most, each * scale) for each in drawn) / len(drawn)
        low, high = (scale, high) if mean < mean_tokens else (low, scale)
    return [max(1, min(most, round(each * high))) for each in drawn]


def lengths_of(run: Path) -> list[int]:
    """Of all responses of a run's last steps that are on disk. Raises ConfigError for a folder without any."""
    directory = RunDir(run)
    found: list[int] = []
    for _, rollouts in directory.sampled_steps()[-5:]:
        found += rollouts.read(columns=["num_tokens"])["num_tokens"].to_pylist()
    if not found:
        raise ConfigError(f"{run}: no rollouts of a training run were found; give a run directory, or leave it out.")
    return [max(1, length) for length in found]
