"""SkyRL's configuration as nested names, from `key=value` with JSON values."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any


class SkyRLTrainConfig(SimpleNamespace):
    """Without SkyRL's defaults and checks."""

    @classmethod
    def from_cli_overrides(cls, words: list[str]) -> SkyRLTrainConfig:
        """Nested by the dots of the keys."""
        tree: dict[str, Any] = {}
        for word in words:
            name, _, text = word.partition("=")
            *sections, last = name.split(".")
            at = tree
            for section in sections:
                at = at.setdefault(section, {})
            at[last] = json.loads(text)
        return cls(**{name: _named(value) for name, value in tree.items()})


def _named(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return SimpleNamespace(**{name: _named(inner) for name, inner in value.items()}, tags=None)
