"""What a training run is: its settings and its prompts. A command goes on with a run only where both are the same.

Everything here runs while the run's lock is held, so that it never looks at, or deletes, what another process writes.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import uuid
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import yaml

from orz_bench.environment import describe_environment
from orz_bench.errors import ConfigError, RunDirError
from orz_bench.records.locks import LOCK_NAME
from orz_bench.records.run_dir import RunDir, read_json, to_json, write_text
from orz_rl.config import TrainConfig
from orz_rl.recipes.registry import as_yaml, differences, leaves
from orz_rl.rollout.problems import Prompts
from orz_rl.settings.history import BEFORE, SETTINGS_VERSION
from orz_rl.settings.older import settings_of_today

_MAY_CHANGE = ("checkpoint.", "health.", "logging.", "eval.every")
"""Settings that may differ when a run goes on: they move no sample and no weight."""
_PROMPTS = "prompts.json"
_HEADER = re.compile(r"# settings of version (\d+)")
_REMEDY = "Restore it, give another --out, or --fresh to start over there."


def check_out(out: Path, *, fresh: bool) -> None:
    """Refuse a folder that holds something else than a training run, before anything is written into it."""
    run = RunDir(out)
    try:
        str(out).encode()
    except UnicodeEncodeError as error:
        raise ConfigError(f"--out {str(out)!a}: not a name in UTF-8; weights cannot be saved there.") from error
    if run.exists():
        kind = run.info()["kind"]
        if kind != "train":
            raise RunDirError(f"{out}: holds a run of {kind}, not of training; choose another --out.")
    elif fresh and out.exists() and any(path.name != LOCK_NAME for path in out.iterdir()):
        raise ConfigError(f"--fresh would delete {out}, which is not a training run; choose another --out.")


def start_over(run: RunDir) -> None:
    """Delete everything but the lock. What is killed half-way is a training run still, and cannot be gone on with."""
    first, last = run.config_path, run.run_path
    others = [path for path in run.path.iterdir() if path.name != LOCK_NAME and path not in (first, last)]
    try:
        for path in [first, *sorted(others), last]:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    except OSError as error:
        raise RunDirError(
            f"{error.filename or run.path}: cannot be deleted ({error.strerror}); what is left there was not started "
            f"over. Delete {run.path} yourself, or choose another --out."
        ) from error


def open_run(
    run: RunDir, config: TrainConfig, *, prompts: Prompts, command: Sequence[str], notify: Callable[[str], None]
) -> None:
    """Create the run, or check that the existing one has these settings and prompts. RunDirError names what differs."""
    identity = _identity_of(prompts)
    if run.exists():
        _check_settings(run, config, notify=notify)
        _check_prompts(run, identity)
    run.create(
        kind="train",
        command=command,
        seed=config.seed,
        environment=describe_environment() | {"run_id": uuid.uuid4().hex},
    )
    run.write_config(f"# settings of version {SETTINGS_VERSION}, orz {_orz_version()}\n{as_yaml(config)}")
    write_text(run.path / _PROMPTS, to_json(identity))


def _check_settings(run: RunDir, config: TrainConfig, *, notify: Callable[[str], None]) -> None:
    found = _found_settings(run)
    if found is None:
        return
    wanted = yaml.safe_load(as_yaml(config))
    known = dict(leaves())
    lines = []
    for line in differences(found.tree, wanted):
        key = line.split(":", 1)[0]
        if key not in known:
            notify(f"{run.config_path}: {line.split(', wanted')[0]}, a setting that is no more; it is left out")
        elif not _may_change(key, config):
            lines.append(line)
    if lines:
        shown = "\n".join(f"  {line}" for line in lines)
        raise RunDirError(
            f"{run.path}: a run of another configuration:\n{shown}\n"
            f"Give the same settings to go on, another --out to keep both, or --fresh to start over there."
        )
    for key, value in found.added.items():
        notify(f"{run.config_path}: written before there was {key}; that run goes on with {value}")


class _Found:
    """The settings of a config.yaml, those that it was written without as they were then."""

    def __init__(self, tree: dict[str, Any], *, file_version: int) -> None:
        self.tree = tree
        self.added: dict[str, Any] = {}
        for key, field in leaves():
            *sections, last = key.split(".")
            at = tree
            for section in sections:
                at = at.setdefault(section, {})
            if last in at or field.is_required():
                continue
            since, before = BEFORE.get(key, (0, None))
            value = before if file_version < since else field.get_default(call_default_factory=True)
            at[last] = self.added[key] = list(value) if isinstance(value, tuple) else value


def _found_settings(run: RunDir) -> _Found | None:
    """None for a run that was killed before it wrote its settings, and so before it did anything."""
    path = run.config_path
    if not path.exists():
        if run.metrics_path.exists() or (run.path / "rollouts").exists() or (run.path / "checkpoints").exists():
            raise RunDirError(f"{path}: gone, so nobody can tell whether this is the same run. {_REMEDY}")
        return None
    try:
        text = path.read_text(encoding="utf-8")
        tree = yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise RunDirError(f"{path}: not readable ({reason[:200]}). {_REMEDY}") from error
    sections = {key.partition(".")[0] for key, _ in leaves() if "." in key}
    is_tree = isinstance(tree, dict) and all(isinstance(tree.get(name, {}), dict) for name in sections)
    if not is_tree or "num_steps" not in tree:  # the last line that is written
        raise RunDirError(f"{path}: empty or cut off, wanted the settings of a whole run. {_REMEDY}")
    header = _HEADER.match(text)
    return _Found(settings_of_today(tree), file_version=int(header.group(1)) if header else 1)


def _may_change(key: str, config: TrainConfig) -> bool:
    if key == "num_steps":
        return config.optim.final_lr is None
    return key.startswith(_MAY_CHANGE)


def _identity_of(prompts: Prompts) -> dict[str, Any]:
    digest = hashlib.sha256()
    for prompt in prompts.prompts:
        problem = prompt.problem
        facts = [problem.problem_id, problem.question, problem.gold, prompt.text, list(prompt.token_ids)]
        digest.update(json.dumps(facts).encode() + b"\n")
    return {
        "schema_version": 1,
        "num_prompts": len(prompts.prompts),
        "digest": digest.hexdigest(),
        "sources": dict(prompts.sources),
    }


def _check_prompts(run: RunDir, wanted: Mapping[str, Any]) -> None:
    """A run of a version that kept no digest is let through; its rows are checked one by one when they are read."""
    path = run.path / _PROMPTS
    if not path.exists():
        return
    found = read_json(path)
    if found.get("digest") == wanted["digest"]:
        return
    raise RunDirError(
        f"{run.path}: a run of other prompts: found {found.get('num_prompts')} of digest "
        f"{str(found.get('digest'))[:12]}, wanted {wanted['num_prompts']} of {wanted['digest'][:12]}; "
        f"{_what_changed(found.get('sources'), wanted['sources'])}. Samples of other prompts are never mixed: restore "
        f"it, give another --out to keep both, or --fresh to start over there."
    )


def _what_changed(found: Any, wanted: Mapping[str, str]) -> str:
    before = found if isinstance(found, dict) else {}
    changed = [name for name, digest in wanted.items() if before.get(name) != digest]
    if changed:
        return f"{', '.join(changed)} changed since the run was started"
    return "the data are the same, so the tokenizer or the template changed"


def _orz_version() -> str:
    try:
        return version("orz")
    except PackageNotFoundError:
        return "unknown"
