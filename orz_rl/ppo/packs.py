"""Packs: the tokens of several sequences in one row, and the compact form in which they are sent to a rank.

N tokens of a row; R of them were sampled (responses). A prompt is followed by its responses, none of which sees
another: position ids begin at 0 in the prompt, and at its length in each response.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor


class Lengths(NamedTuple):
    """The tokens of a prompt and of each of the responses that follow it."""

    prompt: int
    responses: tuple[int, ...]

    @property
    def num_tokens(self) -> int:
        """In a pack."""
        return self.prompt + sum(self.responses)


@dataclass(frozen=True, slots=True)
class Pack:
    """A row, ready for a model."""

    tokens_N: Tensor
    positions_N: Tensor
    """Counted from 0 in each sequence, that is a prompt with one of its responses."""
    targets_R: Tensor
    """Indices of the sampled tokens, whose log-probabilities are needed."""
    sources_R: Tensor
    """For each of them, the index of the token before it in its sequence, after which it was sampled."""
    lengths: tuple[Lengths, ...]

    @classmethod
    def of(cls, sequences: Sequence[tuple[Sequence[int], ...]]) -> Pack:
        """From (prompt token ids, token ids of a response, ...) of each prompt, which has at least one token."""
        tokens = [token for texts in sequences for text in texts for token in text]
        lengths = tuple(Lengths(len(prompt), tuple(map(len, responses))) for prompt, *responses in sequences)
        return PackSlice(torch.tensor(tokens), lengths).to(torch.device("cpu"))

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
            self.sources_R.to(device),
            self.lengths,
        )


@dataclass(frozen=True, slots=True)
class PackSlice:
    """A row as a slice of a buffer with all tokens of a step; everything else follows from the lengths."""

    tokens_N: Tensor
    lengths: tuple[Lengths, ...]

    @property
    def num_targets(self) -> int:
        """R."""
        return sum(sum(each.responses) for each in self.lengths)

    def to(self, device: torch.device) -> Pack:
        """The pack on a device."""
        positions, targets, sources = [], [], []
        at = 0
        for prompt, responses in self.lengths:
            last, at = at + prompt - 1, at + prompt
            positions.append(np.arange(prompt))
            for response in responses:
                places = np.arange(at, at + response)
                positions.append(places - at + prompt)
                targets.append(places)
                sources.append(np.concatenate(([last], places[:-1]))[:response])
                at += response
        return Pack(
            self.tokens_N.to(device, torch.long),
            torch.from_numpy(np.concatenate(positions)).to(device),
            torch.from_numpy(np.concatenate(targets)).to(device),
            torch.from_numpy(np.concatenate(sources)).to(device),
            self.lengths,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Only the slice is sent; a tensor would send its whole buffer."""
        return _received, (self.tokens_N.numpy(), self.lengths)


def _received(tokens: Any, lengths: tuple[Lengths, ...]) -> PackSlice:
    return PackSlice(torch.tensor(tokens), lengths)  # a copy: what Ray hands over is read-only
