"""The engines of a run, with learning replaced by a wait: how sampling, new weights and steps fit together here.

Problems, grading, the queue of steps and the loading of weights are those of a run. No model is trained: the weights
are the checkpoint's own each time, and the devices that the models would have are reserved and stay idle.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from orz_bench.errors import ConfigError
from orz_bench.records.rollout import Rollout
from orz_rl.config import TrainConfig
from orz_rl.rollout.carried import Judging
from orz_rl.settings.around import EvalConfig, LoggingConfig
from orz_rl.training.loop import open_recorders, open_steps
from orz_rl.training.preparation import prepare
from orz_rl.workers.cluster import Sampler
from orz_rl.workers.open import open_cluster
from orz_rl.workers.shared import SharedSampler
from orz_rl.workers.weight_sync import HostWeights


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsedStep:
    """One step, in seconds."""

    step: int
    waited_s: float
    """For its samples."""
    sampled_s: float
    """Sampling and grading of them, if earlier steps were learned meanwhile; else as waited."""
    sync_s: float
    """New weights to the engines."""
    step_s: float
    response_tokens: int
    carried: int
    """Samples with tokens of several versions."""
    staleness_mean: float
    staleness_max: int


def rehearse(
    config: TrainConfig, *, steps: int, update_s: float, notice: Callable[[str], None]
) -> Iterator[RehearsedStep]:
    """So many steps; scoring and updating take `update_s`. Raises OrzError as a run does."""
    least = max(1, config.rollout.max_staleness) + 1
    if steps < least:
        raise ConfigError(f"--steps is {steps}, wanted at least {least}: rollout.max_staleness and one more.")
    config = config.model_copy(
        update={"num_steps": steps, "eval": EvalConfig(), "logging": LoggingConfig(tensorboard=False)}
    )
    with tempfile.TemporaryDirectory(prefix="orz-rehearsal") as folder, ExitStack() as stack:
        setup = prepare(config, out=Path(folder), data=(), notice=notice)
        recorders = open_recorders(setup, stack=stack, resumes_at=0)
        cluster = stack.enter_context(closing(open_cluster(config, logs=Path(folder) / "logs")))
        notice("starting the engines")
        sampler = cluster.open_sampler(setup.spec)
        shared = SharedSampler(sampler, carries=config.rollout.partial)
        if config.rollout.max_staleness > 0:
            sampler = shared
        source = _weights_of(setup.policy, dtype=config.model.dtype)
        judging = Judging(recorders.grader, lambda _: None, recorders.reward)
        ahead = open_steps(setup, judging, sampler=sampler, shared=shared)
        stack.callback(ahead.close)
        _load(sampler, source, version=0)
        ahead.engines_hold(0)
        for version in range(steps):
            start = time.perf_counter()
            found = ahead.take()
            waited = time.perf_counter() - start
            time.sleep(update_s)
            begun = time.perf_counter()
            _load(sampler, source, version=version + 1)
            sync = time.perf_counter() - begun
            ahead.engines_hold(version + 1)
            yield _rehearsed(
                found.rollouts,
                version=version,
                waited_s=waited,
                sampled_s=waited if found.seconds_ahead is None else found.seconds_ahead,
                sync_s=sync,
                step_s=time.perf_counter() - start,
            )


def summary(steps: Sequence[RehearsedStep], *, update_s: float) -> dict[str, Any]:
    """Means over the steps after the first ones, in which nothing is ahead yet."""
    counted_ = steps[min(2, len(steps) - 1) :]
    means = {
        name: statistics.fmean(getattr(each, name) for each in counted_)
        for name in ("step_s", "waited_s", "sampled_s", "sync_s", "staleness_mean")
    }
    tokens = sum(each.response_tokens for each in counted_)
    return {
        "update_s": update_s,
        **means,
        "staleness_max": max(each.staleness_max for each in steps),
        "response_tokens_s": tokens / sum(each.step_s for each in counted_),
        "steps": [asdict(each) for each in steps],
    }


def _weights_of(checkpoint: str, *, dtype: str) -> HostWeights:
    """All weights of a checkpoint as a policy sends them, a tied output layer included."""
    import torch
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=getattr(torch, dtype), use_safetensors=True)
    named = dict(model.named_parameters())
    if model.config.tie_word_embeddings:
        named["lm_head.weight"] = model.get_output_embeddings().weight
    return HostWeights.of(named.items())


def _load(sampler: Sampler, source: HostWeights, *, version: int) -> None:
    with sampler.updating():
        sampler.load_weights(dict.fromkeys(sampler.engines, source), version=version)


def _rehearsed(rollouts: Sequence[Rollout], *, version: int, **seconds: float) -> RehearsedStep:
    ages = Counter[int]()
    for row in rollouts:
        for drawn_by, count in row.versions.items():
            ages[version - (drawn_by or 0)] += count
    return RehearsedStep(
        step=version + 1,
        response_tokens=ages.total(),
        carried=sum(len(row.versions) > 1 for row in rollouts),
        staleness_mean=sum(age * count for age, count in ages.items()) / ages.total(),
        staleness_max=max(ages),
        **seconds,
    )
