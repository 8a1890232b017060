"""Where a training run comes from, and what its rewards are: what is said of it wherever it is named.

run.json has `parent` (the run and the step whose checkpoint it started from) or `replays` (the run whose rollouts it
learns), config.yaml the control of its rewards. Readers take both from here; what is damaged says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml

from orz_bench.errors import OrzError
from orz_bench.records.regular import read_text
from orz_bench.records.run_dir import RunDir

_MOST_NAMED = 4
_NO_CONTROL = "none"
_SAYS_SOMETHING = re.compile(r"^\s+(?:control:(?!\s*none\s*$)|replay:(?!\s*null\s*$))", re.MULTILINE)
"""Reading a whole config.yaml takes milliseconds, and hardly any has a control or a replay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Another run that this one was made from."""

    run: str
    """Its folder, as it was then: it may be gone."""
    run_id: str
    """Its identity, wherever it is now; empty where it has none."""
    step: int = 0
    """The step whose checkpoint is the start; 0 where it is the base model."""
    changed: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    """Setting -> (there, here), for every setting that differs."""

    @property
    def name(self) -> str:
        """The name of its folder."""
        return Path(self.run).name

    def to_json(self) -> dict[str, Any]:
        """As run.json has it."""
        return asdict(self) | {"changed": {name: list(values) for name, values in self.changed.items()}}

    @classmethod
    def from_json(cls, value: Any) -> Source | None:
        """The inverse; None for anything else."""
        if not isinstance(value, Mapping) or not isinstance(value.get("run"), str):
            return None
        step, changed = value.get("step"), value.get("changed")
        pairs = changed.items() if isinstance(changed, Mapping) else ()
        return cls(
            run=value["run"],
            run_id=str(value.get("run_id") or ""),
            step=step if isinstance(step, int) else 0,
            changed={
                str(name): (pair[0], pair[1]) for name, pair in pairs if isinstance(pair, list) and len(pair) == 2
            },
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What is said of a run beside its name."""

    run_id: str = ""
    """The identity of the run itself."""
    control: str = _NO_CONTROL
    """reward.control."""
    parent: Source | None = None
    """The run whose checkpoint it started from."""
    replays: Source | None = None
    """The run whose rollouts it learns."""

    @property
    def suffix(self) -> str:
        """What is added to its name: a reward that is not that of the verdicts, and samples that are not its own."""
        parts = [f"reward: {self.control}"] if self.control != _NO_CONTROL else []
        parts += [f"replays {self.replays.name}"] if self.replays else []
        return f" ({'; '.join(parts)})" if parts else ""

    @property
    def told(self) -> str:
        """Where it comes from, without a subject; empty for a run from a base model that learns from verdicts."""
        is_control = self.control != _NO_CONTROL
        parts = [f"its rewards are a control (reward.control={self.control})"] if is_control else []
        if self.parent is not None:
            parts.append(f"branched from {self.parent.name} at step {self.parent.step:,}{_changes(self.parent)}")
        if self.replays is not None:
            shown = "" if self.parent is not None else _changes(self.replays)
            parts.append(f"learns the stored rollouts of {self.replays.name}{shown}, nothing is sampled")
        return "; ".join(parts)


def origin_of(info: Mapping[str, Any], config: Mapping[str, Any]) -> Origin:
    """From the contents of run.json and config.yaml."""
    control, replay = _setting(config, "reward", name="control"), _setting(config, "rollout", name="replay")
    replays = Source.from_json(info.get("replays")) or (Source(run=replay, run_id="") if replay else None)
    return Origin(
        run_id=str(info.get("run_id") or ""),
        control=control or _NO_CONTROL,
        parent=Source.from_json(info.get("parent")),
        replays=replays,
    )


def _setting(config: Mapping[str, Any], section: str, *, name: str) -> str:
    """A text in config.yaml; empty for anything else."""
    found = config.get(section)
    value = found.get(name) if isinstance(found, Mapping) else None
    return value if isinstance(value, str) else ""


def origin_at(run: RunDir) -> Origin:
    """That of a run directory; nothing is known of one whose files cannot be read."""
    try:
        info = run.info()
        text = read_text(run.config_path) if run.config_path.exists() else ""
        config = yaml.safe_load(text) if _SAYS_SOMETHING.search(text) else {}
    except (OrzError, OSError, ValueError, yaml.YAMLError):
        return Origin()
    return origin_of(info, config if isinstance(config, Mapping) else {})


def _changes(source: Source) -> str:
    if not source.changed:
        return ", nothing changed"
    shown = [f"{name} {_short(there)} -> {_short(here)}" for name, (there, here) in source.changed.items()]
    more = len(shown) - _MOST_NAMED
    return f" ({', '.join(shown[:_MOST_NAMED])}{f' and {more:,} more' if more > 0 else ''})"


def _short(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    if value is None or not text:
        return "none"
    return text if len(text) <= 40 else f"{text[:39]}…"
