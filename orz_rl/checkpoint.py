"""Checkpoints of a training run: Hugging Face weights, the whole training state, and a manifest that is written last.

A folder without a manifest is half-written and counts as absent. Deleting removes the manifest first.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from orz_bench.errors import RunDirError
from orz_bench.model_files.digest import checkpoint_digest
from orz_bench.records.run_dir import RunDir, read_json, step_folder, step_of, to_json, write_text
from orz_rl.learner import Learner

SCHEMA_VERSION = 1
_TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
    "chat_template.jinja",
    "chat_template.json",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a checkpoint is."""

    step: int
    policy_version: int
    cursor: int
    """Where the next step's problems start."""
    digest: str
    """Identity of the policy, under which evaluations of it are kept."""
    score: float
    """By which the best are kept: evaluation if there was one, else reward."""
    is_evaluated: bool
    policy_ranks: int
    critic_ranks: int
    policy_digest: str = ""
    """Of all bytes of the saved policy: an evaluation finds out whether somebody has changed them since."""
    schema_version: int = SCHEMA_VERSION


class Checkpoints:
    """Those of one run."""

    def __init__(self, run: RunDir) -> None:
        self._folder = run.path / "checkpoints"

    def path(self, step: int) -> Path:
        """Where the checkpoint of a step is, or will be."""
        return self._folder / step_folder(step)

    def complete(self) -> list[Manifest]:
        """All that have a manifest, by step."""
        return [self.manifest(path.parent) for path in sorted(self._folder.glob("step=*/manifest.json"))]

    def manifest(self, folder: Path) -> Manifest:
        """Raises RunDirError for one that is absent, broken or of a newer version."""
        path = folder / "manifest.json"
        if not path.exists():
            raise RunDirError(f"{folder}: no manifest.json, so this checkpoint was never finished; use another step.")
        content = read_json(path)
        if content.get("schema_version") != SCHEMA_VERSION:
            raise RunDirError(f"{path}: schema {content.get('schema_version')}, wanted {SCHEMA_VERSION}; upgrade orz.")
        try:
            return Manifest(**content)
        except TypeError as error:
            raise RunDirError(f"{path}: not a checkpoint's manifest ({error}); use another step.") from error

    def save(self, manifest: Manifest, learner: Learner, *, tokenizer_from: str) -> Path:
        """Write models, training state, then the manifest."""
        folder = self.path(manifest.step)
        self.delete(manifest.step)
        folder.mkdir(parents=True)
        for name, group in learner.groups.items():
            for method, target in (("save_model", folder / name), ("save_state", folder / "state" / name)):
                target.mkdir(parents=True)
                group.start(method, [target] * group.num_ranks).results()
        copy_tokenizer(tokenizer_from, folder / "policy")
        whole = replace(manifest, policy_digest=checkpoint_digest(folder / "policy"))
        write_text(folder / "manifest.json", to_json(asdict(whole)))
        return folder

    def load(self, manifest: Manifest, learner: Learner) -> None:
        """Take up the training state. Raises RunDirError where it was saved by another number of ranks."""
        folder = self.path(manifest.step) / "state"
        for name, group in learner.groups.items():
            saved = {"policy": manifest.policy_ranks, "critic": manifest.critic_ranks}[name]
            if saved != group.num_ranks:
                raise RunDirError(
                    f"{folder}: the {name} was saved by {saved} ranks, but this run has {group.num_ranks}; go on with "
                    f"cluster.{name}_ranks={saved}, or start a new run from {folder.parent / name}."
                )
            group.start("load_state", [folder / name] * group.num_ranks).results()

    def prune(self, *, keep_last: int, keep_best: int) -> list[int]:
        """Delete what is neither among the last nor among the best; returns the steps that went."""
        complete = self.complete()
        by_score = sorted(complete, key=lambda m: (m.is_evaluated, m.score, m.step), reverse=True)
        kept = {m.step for m in complete[-keep_last:]} | {m.step for m in by_score[:keep_best]}
        gone = [m.step for m in complete if m.step not in kept]
        for step in gone:
            self.delete(step)
        return gone

    def delete(self, step: int) -> None:
        """Remove a checkpoint, its manifest first."""
        (self.path(step) / "manifest.json").unlink(missing_ok=True)
        shutil.rmtree(self.path(step), ignore_errors=True)

    def delete_unfinished(self) -> None:
        """Remove what a killed process left half-written."""
        for folder in self._folder.glob("step=*"):
            step = step_of(folder)
            if step is not None and not (folder / "manifest.json").exists():
                self.delete(step)

    def find(self, step: int) -> Manifest:
        """The checkpoint of a step. Raises RunDirError that names those there are."""
        complete = {m.step: m for m in self.complete()}
        if step not in complete:
            has = ", ".join(map(str, complete)) or "none"
            raise RunDirError(f"{self._folder}: no finished checkpoint of step {step}; there are: {has}.")
        return complete[step]

    def export(self, step: int, target: Path) -> None:
        """Copy the policy of a step as an ordinary Hugging Face checkpoint. Raises RunDirError for a folder in use."""
        self.find(step)
        if target.exists() and any(target.iterdir()):
            raise RunDirError(f"{target}: not empty; name a new folder with --to.")
        shutil.copytree(self.path(step) / "policy", target, dirs_exist_ok=True)


def copy_tokenizer(source: str, target: Path) -> None:
    """Put the base model's tokenizer files beside the weights: bytes from a folder, else as transformers saves them."""
    files = [Path(source) / name for name in _TOKENIZER_FILES if (Path(source) / name).is_file()]
    for file in files:
        shutil.copyfile(file, target / file.name)
    if not files:
        from transformers import AutoTokenizer

        AutoTokenizer.from_pretrained(source).save_pretrained(target)


def rewind_metrics(run: RunDir, step: int) -> list[dict[str, Any]]:
    """Drop the rows of metrics.jsonl after `step`, which will be written again; returns those that stay."""
    rows, _ = run.metrics()
    kept = [row for row in rows if row["step"] <= step]
    if run.metrics_path.exists():
        write_text(run.metrics_path, "".join(json.dumps(row) + "\n" for row in kept))
    return kept
