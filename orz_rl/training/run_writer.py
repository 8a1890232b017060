"""What a run writes around its steps, whoever trains them: metrics, warnings, evaluations, checkpoints.

A trainer hands in the report of a step; everything else follows from it and from the configuration.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Protocol

import torch

from orz_bench.errors import RunDirError, counted
from orz_bench.grading.grader import Grader
from orz_bench.records.arrays import entropies
from orz_bench.records.run_dir import RunDir
from orz_rl.ppo.advantages import row_blocks
from orz_rl.rollout.reward_process import Reward
from orz_rl.training.checkpoint import Checkpoints, Manifest, Saveable
from orz_rl.training.evaluation import base_digest
from orz_rl.training.health import warnings
from orz_rl.training.health_hook import start_hook
from orz_rl.training.preparation import Setup
from orz_rl.training.progress import Observer
from orz_rl.training.reducer import Reducer
from orz_rl.training.step_metrics import Row, metrics_row
from orz_rl.training.stopwatch import Stopwatch
from orz_rl.training.trackers import Trackers
from orz_rl.training.trainer import StepReport
from orz_rl.workers.cluster import Sampler


class Trained(Protocol):
    """The models and engines that a run trains, and the position that it has reached."""

    policy_version: int
    cursor: int
    beyond: tuple[int, ...]
    """Problems after the cursor that steps already had."""

    @property
    def sampler(self) -> Sampler:
        """The engines, which hold the policy's weights."""
        ...

    @property
    def learner(self) -> Saveable:
        """The models."""
        ...

    def models_on_device(self) -> AbstractContextManager[None]:
        """A context for saving between steps."""
        ...


@dataclass(frozen=True, slots=True)
class Recorders:
    """What reads and rewards the policy's answers, and who else gets the metrics."""

    grader: Grader
    trackers: Trackers
    reward: Reward


