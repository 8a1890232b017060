"""Packs: the tokens of several sequences in one row, and the compact form in which they are sent to a rank.

N tokens of a row; R of them were sampled (responses). A row is a list of groups, each a prompt followed by the
responses that share it; without sharing every group has one response. Position ids begin at 0 in every prompt, and go
on after it in every response.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor


class Group(NamedTuple):
    """A prompt and the responses after it, in tokens."""

    prompt: int
    responses: tuple[int, ...]

    @property
    def num_tokens(self) -> int:
        """Tokens of the row."""
        return self.prompt + sum(self.responses)


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
    shared: tuple[Group, ...] = ()
    """The groups of the row, if any prompt in it is followed by several responses."""
    sources_R: Tensor | None = None
    """Indices of the tokens before the sampled ones, if these are not simply at targets_R - 1."""

    @classmethod
    def of(cls, sequences: Sequence[tuple[Sequence[int], Sequence[int]]]) -> Pack:
        """From (prompt token ids, response token ids) of each sequence; a prompt has at least one token."""
        return cls.sharing([(prompt, [response]) for prompt, response in sequences])

    @classmethod
    def sharing(cls, groups: Sequence[tuple[Sequence[int], Sequence[Sequence[int]]]]) -> Pack:
        """From (prompt token ids, the token ids of each response to it)."""
        tokens = [token for prompt, responses in groups for token in (*prompt, *chain(*responses))]
        shape = tuple(Group(len(prompt), tuple(map(len, responses))) for prompt, responses in groups)
        return PackSlice(torch.tensor(tokens), shape).to(torch.device("cpu"))

    @property
    def before_R(self) -> Tensor:  # noqa: N802 - R is its shape
        """Index of the token whose output predicts each sampled one. Shape (R,)."""
        return self.targets_R - 1 if self.sources_R is None else self.sources_R

    @property
    def num_targets(self) -> int:
        """R."""
        return len(self.targets_R)

    def to(self, device: torch.device) -> Pack:
        """The same pack on another device."""
        return Pack(
            self.tokens_N.to(device),
            self.positions_N.to(device),
            self.targets_R.to(device),
            self.lengths,
            self.shared,
            None if self.sources_R is None else self.sources_R.to(device),
        )


@dataclass(frozen=True, slots=True)
class PackSlice:
    """A row as a slice of a buffer with all tokens of a step; everything else follows from its groups."""

    tokens_N: Tensor
    groups: tuple[Group, ...]

    @property
    def num_targets(self) -> int:
        """R."""
        return sum(sum(group.responses) for group in self.groups)

    def to(self, device: torch.device) -> Pack:
        """The pack on a device."""
        positions, targets, sources = _indices(self.groups)
        is_shared = any(len(group.responses) > 1 for group in self.groups)
        return Pack(
            self.tokens_N.to(device, torch.long),
            torch.from_numpy(positions).to(device),
            torch.from_numpy(targets).to(device),
            lengths=tuple(group.prompt + response for group in self.groups for response in group.responses),
            shared=self.groups if is_shared else (),
            sources_R=torch.from_numpy(sources).to(device) if is_shared else None,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Only the slice is sent; a tensor would send its whole buffer."""
        return _received, (self.tokens_N.numpy(), self.groups)


def _received(tokens: Any, groups: tuple[Group, ...]) -> PackSlice:
    return PackSlice(torch.tensor(tokens), groups)  # a copy: what Ray hands over is read-only


def _indices(groups: Sequence[Group]) -> tuple[Any, Any, Any]:
    """(position of each token, indices of the sampled tokens, of the tokens before them)."""
    positions, targets, sources = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    at = 0
    for group in groups:
        positions.append(np.arange(group.prompt))
        last = at + group.prompt - 1
        at += group.prompt
        for length in group.responses:
            positions.append(np.arange(group.prompt, group.prompt + length))
            targets.append(np.arange(at, at + length))
            sources.append(np.arange(at - 1, at + length - 1))
            if length:
                sources[-1][0] = last
            at += length
    return np.concatenate(positions), np.concatenate(targets), np.concatenate(sources)
