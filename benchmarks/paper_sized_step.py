"""CPU seconds of the controller in a step of the paper's size: 128 problems x 64 samples, 2,466 tokens on average.

No models: an engine hands over made-up completions and waits while they are graded and written, models answer at once
(_paper_step.py). critical: what GPUs wait for, that is everything after the last completion was handed over, and the
main thread before it; beside: grading, writing and counting while engines sample. Every stage on one thread.

Then the step is reduced as an old one under some retentions (rollouts.keep), and its packs are compared with those of
`cluster.share_prompts=false`. `--only parts` keeps these two under `parts` of the record, also of fewer problems; its
other figures stay.

`--as before` keeps a measurement as the state to compare with. TRL's own assembly of the same batch (padded tensors of
ids, masks and log-probabilities, shuffled and split) is measured in the same run, and verl's with `--verl FOLDER`, a
folder with its libraries (_other_assemblies.py).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from functools import partial, wraps
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import pyarrow as pa
import torch
from _other_assemblies import trl_assembly, verl_assembly
from _paper_step import MEAN_TOKENS, FakeCluster, FakeSampler, Source
from _record import HERE, keep

from orz_bench.grading.grader import Grader
from orz_bench.records.keep_rules import Retention
from orz_bench.records.retention import reduce_step
from orz_bench.records.run_dir import RolloutsDir, RunDir
from orz_rl.config import TrainConfig
from orz_rl.ppo.batch import Batch, split
from orz_rl.recipes.registry import resolve
from orz_rl.rollout.ahead import Ahead
from orz_rl.rollout.collector import Collector
from orz_rl.training import run_writer, trainer
from orz_rl.training.devices import SideBySide
from orz_rl.training.learner import Learner
from orz_rl.training.trainer import StepReport, Trainer

SAMPLES = 64
_VERL_WORKERS = 8
"""Its default number of processes that sample and pad. Their whole batch takes it minutes, so one share is measured."""

_NOTHING = "last:1"
"""Of a step that is older."""
RETENTIONS = {
    "all": Retention.of("all", texts=None, tokens=None, logprobs=None),
    "without log-probabilities": Retention.of("all", texts=None, tokens=None, logprobs=_NOTHING),
    "texts alone": Retention.of(_NOTHING, texts="all", tokens=None, logprobs=None),
    "sampled:0.1": Retention.of("sampled:0.1", texts=None, tokens=None, logprobs=None),
    "none": Retention.of(_NOTHING, texts=None, tokens=None, logprobs=None),
}


class Stages:
    """CPU seconds of the process in named functions, those of inner ones not counted twice."""

    def __init__(self) -> None:
        self.cpu_s: dict[str, float] = {}
        self._inner = [0.0]

    def watch(self, holder: Any, function: str, name: str) -> None:
        setattr(holder, function, self.timed(getattr(holder, function), name))

    def timed(self, original: Callable[..., Any], name: str) -> Callable[..., Any]:
        @wraps(original)
        def call(*args: Any, **kwargs: Any) -> Any:
            start = time.process_time()
            self._inner.append(0.0)
            try:
                return original(*args, **kwargs)
            finally:
                spent = time.process_time() - start
                self.cpu_s[name] = self.cpu_s.get(name, 0.0) + spent - self._inner.pop()
                self._inner[-1] += spent

        return call


def config_of(num_problems: int) -> TrainConfig:
    return resolve("orz_7b", overrides=["cluster.device=cpu", f"rollout.num_problems={num_problems}", "data.limit=999"])


def measured(num_problems: int, folder: Path) -> dict[str, Any]:
    torch.set_num_threads(1)
    pa.set_cpu_count(1)
    stages = Stages()
    _watch(stages)
    config, source = config_of(num_problems), Source()
    run = RunDir(folder)
    run.create(kind="train", command=[], seed=0, environment={})
    sampler = FakeSampler(source, config.num_rollouts)
    cluster: Any = FakeCluster()
    prompts = source.prompts(num_problems)
    with closing(Grader(extractor=config.reward.extractor)) as grader:
        collector = Collector(config, run=run, engine=sampler, grader=grader, prompts=prompts)
        learner = Learner(config, cluster, policy="fake", critic="fake")
        collect = partial(collector.collect, on_committed=lambda _: None)
        ahead = Ahead(collect, max_staleness=0, num_steps=1)
        step = Trainer(config, ahead=ahead, learner=learner, sampler=sampler, devices=SideBySide())
        start, own = time.process_time(), time.thread_time()
        report = step.step(1)
        recorded = _record(report, run, config)
    after = time.process_time()
    while_sampling = sampler.done_at[1] - own - sampler.cpu_s
    stages.cpu_s["while engines sample, main thread"] = while_sampling
    messages = [model.messages for model in cluster.models]
    critical = after - sampler.done_at[0] + while_sampling
    tail = critical - sum(value for name, value in stages.cpu_s.items() if name != "sample")
    stages.cpu_s["after the last completion: writing, reading back"] = tail
    del stages.cpu_s["sample"]
    return {
        "rollouts": len(report.batch.rollouts),
        "tokens": sum(report.batch.sequence_lengths),
        "critical_cpu_s": round(critical, 2),
        "by_stage_cpu_s": {name: round(value, 2) for name, value in stages.cpu_s.items()},
        "of_which_serialising_cpu_s": round(sum(each["cpu_s"] for each in messages), 2),
        "message_bytes": sum(each["bytes"] for each in messages),
        "beside_cpu_s": round(sampler.done_at[0] - start - while_sampling - sampler.cpu_s, 2),
        "peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
        "bytes_a_step": _num_bytes(run.rollouts(1).path),
        "bytes_a_step_under": _retained(run.rollouts(1).path, folder / "reduced"),
        "packs": _packs(report.batch, config),
        "metrics": {name: round(recorded[name], 4) for name in ("response/length_mean", "response/repetition")},
    }


def _num_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.parquet"))


def _retained(step: Path, copy: Path) -> dict[str, int]:
    """Bytes of the step as an old one, by retention."""
    found = {}
    for name, retention in RETENTIONS.items():
        shutil.copytree(step, copy)
        if not retention.keeps_all:
            reduce_step(RolloutsDir(copy), retention, step=1)
        found[name] = _num_bytes(copy)
        shutil.rmtree(copy)
    return found


def _packs(batch: Batch, config: TrainConfig) -> dict[str, Any]:
    """Packs and their tokens in the updates of a step, with shared prompts and without."""
    found: dict[str, Any] = {}
    capacity = config.cluster.pack_tokens
    for model, updates in (("policy", config.optim.policy_updates), ("critic", config.optim.critic_updates)):
        parts = split(len(batch.rollouts), updates, generator=torch.Generator().manual_seed(0))
        for shares_prompts in (True, False):
            start = time.process_time()
            of = batch if shares_prompts else Batch.of(batch.rollouts, share_prompts=False)
            shares = [share for part in parts for share in of.shares(part, capacity=capacity, num_ranks=1)]
            spent = time.process_time() - start
            packs = [members for share in shares for members in share]
            tokens = sum(map(of.num_tokens, packs))
            found[f"{model}, {updates} updates, prompts {'shared' if shares_prompts else 'repeated'}"] = {
                "packs": len(packs),
                "tokens": tokens,
                "efficiency": round(tokens / (capacity * len(packs)), 4),
                "cpu_s": round(spent, 2),
            }
    return found


def _watch(stages: Stages) -> None:
    stages.watch(Collector, "collect", "sample")
    stages.watch(trainer.Batch, "of", "batch")
    stages.watch(trainer, "estimate", "advantages")
    stages.watch(Learner, "score", "scores of models: packs out, values back")
    stages.watch(Learner, "update", "updates: packs out, outputs back")
    stages.watch(run_writer, "_write_advantages", "rows with advantages written")
    stages.watch(run_writer, "metrics_row", "metrics")


def _record(report: StepReport, run: RunDir, config: TrainConfig) -> dict[str, float]:
    run_writer._write_advantages(report, run, has_entropies=config.rollouts.entropies)
    return run_writer.metrics_row(report, config)


def assembly(result: dict[str, Any]) -> float:
    """The stages of ours that do the same and more: the batch, and packs of the policy and of all critic updates."""
    stages = result["by_stage_cpu_s"]
    return float(stages["batch"] + sum(value for name, value in stages.items() if "packs out" in name))


def others(num_rollouts: int, verl: Path | None) -> dict[str, Any]:
    """The assemblies of other trainers, each in a process of its own."""
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as pool:
        trl = pool.submit(trl_assembly, num_rollouts, samples=SAMPLES).result()
        found: dict[str, Any] = {"trl_cpu_s": round(trl, 2)}
        if verl is None:
            return found | {"verl": "not run"}
        share = num_rollouts // _VERL_WORKERS
        capacity = config_of(num_rollouts // SAMPLES).cluster.pack_tokens
        parts = pool.submit(verl_assembly, share, samples=SAMPLES, capacity=capacity, libraries=verl).result()
    of_share = {f"verl_{part}_cpu_s": round(value, 2) for part, value in parts.items()}
    return found | {"verl_of_an_eighth": {"rollouts": share, **of_share}}


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--problems", type=int, default=128)
    options.add_argument("--as", dest="kept_as", choices=("before", "now"), default="now")
    options.add_argument("--verl", type=Path)
    options.add_argument("--only", choices=("parts",))
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        found = measured(given.problems, Path(name))
    kept = HERE / "results" / "paper_sized_step.json"
    if given.only:
        parts = {name: found[name] for name in ("rollouts", "bytes_a_step_under", "packs")}
        keep("paper_sized_step", {**json.loads(kept.read_text("utf-8")), "parts": parts})
        return
    found["batch_assembly"] = {"ours_cpu_s": round(assembly(found), 2)} | others(given.problems * SAMPLES, given.verl)
    before = json.loads(kept.read_text("utf-8")).get("before") if kept.exists() else None
    whole = {"before": found} if given.kept_as == "before" else {**found, "before": before}
    keep("paper_sized_step", {"problems": given.problems, "samples": SAMPLES, "mean_tokens": MEAN_TOKENS, **whole})


if __name__ == "__main__":
    main()
