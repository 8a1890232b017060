"""Fit a critic to the returns of stored rollouts, in one process on one device; no engine and no policy is opened.

The work is in DIR/fitting until the critic is whole: training states, and the progress, which is written after its
state. A killed process goes on from there, bit for bit.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orz_bench.environment import VERSION, has_gpu, set_library_defaults
from orz_bench.errors import ConfigError, RunDirError, counted
from orz_bench.records.locks import LOCK_NAME, holder, locked
from orz_bench.records.run_dir import RunDir, read_json, to_json, write_text
from orz_rl.assets.resolve import resolve_model
from orz_rl.config import TrainConfig
from orz_rl.curation.answers.tokens import vocabulary_difference
from orz_rl.fitting.learning import CriticLearner, orders, rates
from orz_rl.fitting.rollouts import Chosen, Divided, divided_rollouts, settings_of
from orz_rl.training.checkpoint import copy_tokenizer
from orz_rl.training.evaluation import base_digest
from orz_rl.training.learner import model_spec

SCHEMA_VERSION = 1
_WORK, _CARD, _PROGRESS, _CONFIG = "fitting", "fit.json", "progress.json", "config.json"
Notice = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class FitSettings:
    """How a critic is fitted. What is None is as in the run's own training."""

    chosen: Chosen = field(default_factory=Chosen)
    epochs: int = 1
    """Passes over the learned rollouts."""
    batch: int | None = None
    """Rollouts of one optimizer step; None: those of one critic update of the run."""
    lr: float | None = None
    seed: int = 0
    """Of the order, and of a new value head."""
    start: str | None = None
    """The checkpoint from which the critic starts; None: that of the run."""
    device: str = "auto"
    save_every: int = 50
    """Optimizer steps between two states on disk; does not change the result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FitReport:
    """A critic that was fitted."""

    path: Path
    num_learned: int
    num_held_out: int
    num_updates: int
    before: float | None
    """Explained variance of the held-out returns; None where they are all equal."""
    after: float | None
    is_new: bool
    """Whether this call has finished it."""


@dataclass(frozen=True, slots=True)
class _Job:
    """One fit: where, of what, and how."""

    out: Path
    rows: Divided
    config: TrainConfig
    policy: str
    start: str
    identity: Mapping[str, Any]
    """What decides the result."""

    @property
    def work(self) -> Path:
        """States and progress."""
        return self.out / _WORK


def fit_critic(path: Path, *, out: Path, settings: FitSettings, notice: Notice) -> FitReport:
    """Fit a critic on the rollouts of a run, or go on fitting it, and write it to `out`. Raises OrzError."""
    _check_out(out)
    job = _job(RunDir(path), out=out, settings=settings, notice=notice)
    with locked(out) as is_owner:
        if not is_owner:
            raise RunDirError(f"{out}: another process fits here{holder(out)}. Wait for it, or choose another --out.")
        _check_identity(job)
        if (out / _CARD).exists():  # the last file of a whole critic
            shutil.rmtree(job.work, ignore_errors=True)
            return _report(out, is_new=False)
        job.work.mkdir(exist_ok=True)
        write_text(job.work / _CARD, to_json({"schema_version": SCHEMA_VERSION, "fitted": dict(job.identity)}))
        learner = _opened(job)
        progress = _learn(job, learner, save_every=settings.save_every, notice=notice)
        _finish(job, learner, progress=progress)
    return _report(out, is_new=True)


def _job(run: RunDir, *, out: Path, settings: FitSettings, notice: Notice) -> _Job:
    config = _on_one_device(settings_of(run), settings)
    rows = divided_rollouts(run, settings.chosen, notice=notice)
    if config.kl_in_rewards:
        notice("the run has KL terms in its rewards (loss.kl_penalty), which these returns do not contain")
    policy = resolve_model(config.model.policy)
    start = _start(config, settings, policy=policy)
    batch = settings.batch or max(1, config.num_rollouts // config.optim.critic_updates)
    identity = {
        "run_id": str(run.info().get("run_id", "")),
        "rollouts": rows.digest,
        "from_step": settings.chosen.from_step,
        "to_step": settings.chosen.to_step,
        "held_out": settings.chosen.held_out,
        "epochs": settings.epochs,
        "batch": min(batch, len(rows.learned)),
        "lr": config.optim.critic_lr,
        "gamma": config.advantage.gamma,
        "seed": settings.seed,
        "start": base_digest(start),
        "device": config.cluster.device,
    }
    return _Job(out, rows, config, policy, start, identity)


def _on_one_device(config: TrainConfig, settings: FitSettings) -> TrainConfig:
    """The run's settings in one process. ConfigError for a device that is not there."""
    if settings.device == "cuda" and not has_gpu():
        raise ConfigError("--device cuda: this machine has no GPU; use --device cpu.")
    device = "cuda" if settings.device != "cpu" and has_gpu() else "cpu"
    stage = 0 if config.model.dtype == "float32" else 1
    cluster = {"device": device, "in_process": True, "critic_ranks": 1, "zero_stage": stage, "offload_optimizer": False}
    model = {"attention": config.model.attention if device == "cuda" else "packed_sdpa"}
    optim = {"critic_lr": config.optim.critic_lr if settings.lr is None else settings.lr}
    return config.model_copy(
        update={
            "cluster": config.cluster.model_copy(update=cluster),
            "model": config.model.model_copy(update=model),
            "optim": config.optim.model_copy(update=optim),
            "seed": settings.seed,
        }
    )


