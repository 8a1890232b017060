"""Decode a batch of prompts with a model and its key-value cache; each sample has its own random numbers.

Equal prompts are computed once, and a finished sample leaves the batch, so that no superfluous token is computed.
B: unfinished samples; V: vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from orz_bench.engines.engine import Sampling
from orz_bench.engines.transformers.attention import cache_with_room
from orz_bench.records.rollout import StopReason


@dataclass(slots=True, kw_only=True)
class Draft:
    """One unfinished sample."""

    prompt: Sequence[int]
    room: int
    """Limit of new tokens."""
    uniform: Callable[[], float]
    """Its own random numbers in [0, 1)."""
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    """Under the distributions that were sampled from: at the temperature, after top-k and top-p; for 0, at 1."""
    ended: StopReason | None = None


Ending = Callable[[Sequence[int]], StopReason | None]
"""Why the newest token ends a sample, or None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoder:
    """A model, and how tokens are drawn from it."""

    model: Any
    sampling: Sampling
    ending: Ending
    device: torch.device
    never: Tensor | None = None
    """Ids that are not sampled."""
    fault: Callable[[], Exception] = field(default=lambda: FloatingPointError("logits are not finite"))
    """What is raised if logits are NaN or infinite."""

    @torch.inference_mode()  # type: ignore[untyped-decorator]  # torch is not followed
    def begin(self, drafts: Sequence[Draft]) -> State:
        """The drafts as a batch, from the tokens that they have."""
        return _prefill(self.model, drafts, device=self.device)

    @torch.inference_mode()  # type: ignore[untyped-decorator]  # torch is not followed
    def draw(self, state: State) -> bool:
        """One token of every draft; those that have ended leave the batch. Whether any is left."""
        if not torch.isfinite(state.logits_BV.amax(dim=-1)).all():
            raise self.fault()
        random_B = torch.tensor([draft.uniform() for draft in state.drafts], dtype=torch.float64, device=self.device)
        tokens_B, logprobs_B = sample_tokens(state.logits_BV, random_B, sampling=self.sampling, never=self.never)
        for draft, token, logprob in zip(state.drafts, tokens_B.tolist(), logprobs_B.tolist(), strict=True):
            draft.tokens.append(token)
            draft.logprobs.append(logprob)
            draft.ended = self.ending(draft.tokens) or ("length" if len(draft.tokens) >= draft.room else None)
        return state.keep([row for row, draft in enumerate(state.drafts) if draft.ended is None])

    @torch.inference_mode()  # type: ignore[untyped-decorator]  # torch is not followed
    def advance(self, state: State) -> None:
        """Compute the logits of the next tokens."""
        state.advance(self.model)


def decode(decoder: Decoder, drafts: Sequence[Draft]) -> None:
    """Generate until every draft has ended."""
    state = decoder.begin(drafts)
    while decoder.draw(state):
        decoder.advance(state)


def sample_tokens(
    logits_BV: Tensor, random_B: Tensor, *, sampling: Sampling, never: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Tokens and their log-probabilities by inverting the cumulative distribution at `random_B` in [0, 1).

    Temperature, then top-k, then top-p; the most likely token at temperature 0. The log-probabilities are those of the
    distribution that was sampled from: what remains after `never`, top-k and top-p sums to 1. Shapes (B,) and (B,).
    """
    logits_BV = logits_BV.float()
    if never is not None:
        logits_BV = logits_BV.index_fill(1, never, float("-inf"))
    if sampling.temperature > 0 and sampling.temperature != 1.0:
        logits_BV = logits_BV / sampling.temperature
    logprobs_BV = torch.log_softmax(logits_BV, dim=-1)
    if sampling.temperature == 0:
        tokens_B = logprobs_BV.argmax(dim=-1)
    else:
        if sampling.top_k > 0 or sampling.top_p < 1:
            logprobs_BV = _truncate(logprobs_BV, top_k=sampling.top_k, top_p=sampling.top_p).log_softmax(dim=-1)
        mass_BV = logprobs_BV.double().exp().cumsum(dim=-1)
        aim_B1 = random_B[:, None] * mass_BV[:, -1:]
        tokens_B = torch.searchsorted(mass_BV, aim_B1, right=True)[:, 0].clamp_max(logits_BV.shape[1] - 1)
    return tokens_B, logprobs_BV.gather(1, tokens_B[:, None])[:, 0]


class State:
    """The unfinished drafts, with the model's cache and the logits of their next token, one per row."""

    def __init__(self, drafts: list[Draft], cache: Any, *, mask: Tensor | None, logits_BV: Tensor) -> None:
        self.drafts, self._cache, self._mask, self.logits_BV = drafts, cache, mask, logits_BV

    def keep(self, rows: list[int]) -> bool:
        """Drop all other rows. Returns whether any is left."""
        if len(rows) < len(self.drafts):
            self.drafts = [self.drafts[row] for row in rows]
            if rows:
                index = torch.tensor(rows, device=self.logits_BV.device)
                self._cache.batch_select_indices(index)
                self._mask = None if self._mask is None else self._mask[index]
        return bool(rows)

    def advance(self, model: Any) -> None:
        """Feed each row's newest token."""
        device = self.logits_BV.device
        positions = [len(draft.prompt) + len(draft.tokens) - 1 for draft in self.drafts]
        if self._mask is not None:
            self._mask = torch.cat([self._mask, self._mask.new_ones(len(self.drafts), 1)], dim=1)
        output = model(
            input_ids=torch.tensor([[draft.tokens[-1]] for draft in self.drafts], device=device),
            attention_mask=self._mask,
            position_ids=torch.tensor(positions, device=device)[:, None],
            past_key_values=self._cache,
            use_cache=True,
        )
        self.logits_BV = output.logits[:, -1]


def _prefill(model: Any, drafts: Sequence[Draft], *, device: torch.device) -> State:
    """Run every distinct prompt, with what was drawn already, padded on the left, and give each draft its copy."""
    texts = [(*draft.prompt, *draft.tokens) for draft in drafts]
    prompts = list(dict.fromkeys(texts))
    place_of = {prompt: place for place, prompt in enumerate(prompts)}
    longest = max(map(len, prompts))
    rows = torch.tensor([[0] * (longest - len(prompt)) + list(prompt) for prompt in prompts], device=device)
    mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts], device=device)
    is_padded = any(len(prompt) < longest for prompt in prompts)
    cache = cache_with_room(model.config)
    output = model(
        input_ids=rows,
        attention_mask=mask if is_padded else None,
        position_ids=(mask.cumsum(dim=1) - 1).clamp_min(0),
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    )
    index = torch.tensor([place_of[text] for text in texts], device=device)
    cache.batch_select_indices(index)
    return State(list(drafts), cache, mask=mask[index] if is_padded else None, logits_BV=output.logits[:, -1][index])


def _truncate(logprobs_BV: Tensor, *, top_k: int, top_p: float) -> Tensor:
    if top_k > 0:
        kth = logprobs_BV.topk(min(top_k, logprobs_BV.shape[1]), dim=-1).values[:, -1:]
        logprobs_BV = logprobs_BV.masked_fill(logprobs_BV < kth, float("-inf"))
    if top_p < 1:
        ordered, order = logprobs_BV.softmax(dim=-1).sort(dim=-1, descending=True)
        outside = ordered.cumsum(dim=-1) - ordered >= top_p
        logprobs_BV = logprobs_BV.masked_fill(torch.zeros_like(outside).scatter(1, order, outside), float("-inf"))
    return logprobs_BV
