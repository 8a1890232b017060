"""Checkpoints of a training run: Hugging Face weights, the whole training state, and a manifest that is written last.

A folder without a manifest is incomplete and counts as absent. Deletion removes the manifest first. The manifest
records size and SHA-256 of every file, so a truncated or changed file is found before it is loaded or exported.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from orz_bench.errors import RunDirError, counted
from orz_bench.models.digest import checkpoint_digest
from orz_bench.records.run_dir import RunDir, read_json, step_folder, step_of, to_json, write_text
from orz_rl.training.file_digests import FileRecord, faults_of, records_of
from orz_rl.training.learner import Learner
from orz_rl.workers.cluster import Pending

SCHEMA_VERSION = 2
"""2 added the list of files; 1 can still be read."""
_COPIED_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
    "chat_template.jinja",
    "chat_template.json",
    "generation_config.json",
)


class SavedModel(Protocol):
    """A model that can be written to disk."""

    def save_model(self, folder: Path) -> Pending[None]:
        """Write a Hugging Face checkpoint."""
        ...

    def save_state(self, folder: Path) -> Pending[None]:
        """Write the whole training state."""
        ...


class Saveable(Protocol):
    """The models of a run, whoever trains them."""

    @property
    def groups(self) -> Mapping[str, SavedModel]:
        """By name: policy, critic."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The description of a checkpoint."""

    step: int
    policy_version: int
    cursor: int
    """Position in the stream of problems where the next step starts."""
    beyond: tuple[int, ...] = ()
    """With rollout.partial: positions after the cursor that the steps so far had. Not written where there are none."""
    digest: str
    """Identity of the policy, under which its evaluations are stored."""
    score: float
    """What ranks checkpoints for keep_best: the evaluation if there was one, else the reward, else minus the loss."""
    is_evaluated: bool
    policy_ranks: int
    critic_ranks: int
    policy_digest: str = ""
    """Digest of all bytes of the saved policy, with which an evaluation detects later changes."""
    files: Mapping[str, FileRecord] | None = None
    """By path in the checkpoint's folder; None in manifests of version 1."""
    schema_version: int = SCHEMA_VERSION

    def facts(self) -> dict[str, Any]:
        """As it is written."""
        return {name: value for name, value in asdict(self).items() if name != "beyond" or value}

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """Read a manifest. Raises RunDirError if it is broken or of a newer version."""
        content = read_json(path)
        version = content.get("schema_version")
        if not isinstance(version, int) or not 1 <= version <= SCHEMA_VERSION:
            raise RunDirError(f"{path}: schema version {version}, wanted at most {SCHEMA_VERSION}; upgrade orz.")
        try:
            listed = content.pop("files", None)
            files = None if listed is None else {name: FileRecord(**record) for name, record in listed.items()}
            beyond = tuple(content.pop("beyond", ()))
            return cls(**content, files=files, beyond=beyond)
        except (AttributeError, TypeError) as error:
            raise RunDirError(f"{path}: not the manifest of a checkpoint ({error}); use another step.") from error