def _start(config: TrainConfig, settings: FitSettings, *, policy: str) -> str:
    """The checkpoint that the critic starts from. ConfigError if it does not read the policy's token ids."""
    name = settings.start or config.critic.source or config.model.critic
    if name is None:
        return policy
    start = resolve_model(name, setting="--start")
    difference = vocabulary_difference(policy, start)
    if difference is not None:
        raise ConfigError(
            f"--start {start} has another tokenizer than {policy}, the policy of the run: {difference} A critic reads "
            f"the policy's token ids; start from a checkpoint of the same tokenizer."
        )
    return start


def _check_out(out: Path) -> None:
    """Raise ConfigError for a place that holds something else."""
    if out.exists() and not out.is_dir():
        raise ConfigError(f"--out {out}: a file; choose a new folder.")
    names = {path.name for path in out.iterdir()} - {LOCK_NAME} if out.exists() else set()
    if names and not names & {_WORK, _CARD}:
        raise ConfigError(f"--out {out}: not empty, and not begun by orz-rl fit-critic; choose a new folder.")


def _check_identity(job: _Job) -> None:
    """Raise ConfigError if the folder was begun with other rollouts or options."""
    for path in filter(Path.exists, (job.work / _CARD, job.out / _CARD)):
        found = read_json(path).get("fitted", {})
        for name, value in job.identity.items():
            if found.get(name) != value:
                raise ConfigError(
                    f"--out {job.out}: was begun with another {name}: found {found.get(name)}, now {value}. Give the "
                    f"same run and options to go on, or choose a new folder."
                )


def _opened(job: _Job) -> CriticLearner:
    from orz_rl.workers.in_process import InProcessCluster

    set_library_defaults()
    group = InProcessCluster().open_model(model_spec("critic", job.start, config=job.config), 1)
    group.check_packs(max_tokens=job.config.max_sequence, share_prompts=job.config.cluster.share_prompts).results()
    return CriticLearner(group, job.config)


def _learn(job: _Job, learner: CriticLearner, *, save_every: int, notice: Notice) -> Mapping[str, Any]:
    """All optimizer steps that are missing; returns the progress at the end."""
    learned, held_out = job.rows.learned, job.rows.held_out
    steps = orders(len(learned), batch=job.identity["batch"], epochs=job.identity["epochs"], seed=job.identity["seed"])
    optim = job.config.optim
    lrs = rates(len(steps), lr=optim.critic_lr, warmup=optim.critic_warmup_updates)
    progress = _resumed(job, learner, notice=notice)
    if progress is None:
        progress = {"updates": 0, "before": learner.explained_variance(held_out)}
        notice(
            f"{counted(len(learned), 'rollout')} in {counted(len(steps), 'update')}; explained variance of "
            f"{counted(len(held_out), 'held-out rollout')} before: {shown(progress['before'])}"
        )
    for number in range(progress["updates"] + 1, len(steps) + 1):
        loss = learner.update([learned[member] for member in steps[number - 1]], lr=lrs[number - 1])
        if number % save_every and number < len(steps):
            continue
        progress = {**progress, "updates": number, "after": learner.explained_variance(held_out)}
        _save(job, learner, progress=progress)
        notice(f"update {number:,}/{len(steps):,}: loss {loss:.4f}, explained variance {shown(progress['after'])}")
    return progress


def _resumed(job: _Job, learner: CriticLearner, *, notice: Notice) -> dict[str, Any] | None:
    """The progress on disk, with its state loaded; None if there is none."""
    path = job.work / _PROGRESS
    progress = read_json(path) if path.exists() else None
    kept = None if progress is None else _state(job, progress)
    for folder in job.work.glob("state-*"):
        if folder != kept:
            shutil.rmtree(folder)
    if progress is not None and kept is not None:
        learner.group.load_state(kept).results()
        notice(f"going on after update {progress['updates']:,}")
    return progress


def _state(job: _Job, progress: Mapping[str, Any]) -> Path:
    return job.work / f"state-{progress['updates']:08d}"


def _save(job: _Job, learner: CriticLearner, *, progress: Mapping[str, Any]) -> None:
    """Write the state, then the progress that names it, then delete earlier states."""
    folder = _state(job, progress)
    folder.mkdir(exist_ok=True)
    learner.group.save_state(folder).results()
    write_text(job.work / _PROGRESS, to_json(dict(progress)))
    for other in job.work.glob("state-*"):
        if other != folder:
            shutil.rmtree(other)


def _finish(job: _Job, learner: CriticLearner, *, progress: Mapping[str, Any]) -> None:
    """Write the critic with its tokenizer; its config.json, without which it is no checkpoint, and the card last."""
    whole = job.work / "critic"
    shutil.rmtree(whole, ignore_errors=True)
    whole.mkdir()
    learner.group.save_model(whole).results()
    copy_tokenizer(job.policy, whole)
    for file in sorted(whole.iterdir(), key=lambda path: path.name == _CONFIG):
        file.replace(job.out / file.name)
    facts = {
        "schema_version": SCHEMA_VERSION,
        "orz": VERSION,
        "fitted": dict(job.identity),
        "policy": job.config.model.policy,
        "num_learned": len(job.rows.learned),
        "num_held_out": len(job.rows.held_out),
        "num_updates": progress["updates"],
        "explained_variance_before": progress["before"],
        "explained_variance_after": progress["after"],
    }
    write_text(job.out / _CARD, to_json(facts))
    shutil.rmtree(job.work)


def _report(out: Path, *, is_new: bool) -> FitReport:
    card = read_json(out / _CARD)
    return FitReport(
        path=out,
        num_learned=card["num_learned"],
        num_held_out=card["num_held_out"],
        num_updates=card["num_updates"],
        before=card["explained_variance_before"],
        after=card["explained_variance_after"],
        is_new=is_new,
    )


def shown(explained: float | None) -> str:
    """An explained variance as a text."""
    return "none, because all returns are equal" if explained is None else f"{explained:.3f}"
