"""Settings that were added after a release: what a run without them did, so that it goes on as it was started."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

SETTINGS_VERSION = 2
"""Raised with every setting that is added, dropped or given another default; config.yaml holds it in its first line.
Version 1 are the files without that line."""

BEFORE: Mapping[str, tuple[int, Any]] = MappingProxyType({})
"""Setting: (the version that has it first, what older runs did in its terms). It is needed only where that is not the
setting's default."""
