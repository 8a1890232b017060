"""Runs made from another run: its settings with changes, from one of its checkpoints, or on its stored rollouts.

What is read here becomes part of the new run (settings, run.json, a copy of the checkpoint), which then needs its
parent no more; only a replay reads the rollouts of the run that it learns as long as it trains.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from orz_bench.errors import ConfigError, RunDirError
from orz_bench.records.origin import Source, origin_of
from orz_bench.records.run_dir import RunDir
from orz_rl.config import TrainConfig
from orz_rl.recipes.registry import as_yaml, changed
from orz_rl.rollout.replay import last_step
from orz_rl.training.checkpoint import Checkpoints, Manifest
from orz_rl.training.file_digests import wrong_sizes
from orz_rl.training.identity import saved_settings

_NOT_OF_UPDATES = (
    "checkpoint.",
    "rollouts.",
    "health.",
    "logging.",
    "eval.",
    "cluster.",
    "num_steps",
    "rollout.replay",
)
"""Settings on which no update depends, but for rounding."""
_RESTORE = "Restore it, or name another run."
_STATE = "the state of the optimiser was saved so"
_WEIGHTS = "the weights and the tokenizer are those of the checkpoint"
_FIXED: Mapping[str, str] = MappingProxyType(
    {
        "model.policy": _WEIGHTS,
        "model.critic": _WEIGHTS,
        "model.value_head_init": _WEIGHTS,
        "critic.from": _WEIGHTS,
        "model.dtype": _STATE,
        "cluster.device": _STATE,
        "cluster.zero_stage": _STATE,
        "cluster.policy_ranks": _STATE,
        "cluster.critic_ranks": _STATE,
        "cluster.offload_optimizer": _STATE,
        "distill.source": "the place in the order of its answers",
        "rollout.partial": "the place in the order of its problems",
    }
)
"""Settings that a checkpoint fixes, and why."""
_OF_CRITIC = ("model.critic", "critic.from", "model.value_head_init", "cluster.critic_ranks")
"""Of these, what a branch without a critic may leave out."""
_FIXED_IF_PARTIAL = ("rollout.num_problems", "rollout.max_staleness", "rollout.window")
_SAMPLED = ("rollout.", "data.", "reward.extractor", "distill.source")
"""Settings of what was sampled, which a replay finds done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The runs that a command names."""

    branch: str | None = None
    """RUN@STEP, whose checkpoint is the start."""
    replay: Path | None = None
    """The run whose rollouts are learned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """The runs that a new run is made from; they may be gone when it is resumed."""

    parent: Source | None = None
    replays: Source | None = None

    def facts(self) -> dict[str, Any]:
        """For run.json."""
        named = {"parent": self.parent, "replays": self.replays}
        return {name: source.to_json() for name, source in named.items() if source is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """The settings of a run that is made from another one, and what to say of them."""

    config: TrainConfig
    lineage: Lineage
    notices: tuple[str, ...] = ()


def derive(
    asked: Asked, *, out: RunDir, variants: Sequence[str] = (), overrides: Sequence[str] = (), fresh: bool = False
) -> Derived:
    """The settings of the run `out`: those of the named run with changes, or its own where it has been started.

    ConfigError or RunDirError for a run, a step or a change that cannot be.
    """
    _require_another(out, asked)
    if out.exists() and not fresh:
        return _resumed(asked, out, variants=variants, overrides=overrides)
    base = _Parent.of(asked.branch) if asked.branch is not None else None
    source = _Original.of(asked.replay) if asked.replay is not None else None
    given = base.config if base is not None else source.config if source is not None else None
    assert given is not None
    added, notices = source.overrides(given, overrides, first=base.step + 1 if base else 1) if source else ([], [])
    config = changed(given, variants=variants, overrides=[*added, *overrides])
    if base is not None:
        base.require_possible(config)
    if source is not None:
        config, said = source.corrected(config)
        notices += said
    return Derived(
        config=config,
        lineage=Lineage(
            parent=base.source(config, settings=given) if base else None,
            replays=source.source(config, settings=given) if source else None,
        ),
        notices=tuple(notices),
    )


def _require_another(out: RunDir, asked: Asked) -> None:
    """Raise ConfigError if a run would be made from itself: with --fresh it would be deleted first."""
    named = [asked.replay, Path(asked.branch.rpartition("@")[0]) if asked.branch else None]
    if out.path.resolve() in [path.resolve() for path in named if path is not None]:
        raise ConfigError(
            f"--out {out.path}: is the run that --from or --replay names; choose another folder for the new run, or "
            f"resume that one by the command that started it."
        )


def _resumed(asked: Asked, out: RunDir, *, variants: Sequence[str], overrides: Sequence[str]) -> Derived:
    """The settings of a run that was started before, changed as the command says. RunDirError if it is another run."""
    origin = origin_of(out.info(), {})
    saved = saved_settings(out)
    if saved is None:
        raise RunDirError(f"{out.path}: was stopped before it had its settings; start it again with --fresh.")
    path, step = (None, 0) if asked.branch is None else _named(asked.branch)
    _require_same("--from", path, recorded=origin.parent, out=out, step=step)
    if asked.replay is not None:
        _require_same("--replay", asked.replay, recorded=origin.replays, out=out, step=None)
    replayed = [f"rollout.replay={_quoted(asked.replay)}"] if asked.replay is not None else []
    config = changed(saved.config(), variants=variants, overrides=[*replayed, *overrides])
    found_at = origin.parent
    if found_at is not None and path is not None and RunDir(path).exists():
        found_at = Source(run=str(path.resolve()), run_id=found_at.run_id, step=step, changed=found_at.changed)
    return Derived(config=config, lineage=Lineage(parent=found_at, replays=origin.replays))


def _require_same(option: str, given: Path | None, *, recorded: Source | None, out: RunDir, step: int | None) -> None:
    """Raise RunDirError unless the run was made from the named one; one that is gone is known by its name."""
    if given is None and recorded is None:
        return
    is_same = given is not None and recorded is not None and step in (None, recorded.step)
    if is_same:
        assert given is not None
        assert recorded is not None
        there = RunDir(given)
        is_same = _id_of(there) == recorded.run_id if there.exists() else given.resolve().name == recorded.name
    if not is_same:
        at = f"@{step}" if step else ""
        wanted = "none" if given is None else f"{given}{at}"
        made = "none" if recorded is None else f"{recorded.run}{f'@{recorded.step}' if recorded.step else ''}"
        raise RunDirError(
            f"{out.path}: this run was made from another one: {option} was {made}, now {wanted}. Run the command that "
            f"started it, choose another --out to keep both, or use --fresh to start over there."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parent:
    """The run and the step that a branch starts from."""

    run: RunDir
    step: int
    config: TrainConfig

    @classmethod
    def of(cls, text: str) -> _Parent:
        path, step = _named(text)
        run, config = _trained(path)
        if "followed" in run.info() or run.info().get("backend", "native") != "native":
            raise ConfigError(
                f"{path}: trained by {run.info().get('backend')}, whose checkpoints cannot be continued here; start a "
                f"new run from its weights: model.policy=CHECKPOINT."
            )
        _require_files(Checkpoints(run).path(step), Checkpoints(run).find(step))
        return cls(run=run, step=step, config=config)

    def require_possible(self, config: TrainConfig) -> None:
        """Raise ConfigError, with every setting that the checkpoint does not allow."""
        found, wanted = _values(self.config), _values(config)
        lines = [
            f"{key}: found {found[key]}, wanted {wanted[key]} ({why})"
            for key, why in self._fixed(config)
            if found[key] != wanted[key]
        ]
        if config.has_critic and not self.config.has_critic:
            lines.append(f"advantage.estimator: {wanted['advantage.estimator']} trains a critic, and the run has none")
        if lines:
            listed = "".join(f"\n  {line}" for line in lines)
            policy = Checkpoints(self.run).path(self.step) / "policy"
            raise ConfigError(
                f"{self.run.path}@{self.step}: its checkpoint does not allow these changes:{listed}\n"
                f"Leave them out, or start a new run from its weights: orz-rl train --recipe ... model.policy={policy}"
            )
        if config.num_steps <= self.step:
            raise ConfigError(
                f"num_steps is {config.num_steps}, but {self.run.path}@{self.step} has made {self.step}; set num_steps "
                f"to more, such as num_steps={2 * self.step}."
            )

    def _fixed(self, config: TrainConfig) -> Iterator[tuple[str, str]]:
        yield from ((key, why) for key, why in _FIXED.items() if config.has_critic or key not in _OF_CRITIC)
        if config.rollout.partial:
            yield from ((key, _FIXED["rollout.partial"]) for key in _FIXED_IF_PARTIAL)

    def source(self, config: TrainConfig, *, settings: TrainConfig) -> Source:
        return Source(
            run=str(self.run.path.resolve()),
            run_id=_id_of(self.run),
            step=self.step,
            changed=_changes(settings, config),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Original:
    """The run whose rollouts are learned."""

    run: RunDir
    config: TrainConfig

    @classmethod
    def of(cls, path: Path) -> _Original:
        run, config = _trained(path)
        if config.is_supervised:
            raise ConfigError(
                f"{path}: has learned stored answers (distill.source), which orz-rl distill --from learns again; "
                f"--replay wants a run that sampled."
            )
        return cls(run=run, config=config)

    def overrides(self, config: TrainConfig, given: Sequence[str], *, first: int) -> tuple[list[str], list[str]]:
        """Overrides of a configuration by which the rollouts are learned, and what to say; `given` are the user's."""
        names = {override.partition("=")[0] for override in given}
        added, notices = [f"rollout.replay={_quoted(self.run.path)}"], []
        if config.eval.benchmarks and "eval.benchmarks" not in names:
            added += ["eval.benchmarks=", "eval.by_own_protocol="]
            notices.append("no engine is started, so nothing is evaluated; use orz-bench eval --ckpt RUN afterwards")
        last = last_step(self.run, first=first)
        if last < config.num_steps and "num_steps" not in names:
            added.append(f"num_steps={last}")
            notices.append(f"{self.run.path} has rollouts up to step {last}, so the replay ends there")
        return added, notices

    def corrected(self, config: TrainConfig) -> tuple[TrainConfig, list[str]]:
        """The configuration in which older probabilities are corrected for, where another policy will learn."""
        changes = [key for key in _changes(self.config, config) if not key.startswith(_NOT_OF_UPDATES)]
        not_allowed = [
            key for key in _changes(self.config, config) if key.startswith(_SAMPLED) and key != "rollout.replay"
        ]
        if not_allowed:
            raise ConfigError(
                f"{self.run.path}: its rollouts are learned as they were sampled, so {', '.join(not_allowed)} cannot "
                f"change; leave that out, or train without --replay."
            )
        loss, rollout = config.loss, config.rollout
        is_left_open = loss.clip_against == "auto" and not config.clips_against_sampler
        weighs = (loss.importance_cap, loss.importance_band, loss.sequence_band) != (None, None, None)
        can_compare = rollout.top_p == 1 and rollout.top_k < 1 and config.loss.objective == "ppo"
        if not changes or not is_left_open or weighs:
            return config, []
        said = f"{', '.join(changes)} changed, so the policy that learns is not the one that sampled"
        if not can_compare:
            return config, [
                f"{said}, and nothing corrects for that: its probabilities cannot be compared with the sampler's "
                f"(rollout.top_p, rollout.top_k or loss.objective)"
            ]
        said += (
            ": loss.clip_against=sampler, the ratio is that to the probabilities of the sampler; choose another "
            "correction with loss.clip_against, loss.importance_cap or loss.importance_band"
        )
        return changed(config, overrides=["loss.clip_against=sampler"]), [said]

    def source(self, config: TrainConfig, *, settings: TrainConfig) -> Source:
        made = _changes(settings, config).items()
        told = {key: pair for key, pair in made if key != "rollout.replay" and not key.startswith("eval.")}
        return Source(run=str(self.run.path.resolve()), run_id=_id_of(self.run), changed=told)


def _named(text: str) -> tuple[Path, int]:
    """(run, step) of RUN@STEP."""
    name, at, step = text.rpartition("@")
    if not at or not step.isdecimal():
        run = RunDir(Path(text))
        steps = ", ".join(str(each.step) for each in Checkpoints(run).complete()) if run.exists() else ""
        has = f"; it has checkpoints of the steps {steps}" if steps else ""
        raise ConfigError(f"--from {text}: wanted RUN@STEP, a run and the step of one of its checkpoints{has}.")
    return Path(name), int(step)


def _require_files(folder: Path, manifest: Manifest) -> None:
    """Raise RunDirError for a missing or truncated file, before the new run exists; the copy is compared as a whole."""
    found = list(wrong_sizes(folder, manifest.files or {}))
    if found:
        raise RunDirError(
            f"{folder}: {'; '.join(found[:5])}, so a branch cannot start there. Restore it, or name another step."
        )


def _trained(path: Path) -> tuple[RunDir, TrainConfig]:
    """A training run and its settings. RunDirError or ConfigError if it is none, or damaged."""
    run = RunDir(path)
    info = run.info()
    if info["kind"] != "train":
        raise RunDirError(
            f"{path}: contains a run of kind {info['kind']}, not a training run; name one of orz-rl train."
        )
    if info.get("imported"):
        raise RunDirError(
            f"{path}: was imported from another tool, without the settings and checkpoints of its training; name a run "
            f"of orz-rl train."
        )
    saved = saved_settings(run, remedy=_RESTORE)
    if saved is None:
        raise RunDirError(f"{run.config_path}: missing, so its settings are unknown. {_RESTORE}")
    try:
        return run, saved.config()
    except ConfigError as error:
        raise ConfigError(f"{run.config_path}: {error}") from error


def _id_of(run: RunDir) -> str:
    return str(run.info().get("run_id") or "")


def _quoted(path: Path | None) -> str:
    """As a value of an override: a text, whatever it looks like."""
    return yaml.safe_dump(str(path), default_style='"', width=10**9, allow_unicode=True).strip()


def _values(config: TrainConfig) -> dict[str, Any]:
    tree = yaml.safe_load(as_yaml(config))
    found: dict[str, Any] = {}
    for name, value in tree.items():
        found |= {f"{name}.{key}": each for key, each in value.items()} if isinstance(value, dict) else {name: value}
    return found


def _changes(there: TrainConfig, here: TrainConfig) -> dict[str, tuple[Any, Any]]:
    before, now = _values(there), _values(here)
    return {key: (before[key], now[key]) for key in before if before[key] != now[key]}
