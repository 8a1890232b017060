"""What a trainer of another project has to say for itself, so that it can be run: the border between `life` and it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from orz_rl.backends.external.mapping.table import Target
from orz_rl.backends.external.running.interpreter import Requirement
from orz_rl.backends.following.tool import Feed


class Trainer(Protocol):
    """A trainer whose program can be started, resumed and read."""

    @property
    def name(self) -> str:
        """As in --backend; also the name of its folder in the run."""
        ...

    @property
    def requirement(self) -> Requirement:
        """What has to be installed."""
        ...

    @property
    def writes_in_pieces(self) -> bool:
        """Whether its log names the metrics of a step one after the other."""
        ...

    def write(self, target: Target) -> None:
        """Write its configuration, the tickets, and the hooks that it loads."""
        ...

    def command(self, target: Target, python: str) -> Sequence[str]:
        """What starts or resumes the run."""
        ...

    def environment(self, target: Target) -> Mapping[str, str]:
        """Variables of the program."""
        ...

    def last_checkpoint(self, target: Target) -> int:
        """The step after which it would resume; 0 without a checkpoint."""
        ...

    def feed(self, target: Target) -> Feed | None:
        """The log of this start; None until it is there."""
        ...

    def metrics(self, target: Target) -> Mapping[str, str]:
        """Its metrics whose meaning is that of ours, with these settings -> our name."""
        ...

    def convert(self, target: Target, step: int, *, model: str, out: Path, python: str) -> Sequence[str]:
        """The command that writes a checkpoint of its own to a new folder in the Hugging Face format.

        Raises RunDirError for a step or a model that it has not saved.
        """
        ...