class Checkpoints:
    """The checkpoints of one run."""

    def __init__(self, run: RunDir) -> None:
        self._folder = run.path / "checkpoints"

    def path(self, step: int) -> Path:
        """Where the checkpoint of a step is, or will be."""
        return self._folder / step_folder(step)

    def complete(self) -> list[Manifest]:
        """All complete checkpoints, by step. One with an unreadable manifest does not count: see newest()."""
        manifests = []
        for path in self._manifest_paths():
            try:
                manifests.append(Manifest.read(path))
            except RunDirError:
                continue
        return manifests

    def newest(self, *, notice: Callable[[str], None]) -> Manifest | None:
        """The last checkpoint, from which a run resumes. RunDirError if it is broken; older ones are only reported."""
        newest = None
        for path in self._manifest_paths():
            try:
                newest = Manifest.read(path)
            except RunDirError as error:
                if path == self._manifest_paths()[-1]:
                    raise RunDirError(
                        f"{error} It is the last checkpoint: move {path.parent} away to resume from the previous one."
                    ) from error
                notice(f"{error} This older checkpoint is ignored.")
        return newest

    def save(self, manifest: Manifest, learner: Saveable, *, tokenizer_from: str) -> Path:
        """Write models, training state, then the manifest with the sizes and digests of all files."""
        folder = self.path(manifest.step)
        self.delete(manifest.step)
        folder.mkdir(parents=True)
        for name, group in learner.groups.items():
            for save, target in ((group.save_model, folder / name), (group.save_state, folder / "state" / name)):
                target.mkdir(parents=True)
                save(target).results()
            copy_tokenizer(tokenizer_from, folder / name)
        whole = replace(manifest, policy_digest=checkpoint_digest(folder / "policy"))
        facts = whole.facts() | {"files": {name: asdict(record) for name, record in records_of(folder).items()}}
        write_text(folder / "manifest.json", to_json(facts))
        return folder

    def load(self, manifest: Manifest, learner: Learner) -> None:
        """Load the training state, after check_files(). Raises RunDirError if another number of ranks saved it."""
        folder = self.path(manifest.step) / "state"
        for name, group in learner.groups.items():
            saved = {"policy": manifest.policy_ranks, "critic": manifest.critic_ranks}[name]
            if saved != group.num_ranks:
                raise RunDirError(
                    f"{folder}: the {name} was saved by {counted(saved, 'rank')}, but this run has {group.num_ranks}; "
                    f"resume with cluster.{name}_ranks={saved}, or start a new run from {folder.parent / name}."
                )
            group.load_state(folder / name).results()

    def prune(self, *, keep_last: int, keep_best: int) -> list[int]:
        """Delete checkpoints that are neither among the last nor among the best; returns their steps."""
        complete = self.complete()
        by_score = sorted(complete, key=lambda m: (m.is_evaluated, m.score, m.step), reverse=True)
        kept = {m.step for m in complete[-keep_last:]} | {m.step for m in by_score[:keep_best]}
        removed = [m.step for m in complete if m.step not in kept]
        for step in removed:
            self.delete(step)
        return removed

    def check_files(self, manifest: Manifest, part: str) -> None:
        """Raise RunDirError if a file under this part of the folder is missing, truncated or changed."""
        folder = self.path(manifest.step)
        remedy = f"Restore it, or move {folder} away to use an earlier checkpoint."
        if not any(path.is_file() for path in (folder / part).rglob("*")):
            raise RunDirError(f"{folder / part}: missing or empty. {remedy}")
        wanted = {name: record for name, record in (manifest.files or {}).items() if name.startswith(f"{part}/")}
        faults = faults_of(folder, wanted)
        if faults:
            raise RunDirError(f"{folder}: {'; '.join(faults[:5])}. {remedy}")

    def delete(self, step: int) -> None:
        """Remove a checkpoint, its manifest first."""
        folder = self.path(step)
        try:
            (folder / "manifest.json").unlink(missing_ok=True)
            if folder.exists():
                shutil.rmtree(folder)
        except OSError as error:
            raise RunDirError(
                f"{error.filename or folder}: cannot be deleted ({error.strerror}); make it writable, or delete "
                f"{folder} yourself."
            ) from error

    def delete_unfinished(self) -> None:
        """Delete checkpoints that a killed process left incomplete."""
        for folder in self._folder.glob("step=*"):
            step = step_of(folder)
            if step is not None and not (folder / "manifest.json").exists():
                self.delete(step)

    def find(self, step: int) -> Manifest:
        """The checkpoint of a step. Raises RunDirError, listing the existing ones, if there is none."""
        path = self.path(step) / "manifest.json"
        if not path.exists():
            has = ", ".join(str(m.step) for m in self.complete()) or "none"
            raise RunDirError(f"{self._folder}: no complete checkpoint of step {step}; available steps: {has}.")
        return Manifest.read(path)

    def export(self, step: int, target: Path, *, model: str = "policy") -> None:
        """Copy the policy (or the critic) of a step as a Hugging Face checkpoint, completely or not at all.

        Raises RunDirError for a target in use, a model that the run does not have, and files changed since saving.
        """
        manifest = self.find(step)
        source = self.path(step) / model
        if not source.is_dir():
            raise RunDirError(
                f"{source}: does not exist; a run without a critic (advantage.estimator) saves only a policy."
            )
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise RunDirError(f"{target}: not empty; choose a new folder with --to.")
        self.check_files(manifest, model)
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_name(f".{target.name}.unfinished")
        try:
            if unfinished.exists():
                shutil.rmtree(unfinished)
            shutil.copytree(source, unfinished)
            unfinished.replace(target)
        except OSError as error:
            reason = error.strerror or "some of its files no longer exist"  # shutil.Error lists them
            raise RunDirError(
                f"{target}: {source} could not be copied ({reason}). Free some space, or export a checkpoint that "
                f"training does not delete meanwhile (checkpoint.keep_last)."
            ) from error

    def _manifest_paths(self) -> Sequence[Path]:
        found = [path for path in self._folder.glob("step=*/manifest.json") if step_of(path.parent) is not None]
        return sorted(found, key=lambda path: step_of(path.parent) or 0)


def copy_tokenizer(source: str, target: Path) -> None:
    """Add the base model's tokenizer and generation config to the weights: the same bytes from a folder, else as
    transformers saves them. The generation config is copied because transformers refuses to write some that it reads.
    """
    files = [Path(source) / name for name in _COPIED_FILES if (Path(source) / name).is_file()]
    for file in files:
        shutil.copyfile(file, target / file.name)
    if not files:
        from transformers import AutoTokenizer

        AutoTokenizer.from_pretrained(source).save_pretrained(target)
