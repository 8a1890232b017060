"""The declared table of a trainer: for each of our settings the keys of its configuration, and what the mapping loses.

The generated configuration and the findings follow from the same rows, so a setting cannot be forgotten in one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orz_rl.backends.backend import Finding
from orz_rl.config import TrainConfig
from orz_rl.recipes.registry import leaves

Keys = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One run to configure."""

    config: TrainConfig
    policy: str
    """Folder of the base model."""
    critic: str
    """Folder from which the critic's body starts."""
    folder: Path
    """Where the trainer keeps its own files, in the run directory."""
    attempt: int = 1
    """Number of this start of the run."""

    @property
    def tickets(self) -> Path:
        """The data file: one row for each prompt that the run takes."""
        return self.folder / "tickets.parquet"

    @property
    def checkpoints(self) -> Path:
        """Checkpoints in the trainer's own format."""
        return self.folder / "checkpoints"

    @property
    def logs(self) -> Path:
        """Metrics of this start, as the trainer writes them: another folder for each, because some truncate."""
        return self.folder / f"metrics-{self.attempt:03d}"

    @property
    def service(self) -> Path:
        """The address of our service while the run lasts."""
        return self.folder / "service.json"


def _none(target: Target) -> Keys:
    del target
    return {}


def _nothing(config: TrainConfig) -> str:
    del config
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One of our settings. It has `keys`, or `instead` says what happens to it."""

    setting: str
    keys: Callable[[Target], Keys] = _none
    """Their keys with values."""
    instead: str = ""
    """Without keys: what does the setting's work."""
    without_effect: str = ""
    """Without keys: why a value other than the default is lost."""
    lost: Callable[[TrainConfig], str] = _nothing
    """What the mapping loses with these settings; empty: nothing."""
    unsupported: Callable[[TrainConfig], str] = _nothing
    """Why these settings cannot be expressed; empty: they can."""

    @property
    def is_decided(self) -> bool:
        """Whether it says what happens to the setting."""
        return self.keys is not _none or bool(self.instead or self.without_effect)


def key(name: str, *more: str) -> Callable[[Target, Any], Keys]:
    """A value under one or several of their keys."""

    def keys(target: Target, value: Any) -> Keys:
        del target
        return dict.fromkeys((name, *more), value)

    return keys


def to(setting: str, *names: str) -> Row:
    """The value as it is, under each of these keys."""
    return Row(setting=setting, keys=lambda target: dict.fromkeys(names, value_of(target.config, setting)))


def value_of(config: TrainConfig, setting: str) -> Any:
    """The value of `section.key`."""
    value: Any = config
    for part in setting.split("."):
        value = getattr(value, part)
    return value


def findings(table: Sequence[Row], config: TrainConfig) -> Iterator[Finding]:
    """An error for each setting that cannot be expressed, a warning for each that loses something."""
    defaults = {name: field.get_default(call_default_factory=True) for name, field in leaves()}
    for row in table:
        unsupported, lost = row.unsupported(config), row.lost(config)
        if unsupported:
            yield Finding(row.setting, unsupported, is_error=True)
        elif lost:
            yield Finding(row.setting, lost, is_error=False)
        elif row.without_effect and value_of(config, row.setting) != defaults[row.setting]:
            yield Finding(row.setting, f"without effect: {row.without_effect}", is_error=False)


def configured(table: Sequence[Row], target: Target, *, fixed: Keys) -> dict[str, Any]:
    """Every key with its value: those of the settings, and `fixed`, which does not depend on them."""
    found: dict[str, Any] = {}
    for keys in (fixed, *(row.keys(target) for row in table)):
        twice = found.keys() & keys.keys()
        assert not twice, f"two settings write {', '.join(twice)}"
        found |= keys
    return found


def nested(flat: Keys) -> dict[str, Any]:
    """`{"a.b": 1}` as `{"a": {"b": 1}}`."""
    tree: dict[str, Any] = {}
    for name, value in flat.items():
        *sections, last = name.split(".")
        at = tree
        for section in sections:
            at = at.setdefault(section, {})
        at[last] = value
    return tree
