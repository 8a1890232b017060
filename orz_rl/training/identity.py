"""The identity of a training run: its settings and prompts. A run is resumed only if both are unchanged.

Everything but check_out() runs while the run's lock is held, so it never reads or deletes what another process writes.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import shutil
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml
from pydantic import ValidationError

from orz_bench.environment import VERSION, describe_environment
from orz_bench.errors import ConfigError, RunDirError
from orz_bench.records.locks import LOCK_NAME
from orz_bench.records.regular import read_text
from orz_bench.records.run_dir import RunDir, read_json, to_json, write_text
from orz_rl.config import TrainConfig
from orz_rl.recipes.registry import as_yaml, differences, leaves
from orz_rl.rollout.problems import Prompts
from orz_rl.settings.history import BEFORE, SETTINGS_VERSION
from orz_rl.settings.older import settings_of_today

_MAY_CHANGE = ("checkpoint.", "rollouts.", "health.", "logging.", "eval.every")
"""Settings that may change when a run is resumed: they affect no sample and no weight."""
_OF_OTHER_KIND = {
    "distill.teacher": "another model",
    "critic.from": "another model",
    "rollout.replay": "another run",
}
"""What a setting names that is not code."""
_PROMPTS = "prompts.json"
_PARTS = "parts.json"
_HEADER = re.compile(r"# settings of version (\d+)")
_REMEDY = "Restore it, choose another --out, or use --fresh to start over there."


def check_out(out: Path, *, fresh: bool) -> None:
    """Raise OrzError for a folder that contains something other than a training run. Writes nothing."""
    run = RunDir(out)
    try:
        str(out).encode()
    except UnicodeEncodeError as error:
        raise ConfigError(
            f"--out {str(out)!a}: not valid UTF-8, so weights cannot be saved there; choose another --out."
        ) from error
    if run.exists():
        kind = run.info()["kind"]
        if kind != "train":
            raise RunDirError(f"{out}: contains a run of kind {kind}, not a training run; choose another --out.")
    elif fresh and out.exists() and any(path.name != LOCK_NAME for path in out.iterdir()):
        raise ConfigError(f"{out}: not a training run, so --fresh does not delete it; choose another --out.")


def start_over(run: RunDir) -> None:
    """Delete everything but the lock. If killed half-way, the folder is still a training run, and cannot be resumed."""
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
            f"{error.filename or run.path}: cannot be deleted ({error.strerror}), so the run was not started over. "
            f"Delete {run.path} yourself, or choose another --out."
        ) from error


@dataclass(frozen=True, slots=True)
class Maker:
    """Who trains a run."""

    backend: str
    command: Sequence[str]
    """Starts and resumes it."""
    lineage: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """What run.json says of the run that it was made from (orz_bench.records.origin)."""


def open_run(
    run: RunDir,
    config: TrainConfig,
    *,
    prompts: Prompts,
    made_by: Maker,
    parts: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
    notice: Callable[[str], None],
) -> None:
    """Create the run, or check that the existing one has these settings, prompts and code of other people (`parts`).

    RunDirError names what differs.
    """
    identity = _identity_of(prompts)
    if run.exists():
        _check_settings(run, config, notice=notice)
        _check_prompts(run, identity)
        _check_parts(run, parts)
    run.create(
        kind="train",
        command=made_by.command,
        seed=config.seed,
        environment=describe_environment()
        | {"backend": made_by.backend, "run_id": uuid.uuid4().hex}
        | dict(made_by.lineage),
    )
    run.write_config(f"# settings of version {SETTINGS_VERSION}, orz {VERSION}\n{as_yaml(config)}")
    write_text(run.path / _PROMPTS, to_json(identity))
    if parts:
        write_text(run.path / _PARTS, to_json({"schema_version": 1, "parts": {k: dict(v) for k, v in parts.items()}}))


def _check_settings(run: RunDir, config: TrainConfig, *, notice: Callable[[str], None]) -> None:
    found = saved_settings(run)
    if found is None:
        return
    wanted = yaml.safe_load(as_yaml(config))
    known = dict(leaves())
    lines = []
    for line in differences(found.tree, wanted):
        key = line.split(":", 1)[0]
        if key not in known:
            notice(f"{run.config_path}: {line.split(', wanted')[0]}, a setting that no longer exists; it is ignored")
        elif not _may_change(key, config, found=found.tree):
            lines.append(line)
    if lines:
        shown = "\n".join(f"  {line}" for line in lines)
        raise RunDirError(
            f"{run.path}: this run has another configuration:\n{shown}\n"
            f"Use the same settings to resume it, another --out to keep both, or --fresh to start over there."
        )
    for key, value in found.added.items():
        notice(f"{run.config_path}: older than the setting {key}; this run keeps {value}")


class SavedSettings:
    """The settings of a config.yaml, completed by the values that applied when it was written."""

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

    def config(self) -> TrainConfig:
        """As a configuration, without settings that no longer exist. ConfigError for a value that cannot be."""
        kept: dict[str, Any] = {}
        for key, _ in leaves():
            *sections, last = key.split(".")
            found, at = self.tree, kept
            for section in sections:
                found, at = found.get(section, {}), at.setdefault(section, {})
            if last in found:
                at[last] = found[last]
        try:
            return TrainConfig.model_validate(kept)
        except ValidationError as error:
            fault = error.errors()[0]
            where = ".".join(map(str, fault["loc"]))
            raise ConfigError(f"{where} is {fault['input']!r}: {fault['msg']}; correct config.yaml.") from error


def saved_settings(run: RunDir, *, remedy: str = _REMEDY) -> SavedSettings | None:
    """None for a run that was killed before it had written its settings or anything else. RunDirError with `remedy`
    for settings that cannot be read.
    """
    path = run.config_path
    if not path.exists():
        if run.metrics_path.exists() or (run.path / "rollouts").exists() or (run.path / "checkpoints").exists():
            raise RunDirError(f"{path}: missing, so its settings are unknown. {remedy}")
        return None
    try:
        text = read_text(path)
        tree = yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise RunDirError(f"{path}: not readable ({reason[:200]}). {remedy}") from error
    sections = {key.partition(".")[0] for key, _ in leaves() if "." in key}
    is_tree = isinstance(tree, dict) and all(isinstance(tree.get(name, {}), dict) for name in sections)
    if not is_tree or "num_steps" not in tree:  # the last line that is written
        raise RunDirError(f"{path}: empty or truncated, wanted the settings of a whole run. {remedy}")
    header = _HEADER.match(text)
    return SavedSettings(settings_of_today(tree), file_version=int(header.group(1)) if header else 1)


def _may_change(key: str, config: TrainConfig, *, found: Mapping[str, Any]) -> bool:
    if key == "num_steps":
        return config.optim.final_lr is None
    if key == "rollout.replay":  # a run that was moved is still the same: parts.json has its identity
        return None not in (found["rollout"]["replay"], config.rollout.replay)
    return key.startswith(_MAY_CHANGE)


def _check_parts(run: RunDir, wanted: Mapping[str, Mapping[str, str]]) -> None:
    """Raise RunDirError if code of other people that the run uses, or its teacher, is not what it was."""
    path = run.path / _PARTS
    found = read_json(path).get("parts", {}) if path.exists() else {}
    for setting in (*wanted, *found):
        before, now = found.get(setting), wanted.get(setting)
        if path.exists() and before != (now and dict(now)):
            what = _OF_OTHER_KIND.get(setting, "other code")
            raise RunDirError(
                f"{run.path}: {setting} is {what} than when this run was started: found {_code(before)}, now "
                f"{_code(now)}. Rollouts of two are never mixed: restore it, choose another --out to keep both, or use "
                f"--fresh to start over there."
            )


def require_same(parts: Mapping[str, Mapping[str, str]], setting: str, *, now: Mapping[str, str]) -> None:
    """Raise RunDirError if code was changed between the check of a run and its start."""
    checked = parts.get(setting, now)
    if dict(checked) != dict(now):
        raise RunDirError(
            f"{setting} was changed while the run was starting: checked {_code(checked)}, now {_code(now)}. Run the "
            f"same command again."
        )


def _code(part: Mapping[str, str] | None) -> str:
    if part is None:
        return "none"
    return ", ".join(f"{name} {value[:12] if name == 'sha256' else value}" for name, value in part.items())


def _identity_of(prompts: Prompts) -> dict[str, Any]:
    digest = hashlib.sha256()
    for prompt in prompts.prompts:
        problem = prompt.problem
        facts = [problem.problem_id, problem.question, problem.gold, prompt.text, list(prompt.token_ids)]
        digest.update(json.dumps(facts).encode() + b"\n")
    digest.update(prompts.answers.encode())
    return {
        "schema_version": 1,
        "num_prompts": len(prompts.prompts),
        "digest": digest.hexdigest(),
        "sources": dict(prompts.sources),
    }


def _check_prompts(run: RunDir, wanted: Mapping[str, Any]) -> None:
    """A run of a version without this file passes; its rows are checked one by one when they are read."""
    path = run.path / _PROMPTS
    if not path.exists():
        return
    found = read_json(path)
    if found.get("digest") == wanted["digest"]:
        return
    raise RunDirError(
        f"{run.path}: this run has other prompts: found {found.get('num_prompts')} with digest "
        f"{str(found.get('digest'))[:12]}, wanted {wanted['num_prompts']} with digest {wanted['digest'][:12]}; "
        f"{_what_changed(found.get('sources'), wanted['sources'])}. Samples of different prompts are never mixed: "
        f"restore it, choose another --out to keep both, or use --fresh to start over there."
    )


def _what_changed(found: Any, wanted: Mapping[str, str]) -> str:
    before = found if isinstance(found, dict) else {}
    changed = [name for name, digest in wanted.items() if before.get(name) != digest]
    if changed:
        return f"{', '.join(changed)} changed after the start of the run"
    return "the data are unchanged, so the tokenizer or the template changed"
