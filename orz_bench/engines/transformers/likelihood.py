"""Log-likelihoods of given continuations, with a model and a key-value cache of the tokens that neighbours share.

A continuation needs one row of the batch: its context and itself without its last token. Continuations with equal rows
(such as all continuations of one token) share it. R: rows; T: tokens; K: longest continuation; V: vocabulary.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from orz_bench.engines.engine import LikelihoodRequest, Likelihoods

_MAX_LOGITS = 2**28
"""R * K * V of a block: 1 GiB in float32."""

Tokens = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Reading:
    """The place of a continuation's answer."""

    request: int
    continuation: int
    tokens: Tokens


class LikelihoodScorer:
    """Answers blocks of requests; it caches the shared tokens of the last block."""

    def __init__(self, model: Any, *, device: torch.device, batch_size: int) -> None:
        self._model, self._device, self._batch_size = model, device, batch_size
        self._shared: tuple[Tokens, Any] | None = None

    def answer(self, requests: Iterable[LikelihoodRequest]) -> Iterator[list[Likelihoods]]:
        """Blocks of consecutive requests, in order; the blocks depend on the requests alone."""
        for block in blocks(requests, batch_size=self._batch_size, vocabulary=self._model.config.vocab_size):
            yield self._answer(block)

    @torch.inference_mode()  # type: ignore[untyped-decorator]  # torch is not followed
    def _answer(self, block: Sequence[LikelihoodRequest]) -> list[Likelihoods]:
        shared = _shared_tokens(block[0])
        rows = _rows(block)
        num_kept = max(len(reading.tokens) for readings in rows.values() for reading in readings)
        suffixes = [row[len(shared) :] for row in rows]
        longest = max(map(len, suffixes))
        padding = [longest - len(suffix) for suffix in suffixes]
        ids = [[0] * pad + list(suffix) for pad, suffix in zip(padding, suffixes, strict=True)]
        mask = [[1] * len(shared) + [0] * pad + [1] * (longest - pad) for pad in padding]
        mask_RT = torch.tensor(mask, device=self._device)
        positions_RT = (mask_RT.cumsum(dim=1) - 1).clamp_min(0)[:, len(shared) :]
        logits_RKV = self._model(
            input_ids=torch.tensor(ids, device=self._device),
            attention_mask=mask_RT,
            position_ids=positions_RT,
            past_key_values=self._cache(shared, len(rows)),
            use_cache=bool(shared),
            logits_to_keep=min(num_kept, longest),
        ).logits
        found = {
            (reading.request, reading.continuation): _read(logits_RKV[row], reading.tokens)
            for row, readings in enumerate(rows.values())
            for reading in readings
        }
        return [_joined(request, number, found=found) for number, request in enumerate(block)]

    def _cache(self, shared: Tokens, num_rows: int) -> Any:
        """A cache of the shared tokens for every row, or None if there are none."""
        if not shared:
            return None
        if self._shared is None or self._shared[0] != shared:
            cache = DynamicCache(config=self._model.config)
            ids = torch.tensor([shared], device=self._device)
            self._model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
            self._shared = (shared, cache)
        copied = copy.deepcopy(self._shared[1])
        copied.batch_repeat_interleave(num_rows)
        return copied


def blocks(
    requests: Iterable[LikelihoodRequest], *, batch_size: int, vocabulary: int
) -> Iterator[list[LikelihoodRequest]]:
    """Consecutive requests with the same shared tokens, at most `batch_size` rows and 1 GiB of logits per block.

    A single request may need more.
    """
    block: list[LikelihoodRequest] = []
    shared: Tokens = ()
    num_rows = longest = 0
    for request in requests:
        own_shared = _shared_tokens(request)
        own_rows = len({tokens[:-1] for tokens in request.continuations})
        own_longest = max(map(len, request.continuations))
        grown_rows, grown_longest = num_rows + own_rows, max(longest, own_longest)
        fits = grown_rows <= batch_size and grown_rows * grown_longest * vocabulary <= _MAX_LOGITS
        if block and not (fits and own_shared == shared):
            yield block
            block, grown_rows, grown_longest = [], own_rows, own_longest
        block.append(request)
        shared, num_rows, longest = own_shared, grown_rows, grown_longest
    if block:
        yield block


def _shared_tokens(request: LikelihoodRequest) -> Tokens:
    """The shared leading tokens; at least the last token of a context is left, because the model needs an input."""
    return request.context[: min(request.num_shared, len(request.context) - 1)]


def _rows(block: Sequence[LikelihoodRequest]) -> dict[Tokens, list[_Reading]]:
    rows: dict[Tokens, list[_Reading]] = defaultdict(list)
    for number, request in enumerate(block):
        for place, tokens in enumerate(request.continuations):
            rows[request.context + tokens[:-1]].append(_Reading(number, place, tokens))
    return rows


def _read(logits_KV: Tensor, tokens: Tokens) -> tuple[float, bool]:
    """(log-likelihood, whether it is the greedy continuation) of the last tokens of a row."""
    logits_KV = logits_KV[-len(tokens) :].float()
    wanted_K = torch.tensor(tokens, device=logits_KV.device)
    logprobs_K = logits_KV.gather(1, wanted_K[:, None])[:, 0] - logits_KV.logsumexp(dim=-1)
    return float(logprobs_K.sum()), bool((logits_KV.argmax(dim=-1) == wanted_K).all())


def _joined(
    request: LikelihoodRequest, number: int, *, found: dict[tuple[int, int], tuple[float, bool]]
) -> Likelihoods:
    answers = [found[number, place] for place in range(len(request.continuations))]
    return Likelihoods(
        key=request.key,
        logprobs=tuple(logprob for logprob, _ in answers),
        is_greedy=tuple(is_greedy for _, is_greedy in answers),
    )
