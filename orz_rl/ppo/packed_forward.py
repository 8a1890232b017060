"""Several sequences in one row of a causal language model, none of which sees another.

N tokens of all sequences of a pack, one after the other; V the vocabulary. transformers recognises a pack by position
ids that restart at 0, and only if it gets no attention mask and keeps no cache: with either, the log-probabilities of
all but the first sequence are silently those of another text. Tested against one forward a sequence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Pack:
    """The tokens of some sequences in one row."""

    tokens_N: Tensor
    positions_N: Tensor
    """From 0 on in each sequence."""
    is_response_N: Tensor
    """Whether a token was sampled, and so has a log-probability that counts."""

    @classmethod
    def of(cls, sequences: Sequence[tuple[Sequence[int], Sequence[int]]]) -> Pack:
        """From (prompt token ids, response token ids) of each sequence; a prompt has at least one token."""
        tokens = [token for prompt, response in sequences for token in (*prompt, *response)]
        lengths = [len(prompt) + len(response) for prompt, response in sequences]
        is_response = [flag for p, r in sequences for flag in [False] * len(p) + [True] * len(r)]
        return cls(
            tokens_N=torch.tensor(tokens),
            positions_N=torch.cat([torch.arange(length) for length in lengths]),
            is_response_N=torch.tensor(is_response),
        )

    def to(self, device: torch.device) -> Pack:
        """The same pack on another device."""
        return Pack(self.tokens_N.to(device), self.positions_N.to(device), self.is_response_N.to(device))


def response_logprobs(model: Any, pack: Pack, *, temperature: float = 1.0) -> Tensor:
    """Log-probabilities of the response tokens of a pack, in order, at the sampling temperature.

    Shape (R,), R the number of response tokens; float32, differentiable.
    """
    logits_NV = _forward(model, pack).logits[0]
    targets = pack.is_response_N.nonzero()[:, 0]
    return token_logprobs(logits_NV[targets - 1], pack.tokens_N[targets], temperature=temperature)


def response_values(model: Any, pack: Pack) -> Tensor:
    """The critic's value of the state before each response token. Shape (R,).

    `model` returns one number a token as logits of shape (1, N, 1).
    """
    values_N = _forward(model, pack).logits[0, :, 0].float()
    return values_N[pack.is_response_N.nonzero()[:, 0] - 1]


def token_logprobs(logits_NV: Tensor, tokens_N: Tensor, *, temperature: float) -> Tensor:
    """log softmax(logits / temperature) at the tokens, in float32, without a second copy of the logits. Shape (N,)."""
    chosen_N = logits_NV.gather(1, tokens_N[:, None])[:, 0].float() / temperature
    return chosen_N - torch.logsumexp(logits_NV.float() / temperature, dim=-1)


def _forward(model: Any, pack: Pack) -> Any:
    return model(
        input_ids=pack.tokens_N[None], position_ids=pack.positions_N[None], attention_mask=None, use_cache=False
    )
