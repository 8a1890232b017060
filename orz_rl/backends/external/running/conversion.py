"""Checkpoints of another trainer in the Hugging Face format, by its own tools."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import yaml

from orz_bench.errors import RunDirError
from orz_bench.models.digest import checkpoint_digest
from orz_bench.records.run_dir import RunDir, step_folder, to_json, write_text
from orz_rl.assets.resolve import resolve_model
from orz_rl.backends.external.mapping.table import Target
from orz_rl.backends.external.running.interpreter import interpreter
from orz_rl.backends.external.running.trainer import Trainer
from orz_rl.config import TrainConfig
from orz_rl.training.checkpoint import Checkpoints, Manifest, copy_tokenizer
from orz_rl.training.file_digests import records_of
from orz_rl.training.metrics_file import Row


def export(trainer: Trainer, target: Target, *, step: int, model: str, out: Path) -> None:
    """Write a checkpoint of the trainer to a new folder, completely or not at all. Raises RunDirError."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RunDirError(f"{out}: not empty; choose a new folder.")
    unfinished = out.with_name(f".{out.name}.unfinished")
    if unfinished.exists():
        shutil.rmtree(unfinished)
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    python = interpreter(trainer.requirement)
    command = trainer.convert(target, step, model=model, out=unfinished, python=python)
    log = target.folder / f"export-{step}-{model}.log"
    with log.open("wb") as output:
        done = subprocess.run(list(command), stdout=output, stderr=subprocess.STDOUT, check=False)
    if done.returncode or not any(unfinished.glob("*.safetensors")):
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-10:]
        shown = "".join(f"\n  {line}" for line in lines)
        raise RunDirError(
            f"{trainer.name} could not convert the {model} of step {step} (code {done.returncode}); it last wrote "
            f"({log}):{shown}"
        )
    if not (unfinished / "config.json").exists():  # a tool that puts only the weights together
        shutil.copyfile(Path(target.policy) / "config.json", unfinished / "config.json")
    copy_tokenizer(target.policy, unfinished)
    unfinished.replace(out)


def keep_last(
    trainer: Trainer, target: Target, *, run: RunDir, rows: Sequence[Row], notice: Callable[[str], None]
) -> None:
    """Put the last checkpoint among those of the run, where evaluations and analysis look for it."""
    step = trainer.last_checkpoint(target)
    folder = Checkpoints(run).path(step)
    if not step or (folder / "manifest.json").exists():
        return
    Checkpoints(run).delete(step)
    folder.mkdir(parents=True)
    export(trainer, target, step=step, model="policy", out=folder / "policy")
    row = next((row for row in rows if row["step"] == step), {})
    manifest = Manifest(
        step=step,
        policy_version=step,
        cursor=step * target.config.rollout.num_problems,
        digest=f"{run.info()['run_id']}:{step}",
        score=float(row.get("reward/mean", 0.0)),
        is_evaluated=False,
        policy_ranks=target.config.cluster.policy_ranks,
        critic_ranks=target.config.cluster.critic_ranks,
        policy_digest=checkpoint_digest(folder / "policy"),
    )
    files = {name: asdict(record) for name, record in records_of(folder).items()}
    write_text(folder / "manifest.json", to_json(manifest.facts() | {"files": files}))
    run.add_event("checkpoint", step=step, removed=[])
    notice(f"checkpoint of step {step}: checkpoints/{step_folder(step)}/policy")


def export_from(trainer: Trainer, run: RunDir, *, step: int, model: str, out: Path) -> None:
    """Copy a checkpoint that was converted before, or convert one. Raises RunDirError."""
    converted = Checkpoints(run).path(step)
    if (converted / "manifest.json").exists() and (converted / model).is_dir():
        Checkpoints(run).export(step, out, model=model)
        return
    config = TrainConfig.model_validate(yaml.safe_load(run.config_path.read_text(encoding="utf-8")))
    policy = resolve_model(config.model.policy)
    target = Target(config=config, policy=policy, critic=policy, folder=run.path.resolve() / trainer.name)
    export(trainer, target, step=step, model=model, out=out)
