"""Packs: the tokens of several sequences in one row, and the compact form in which they are sent to a rank.

N tokens of a row; R of them were sampled (responses). Position ids begin at 0 in every sequence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor


class Lengths(NamedTuple):
    """The tokens of a sequence."""

    prompt: int
    response: int


@dataclass(frozen=True, slots=True)
class Pack:
    """A row, ready for a model."""

    tokens_N: Tensor
    positions_N: Tensor
    """Counted from 0 in each sequence."""
    targets_R: Tensor
    """Indices of the sampled tokens, whose log-probabilities are needed."""
    lengths: tuple[int, ...]
    """Length of each sequence, prompt and response together."""

    @classmethod
    def of(cls, sequences: Sequence[tuple[Sequence[int], Sequence[int]]]) -> Pack:
        """From (prompt token ids, response token ids) of each sequence; a prompt has at least one token."""
        tokens = [token for prompt, response in sequences for token in (*prompt, *response)]
        lengths = tuple(Lengths(len(prompt), len(response)) for prompt, response in sequences)
        return PackSlice(torch.tensor(tokens), lengths).to(torch.device("cpu"))

    @property
    def num_targets(self) -> int:
        """R."""
        return len(self.targets_R)

    def to(self, device: torch.device) -> Pack:
        """The same pack on another device."""
        return Pack(self.tokens_N.to(device), self.positions_N.to(device), self.targets_R.to(device), self.lengths)


@dataclass(frozen=True, slots=True)
class PackSlice:
    """A row as a slice of a buffer with all tokens of a step; everything else follows from the lengths."""

    tokens_N: Tensor
    lengths: tuple[Lengths, ...]

    @property
    def num_targets(self) -> int:
        """R."""
        return sum(each.response for each in self.lengths)

    def to(self, device: torch.device) -> Pack:
        """The pack on a device."""
        whole = tuple(sum(each) for each in self.lengths)
        starts = np.cumsum((0, *whole))
        positions = [np.arange(length) for length in whole]
        targets = [
            np.arange(start + each.prompt, start + sum(each))
            for start, each in zip(starts[:-1], self.lengths, strict=True)
        ]
        return Pack(
            self.tokens_N.to(device, torch.long),
            torch.from_numpy(np.concatenate(positions)).to(device),
            torch.from_numpy(np.concatenate(targets)).to(device),
            whole,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Only the slice is sent; a tensor would send its whole buffer."""
        return _received, (self.tokens_N.numpy(), self.lengths)


def _received(tokens: Any, lengths: tuple[Lengths, ...]) -> PackSlice:
    return PackSlice(torch.tensor(tokens), lengths)  # a copy: what Ray hands over is read-only
