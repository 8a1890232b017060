"""All backends: ours, and those that other packages add by the entry-point group `orz.backends`."""

from __future__ import annotations

from orz_bench.installed.plugins import PluginGroup
from orz_rl.backends.backend import Backend

DEFAULT = "native"
BACKENDS: PluginGroup[Backend] = PluginGroup(
    name="orz.backends",
    noun="backend",
    kind=Backend,  # type: ignore[type-abstract]  # a protocol that is checked at run time
    built_in={DEFAULT: "orz_rl.backends.native:BACKEND", "trl": "orz_rl.backends.trl.backend:BACKEND"},
)