class RunWriter:
    """The work around the steps, once models and engines are running."""

    def __init__(self, setup: Setup, observer: Observer, *, trained: Trained, recorders: Recorders) -> None:
        self._setup, self._observer, self._trained = setup, observer, trained
        self._grader, self._trackers = recorders.grader, recorders.trackers
        events = setup.run.events("warning")
        self._reducer = Reducer(setup.run, setup.config.rollouts.retention, notice=observer.warn)
        self._warned = {str(event["sign"]) for event in events if event.get("sign")}

    def record(self, report: StepReport) -> Row:
        """Complete the step's rollout file, write its metrics."""
        run = self._setup.run
        clock = Stopwatch()
        with clock.phase("write"):
            _write_advantages(report, run, has_entropies=self._setup.config.rollouts.entropies)
            row = metrics_row(report, self._setup.config)
        row |= {f"time/{name}": seconds for name, seconds in clock.seconds.items()}
        if report.cpu_seconds:
            row |= {f"cpu/{name}": seconds for name, seconds in clock.cpu_seconds.items()}
        run.append_metrics(row)
        if report.step == self._setup.config.critic.warmup_steps:
            run.add_event("critic_warmed_up", step=report.step, explained_variance=row.get("critic/explained_variance"))
            self._observer.notice(f"the critic has learned alone for {counted(report.step, 'step')}")
        self._trackers.write(row)
        self._observer.stepped(row, self._setup.config.num_steps)
        return row

    def conclude(self, rows: Sequence[Row]) -> None:
        """What is due after the last of these steps: warnings, an evaluation, a checkpoint."""
        config, number = self._setup.config, int(rows[-1]["step"])
        self.warn([each for each in rows if "policy/entropy" in each])  # a restored row lacks it
        is_last = number == config.num_steps
        score = self.evaluate(number) if is_last or number % config.eval.every == 0 else None
        if is_last or number % config.checkpoint.every == 0:
            last = rows[-1]
            self.save(
                number, score=score, otherwise=last["reward/mean"] if "reward/mean" in last else -last["policy/loss"]
            )

    def warn(self, rows: Sequence[Row]) -> None:
        """Report each health warning once."""
        for name, text in warnings(rows, self._warned):
            self._warned.add(name)
            self._setup.run.add_event("warning", step=rows[-1]["step"], sign=name, text=text)
            self._observer.warn(text)
            self._start_hook(name, text, step=int(rows[-1]["step"]))
        self._stop_for(rows)

    def _start_hook(self, sign: str, text: str, *, step: int) -> None:
        command, run = self._setup.config.health.hook, self._setup.run
        if command is not None:
            start_hook(command, {"sign": sign, "text": text, "step": step, "run": str(run.path.resolve())}, run=run)

    def _stop_for(self, rows: Sequence[Row]) -> None:
        """Stop also for a sign that was reported before: resuming alone does not bypass it."""
        stop = self._setup.config.health.stop
        for name, text in warnings(rows, set()) if stop else ():
            if name in stop:
                raise RunDirError(
                    f"step {int(rows[-1]['step'])}: stopped by the sign {name} (health.stop): {text}. The last "
                    f"checkpoint is complete; to resume from it, run the same command with another health.stop."
                )

    def evaluate(self, step: int) -> float | None:
        """Mean avg@n over the benchmarks, of the policy in the engines; None without benchmarks."""
        results = self._setup.evaluator.evaluate(
            step,
            digest=self._digest(step),
            engine=self._trained.sampler,
            grader=self._grader,
            notice=self._observer.notice,
        )
        self._trackers.write_results(results)
        return fmean(result.summary.avg_at_n for result in results) if results else None

    def save(self, step: int, *, score: float | None, otherwise: float) -> None:
        """Write a checkpoint, then remove those that are no longer kept. `otherwise`: its score if there is none."""
        config, run = self._setup.config, self._setup.run
        manifest = Manifest(
            step=step,
            policy_version=self._trained.policy_version,
            cursor=self._trained.cursor,
            beyond=self._trained.beyond,
            digest=self._digest(step),
            score=otherwise if score is None else score,
            is_evaluated=score is not None,
            policy_ranks=config.cluster.policy_ranks,
            critic_ranks=config.cluster.critic_ranks,
        )
        checkpoints = Checkpoints(run)
        with self._trained.models_on_device():
            checkpoints.save(manifest, self._trained.learner, tokenizer_from=self._setup.policy)
        removed = checkpoints.prune(keep_last=config.checkpoint.keep_last, keep_best=config.checkpoint.keep_best)
        run.add_event("checkpoint", step=step, removed=removed)
        self._reducer.reduce(step)

    def _digest(self, step: int) -> str:
        """Identity of the policy after a step: evaluations of it, in training and later, belong together."""
        run = self._setup.run
        return base_digest(self._setup.policy) if step == 0 else f"{run.info()['run_id']}:{step}"


def _write_advantages(report: StepReport, run: RunDir, *, has_entropies: bool) -> None:
    """Add to the step's rows, in their order, the mean advantage per token, the value of the prompt, and the entropy at
    each token.
    """
    batch, values_BT = report.batch, report.scores.values_BT
    sums = [(rows * mask).sum(dim=1) for mask, rows in row_blocks(batch.mask_BT, report.estimate.advantages_BT)]
    means = (torch.cat(sums) / batch.mask_BT.sum(dim=1)).tolist()
    values = [None] * len(means) if values_BT is None else values_BT[:, 0].tolist()
    entropies_BT = report.updates.entropy_BT
    learned = {
        id(row): {
            "advantage": mean,
            "value": value,
            "entropies": None
            if entropies_BT is None or not has_entropies
            else entropies(entropies_BT[place, : row.num_tokens].numpy()),
        }
        for place, (row, mean, value) in enumerate(zip(batch.rollouts, means, values, strict=True))
    }
    unlearned = {"advantage": None, "value": None, "entropies": None}  # reward.truncated=mask
    rows = [replace(row, **learned.get(id(row), unlearned)) for row in report.collection.rollouts]
    folder = run.rollouts(report.step)
    folder.path.mkdir(parents=True, exist_ok=True)  # it is there, unless the rollouts were given
    folder.replace([*rows, *report.collection.set_aside])
