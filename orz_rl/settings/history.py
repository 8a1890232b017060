"""Settings added after a release, and the values that earlier runs had in effect: a resumed run keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

SETTINGS_VERSION = 8
"""Increased whenever a setting is added, removed or given another default; recorded in the first line of config.yaml.
Files without that line have version 1."""

BEFORE: Mapping[str, tuple[int, Any]] = MappingProxyType({})
"""Setting: (the first version that has it, the value that describes older runs). Needed only if that value is not the
setting's default."""
