"""A backend around a trainer of another project: its table and its program behind the protocol."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from orz_bench.records.run_dir import RunDir
from orz_rl.backends.backend import Availability, Capabilities, Finding, Job
from orz_rl.backends.external.mapping.shares import nodes, num_gpus
from orz_rl.backends.external.mapping.table import Row, Target, findings
from orz_rl.backends.external.running.interpreter import availability, interpreter
from orz_rl.backends.external.running.trainer import Trainer
from orz_rl.config import TrainConfig
from orz_rl.training.progress import Observer, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalBackend:
    """The same for all of them."""

    trainer: Trainer
    table: Sequence[Row]
    summary: str
    not_run: str
    """What of it nobody has run yet."""

    @property
    def name(self) -> str:
        """That of the trainer."""
        return self.trainer.name

    @property
    def capabilities(self) -> Capabilities:
        """Those of PPO on GPUs, with our prompts and our grading."""
        return Capabilities(
            estimators=("gae", "grpo", "dr_grpo", "rloo", "reinforce_pp"),
            devices=("cuda",),
            resumes=True,
            evaluates=False,
            keeps_tokens=True,
            not_run=self.not_run,
        )

    def available(self) -> Availability:
        """Ask its interpreter for the packages; look for a GPU."""
        return availability(self.trainer.requirement)

    def check(self, config: TrainConfig) -> tuple[Finding, ...]:
        """As its table says."""
        return tuple(findings(self.table, config))

    def plan(self, config: TrainConfig) -> Mapping[str, str]:
        """Its command and its GPUs."""
        target = Target(config=config, policy=config.model.policy, critic="", folder=Path("RUN") / self.name)
        num_nodes, per_node = nodes(num_gpus(config))
        return {
            "command": shlex.join(self.trainer.command(target, interpreter(self.trainer.requirement))),
            "GPUs": f"{num_nodes} x {per_node}",
            "rollouts a step": f"{config.rollout.num_problems} x {config.rollout.num_samples}",
            "steps": str(config.num_steps),
        }

    def train(self, job: Job, observer: Observer) -> Outcome:
        """Run its program and our service beside it; see running.life."""
        from orz_rl.backends.external.running.life import train

        return train(self.trainer, job, observer=observer)

    def export(self, run: RunDir, step: int, *, out: Path, model: Literal["policy", "critic"] = "policy") -> None:
        """Copy what was converted already; otherwise convert a checkpoint of the trainer with its own tool."""
        from orz_rl.backends.external.running.conversion import export_from

        export_from(self.trainer, run, step=step, model=model, out=out)
