"""The native backend: the Ray and DeepSpeed core of orz_rl.training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal, get_args

from orz_bench.environment import VERSION
from orz_bench.installed.extras import how_to_install, missing
from orz_bench.records.run_dir import RunDir
from orz_rl.backends.backend import Availability, Capabilities, Finding, Job
from orz_rl.config import TrainConfig
from orz_rl.names import Estimator
from orz_rl.training.progress import Observer, Outcome

_CAPABILITIES = Capabilities(
    estimators=get_args(Estimator), devices=("cpu", "cuda"), resumes=True, evaluates=True, keeps_tokens=True
)


@dataclass(frozen=True, slots=True)
class NativeBackend:
    """Every setting is its own, so it never has a finding: orz_rl.recipes.faults has refused what cannot work."""

    name: str = "native"
    summary: str = "PPO and its critic-free variants on DeepSpeed and Ray, by orz_rl itself"
    capabilities: Capabilities = _CAPABILITIES

    def available(self) -> Availability:
        """Look for the libraries of the extra `train`; TensorBoard's writer is needed only where it is on."""
        absent = [module for module in missing("train") if module != "tensorboardX"]
        if absent:
            return Availability(VERSION, f"{', '.join(absent)}; run: {how_to_install('train')}")
        return Availability(f"{VERSION} with deepspeed {metadata.version('deepspeed')}, ray {metadata.version('ray')}")

    def check(self, config: TrainConfig) -> tuple[Finding, ...]:
        """No finding."""
        del config
        return ()

    def plan(self, config: TrainConfig) -> Mapping[str, str]:
        """Processes and their work; `orz-rl plan` adds memory and times."""
        rollout, cluster = config.rollout, config.cluster
        ranks = {"policy": cluster.policy_ranks} | ({"critic": cluster.critic_ranks} if config.has_critic else {})
        return {
            "ranks": ", ".join(f"{role} {count}" for role, count in ranks.items()),
            "engines": str(rollout.num_engines),
            "rollouts a step": f"{rollout.num_problems} x {rollout.num_samples}",
            "steps": str(config.num_steps),
        }

    def train(self, job: Job, observer: Observer) -> Outcome:
        """Check everything that the run needs, then train; see orz_rl.training.loop.train."""
        from orz_rl.training.branch import runs_with_answers
        from orz_rl.training.identity import Maker, check_out
        from orz_rl.training.loop import train
        from orz_rl.training.preparation import prepare

        check_out(job.out, fresh=job.fresh)
        answers_in = runs_with_answers(RunDir(job.out), lineage=job.lineage, fresh=job.fresh)
        setup = prepare(job.config, out=job.out, data=job.data, notice=observer.notice, answers_in=answers_in)
        made_by = Maker(self.name, job.command, job.lineage)
        return train(setup, made_by=made_by, observer=observer, fresh=job.fresh)

    def export(self, run: RunDir, step: int, *, out: Path, model: Literal["policy", "critic"] = "policy") -> None:
        """Copy the checkpoint; its files are checked against the manifest."""
        from orz_rl.training.checkpoint import Checkpoints

        Checkpoints(run).export(step, out, model=model)


BACKEND = NativeBackend()
