"""The backend trl: TRL's GRPOTrainer and RLOOTrainer on one device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from orz_bench.installed.extras import how_to_install, missing
from orz_bench.records.run_dir import RunDir
from orz_rl.backends.backend import Availability, Capabilities, Finding, Job
from orz_rl.backends.trl.mapping import ESTIMATORS, Batches, findings, is_rloo
from orz_rl.config import TrainConfig
from orz_rl.training.progress import Observer, Outcome

_SUPPORTED = (1, 16)
"""The version whose methods are overridden."""
_CAPABILITIES = Capabilities(
    estimators=ESTIMATORS,
    devices=("cpu", "cuda"),
    resumes=True,
    evaluates=True,
    keeps_tokens=True,
    not_run="on a GPU",
)


@dataclass(frozen=True, slots=True)
class TrlBackend:
    """Rollouts, rewards, evaluation and files are those of the native backend; the updates are TRL's."""

    name: str = "trl"
    summary: str = "GRPO, Dr.GRPO and RLOO by TRL's trainers, in one process"
    capabilities: Capabilities = _CAPABILITIES

    def available(self) -> Availability:
        """Look for the libraries of the extra `trl`, and for the version that this backend knows."""
        absent = [module for module in missing("trl") if module != "tensorboardX"]
        if absent:
            return Availability(None, f"{', '.join(absent)}; run: {how_to_install('trl')}")
        found = metadata.version("trl")
        if tuple(found.split(".")[:2]) != tuple(map(str, _SUPPORTED)):
            wanted = ".".join(map(str, _SUPPORTED))
            return Availability(found, f"trl {wanted} (found {found}); run: {how_to_install('trl')}")
        return Availability(found)

    def check(self, config: TrainConfig) -> tuple[Finding, ...]:
        """See orz_rl.backends.trl.mapping."""
        return tuple(findings(config))

    def plan(self, config: TrainConfig) -> Mapping[str, str]:
        """The trainer, and how it splits a step."""
        batches, rollout = Batches.of(config), config.rollout
        return {
            "trainer": "RLOOTrainer" if is_rloo(config) else "GRPOTrainer",
            "engines": "1, in the trainer's process",
            "rollouts a step": f"{rollout.num_problems} x {rollout.num_samples}",
            "passes an update": f"{batches.per_update} x {batches.micro} rollouts",
            "updates a step": str(config.optim.policy_updates),
            "steps": str(config.num_steps),
        }

    def train(self, job: Job, observer: Observer) -> Outcome:
        """Check everything that the run needs, then train."""
        from orz_rl.backends.trl.run import train
        from orz_rl.training.identity import Maker, check_out
        from orz_rl.training.loop import run_training
        from orz_rl.training.preparation import prepare

        check_out(job.out, fresh=job.fresh)
        setup = prepare(job.config, out=job.out, data=job.data, notice=observer.notice, extra="trl")
        made_by = Maker(self.name, job.command)
        return run_training(setup, train, made_by=made_by, observer=observer, fresh=job.fresh)

    def export(self, run: RunDir, step: int, *, out: Path, model: Literal["policy", "critic"] = "policy") -> None:
        """Copy the checkpoint; its files are checked against the manifest."""
        from orz_rl.training.checkpoint import Checkpoints

        Checkpoints(run).export(step, out, model=model)


BACKEND = TrlBackend()
