"""Critics as the command sees them, and the file formats that are known; those of training are found by name.

A critic gives every token of a response a value: the expected reward before that token. orz_rl computes them; other
packages add formats by entry points of the group `orz.critics`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from orz_bench.errors import ConfigError
from orz_bench.installed.plugins import PluginGroup
from orz_bench.models.digest import checkpoint_digest
from orz_bench.records.arrays import Numbers
from orz_bench.valuing.tokens import ReadsTokens

Tokens = Sequence[int]


class Critic(ReadsTokens, Protocol):
    """An opened critic."""

    def values(self, sequences: Sequence[tuple[Tokens, Tokens]]) -> list[Numbers[float]]:
        """For each (prompt, response) one number per response token: the value before it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CriticSettings:
    """How a critic computes."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    dtype: Literal["float32", "bfloat16"] = "float32"
    pack_tokens: int = 16_384
    """Tokens of several sequences in one forward pass; a longer sequence is a pack of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CriticFormat:
    """One kind of critic's folder."""

    name: str
    reads: Callable[[Path], bool]
    """Whether a folder is of this kind."""
    open: Callable[[Path, CriticSettings], Critic]
    """Raises ConfigError or EngineError for a folder that is broken."""


CRITICS: PluginGroup[CriticFormat] = PluginGroup(
    name="orz.critics",
    noun="critic format",
    kind=CriticFormat,
    built_in={
        "orz": "orz_rl.workers.critic_formats:OURS",
        "open-reasoner-zero": "orz_rl.workers.critic_formats:PUBLISHED",
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedCritic:
    """A critic with its identity."""

    critic: Critic
    digest: str
    format: str


def open_critic(folder: Path, settings: CriticSettings) -> OpenedCritic:
    """The critic in a folder. ConfigError if no format reads it."""
    if not folder.is_dir():
        raise ConfigError(f"--critic {folder}: not a folder; give the critic/ folder of a checkpoint.")
    for name in CRITICS.names():
        found = CRITICS.load(name)
        if found.reads(folder):
            package = CRITICS.package_of(name)
            return OpenedCritic(
                critic=found.open(folder, settings),
                digest=checkpoint_digest(folder),
                format=f"{name} of {package}" if package else name,
            )
    raise ConfigError(
        f"{folder}: not a critic of a known format ({', '.join(CRITICS.names())}): it has no value head. A policy's "
        f"folder has none; give the critic/ folder beside it, or the output of orz-rl export --critic."
    )
