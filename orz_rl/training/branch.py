"""The start of a branch: the parent's checkpoint and its metrics up to there, copied into the new run.

The manifest is copied last, so a killed copy counts as absent and is made again; from then on the parent may be moved,
changed or deleted.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orz_bench.errors import RunDirError, counted
from orz_bench.records.origin import Source
from orz_bench.records.parquet import disk_error
from orz_bench.records.run_dir import RunDir, read_json, write_text
from orz_rl.curation.answers.stored import FOLDER as ANSWERS
from orz_rl.curation.answers.stored import Demonstrations
from orz_rl.training.checkpoint import Checkpoints, Manifest
from orz_rl.training.metrics_file import metrics_until
from orz_rl.training.progress import Observer

_MANIFEST = "manifest.json"
_CHOOSES_ANSWERS = (
    "data.template",
    "data.max_prompt_tokens",
    "eval.benchmarks",
    "rollout.max_model_len",
    "rollout.max_tokens",
    "rollout.stop",
    "seed",
)
"""Settings that decide, beside those that a branch cannot change, which answers of distill.source are learned."""


def runs_with_answers(run: RunDir, *, lineage: Mapping[str, Any], fresh: bool) -> list[Path]:
    """The runs whose stored answers this one learns, if they have some: itself, and its parent where those hold.

    So a branch needs the source of its parent's answers no more.
    """
    parent = Source.from_json(lineage.get("parent"))
    own = [] if fresh else [run.path]
    return own if parent is None or parent.changed.keys() & set(_CHOOSES_ANSWERS) else [*own, Path(parent.run)]


def start_from_parent(
    run: RunDir, *, lineage: Mapping[str, Any], answers: Demonstrations | None, observer: Observer
) -> None:
    """Give a branch its start, if it has none yet; called with its lock. `lineage` says where the parent is now.

    RunDirError if the parent is gone before that, or its checkpoint is damaged; nothing of it then counts.
    """
    source = Source.from_json(run.info().get("parent"))
    if source is None or any(each.step >= source.step for each in Checkpoints(run).complete()):
        return
    now = Source.from_json(lineage.get("parent")) or source
    parent = RunDir(Path(now.run))
    if not parent.exists():
        raise RunDirError(
            f"{run.path}: starts from step {source.step} of {now.run}, which is not there (any more), and was stopped "
            f"before it had copied that. Restore it, or delete {run.path}."
        )
    observer.notice(f"starting from step {source.step} of {parent.path}")
    manifest = Checkpoints(parent).find(source.step)
    _require_same_answers(parent, answers)
    run.write_metrics(metrics_until(parent, source.step, notice=observer.warn))
    _copy(Checkpoints(parent).path(source.step), Checkpoints(run), manifest=manifest)
    run.add_event("branched", parent=str(parent.path.resolve()), step=source.step)


def _copy(source: Path, checkpoints: Checkpoints, *, manifest: Manifest) -> None:
    """Copy a checkpoint and check every file of the copy against the manifest, which is written last."""
    target = checkpoints.path(manifest.step)
    checkpoints.delete(manifest.step)
    try:
        shutil.copytree(source, target, ignore=shutil.ignore_patterns(_MANIFEST))
        checkpoints.check_files(manifest, "state/policy")
        for part in sorted({name.partition("/")[0] for name in manifest.files or {}}):
            checkpoints.check_files(manifest, part)
        write_text(target / _MANIFEST, (source / _MANIFEST).read_text(encoding="utf-8"))
    except RunDirError as error:
        checkpoints.delete(manifest.step)
        reason = str(error).replace(f"{target}", f"{source}").partition(" Restore it, or move ")[0]
        has = [each.step for each in _others(source)]
        raise RunDirError(
            f"{reason} A branch cannot start from a damaged checkpoint: restore it, or branch from another step "
            f"({', '.join(map(str, has)) or 'the run has no other one'})."
        ) from error
    except shutil.Error as error:
        checkpoints.delete(manifest.step)
        raise RunDirError(
            f"{source}: {counted(len(error.args[0]), 'file')} could not be copied ({error.args[0][0][2]}); the run may "
            f"have deleted this checkpoint meanwhile (checkpoint.keep_last). Branch from another step."
        ) from error
    except OSError as error:
        checkpoints.delete(manifest.step)
        raise disk_error(target, error) from error


def _others(source: Path) -> list[Manifest]:
    complete = Checkpoints(RunDir(source.parent.parent)).complete()
    return [each for each in complete if Checkpoints(RunDir(source.parent.parent)).path(each.step) != source]


def _require_same_answers(parent: RunDir, answers: Demonstrations | None) -> None:
    """Raise RunDirError if a branch of a run that learns stored answers would learn others."""
    path = parent.path / ANSWERS / "card.json"
    if answers is None or not path.exists() or read_json(path).get("digest") == answers.digest:
        return
    raise RunDirError(
        f"{path.parent}: the answers that distill.source gives now are not those that this run learns, so its order of "
        f"answers cannot be continued; restore the source."
    )
