"""Find the checkpoints that a name means, refuse what is none or half-written, and identify each.

A checkpoint is a Hugging Face folder, a LoRA adapter, a hub id, a training run (all its checkpoints), or a model on a
server.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orz_bench.errors import ConfigError
from orz_bench.models.adapter import is_adapter, read_adapter
from orz_bench.models.digest import checkpoint_digest
from orz_bench.models.hub import fetch_model
from orz_bench.models.inspection import inspect_checkpoint
from orz_bench.models.json_file import read_object
from orz_bench.models.steps import step_in_path
from orz_bench.models.weights import INDEX, SINGLE
from orz_bench.records.origin import origin_at
from orz_bench.records.run_dir import RunDir


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelIdentity:
    """Which model samples are of, wherever its files are."""

    label: str
    """For people and reports."""
    step: int
    digest: str
    """Digest of configuration, tokenizer, templates and all weights; results of different ones are never mixed."""
    origin: str = ""
    """How its weights were made, where they were made here: which adapter was merged into which base."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """One model to evaluate, and where an engine finds it."""

    path: str
    """Path for the engine: a local folder, or a name on a server."""
    model: ModelIdentity


def find_checkpoints(
    name: str, *, engine: str, step: int | None, reads_files: bool = True, revision: str | None = None
) -> list[Checkpoint]:
    """The checkpoints that `--ckpt name` means, by step: one, or all of a training run (or the one of `step`).

    `revision`: of a hub id. Raises ConfigError if the path is not a checkpoint or is half-written.
    """
    path = Path(name)
    if revision is not None:
        return [_in_folder(fetch_model(name, revision=revision), label=f"{name}@{revision}", step=step)]
    if (path / "run.json").exists():
        return _checkpoints_of_run(RunDir(path), engine=engine, step=step)
    if not reads_files and not (path / "config.json").exists():
        model = ModelIdentity(label=name, step=step or 0, digest=f"{engine}:{name}")
        return [Checkpoint(path=name, model=model)]
    if path.exists():
        return [_in_folder(path, label=path.resolve().name, step=step)]
    return [_in_folder(fetch_model(name), label=name, step=step)]


def _in_folder(folder: Path, *, label: str, step: int | None) -> Checkpoint:
    known_step = (step_in_path(folder) if step is None else step) or 0
    if is_adapter(folder):
        if any((folder / file).is_file() for file in (INDEX, SINGLE)):
            raise ConfigError(
                f"{folder}: holds a whole model and an adapter (adapter_config.json); engines differ in which of them "
                f"they open. Move one of them into another folder."
            )
        return _merged(folder, label=label, step=known_step)
    inspect_checkpoint(folder)
    return Checkpoint(
        path=str(folder), model=ModelIdentity(label=label, step=known_step, digest=checkpoint_digest(folder))
    )


def _merged(folder: Path, *, label: str, step: int) -> Checkpoint:
    """The model that an adapter and its base make, merged into a folder of the user's cache."""
    adapter = read_adapter(folder)
    base = Path(adapter.base) if Path(adapter.base).exists() else fetch_model(adapter.base, of=folder)
    if is_adapter(base):
        raise ConfigError(f"{folder}: its base {base} is an adapter too; merge that one first and name the result.")
    inspect_checkpoint(base)
    from orz_bench.models.merge import merge_adapter

    merged = merge_adapter(adapter, base=base)
    inspect_checkpoint(merged.folder)
    model = ModelIdentity(label=label, step=step, digest=merged.digest, origin=merged.origin)
    return Checkpoint(path=str(merged.folder), model=model)


def _checkpoints_of_run(run: RunDir, *, engine: str, step: int | None) -> list[Checkpoint]:
    run.info()
    saved = run.checkpoints()
    if not saved:
        raise ConfigError(f"{run.path}: a run without checkpoints; evaluate it after its first save.")
    if step is not None:
        steps = [at for at, _ in saved]
        saved = [(at, folder) for at, folder in saved if at == step]
        if not saved:
            raise ConfigError(f"{run.path}: no checkpoint of step {step}; there are {', '.join(map(str, steps))}.")
    checkpoints = []
    for at, folder in saved:
        if engine != "fake":
            inspect_checkpoint(folder)
        digest = f"fake:{at}" if engine == "fake" else _digest_in_run(folder)
        path = "fake" if engine == "fake" else str(folder)
        model = ModelIdentity(label=run.path.resolve().name + origin_at(run).suffix, step=at, digest=digest)
        checkpoints.append(Checkpoint(path=path, model=model))
    return checkpoints


def _digest_in_run(policy: Path) -> str:
    """The identity that training gave it, under which its own evaluations are kept; else that of the files."""
    manifest = policy.parent / "manifest.json"
    found = checkpoint_digest(policy)
    if not manifest.exists():
        return found
    content = read_object(manifest)
    saved = content.get("policy_digest")
    if saved and saved != found:
        raise ConfigError(
            f"{policy}: not what training saved there (digest {found}, wanted {saved}): a file was changed since. Copy "
            f"it out of the run and evaluate the copy, or restore it."
        )
    return str(content.get("digest") or found)
