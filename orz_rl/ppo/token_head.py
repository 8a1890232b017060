"""An output layer that answers with log-probabilities and entropies of tokens, without the logits of a whole pack.

R tokens of a pack, C of one chunk, J tokens asked for in the place of each; H hidden units; V the vocabulary. Logits
exist for one chunk at a time, in float32, and are computed again in the backward pass. Values and gradients are those
of log_softmax over all logits.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import linear

from orz_rl.ppo.losses import entropy

CHUNK_ELEMENTS = 2**26
"""Logits that exist at a time: 256 MiB."""
_BLOCKS = 16
"""Parts of a chunk in which entropies are computed, and weights converted: copies of a whole chunk never exist."""


class Scores(NamedTuple):
    """Of response tokens, in order, both in float32."""

    logprobs_R: Tensor
    entropy_R: Tensor | None
    """In nats, without a gradient; None if it was not wanted."""
    others_RK: Tensor
    """Log-probabilities of other tokens at the same places; K is 0 if none were wanted."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is wanted at the place of each token."""

    tokens_RJ: Tensor
    """The token itself, then others."""
    temperature: float
    with_entropy: bool = False
    top_k: int = 0
    """If not 0: instead of the entropy the so many most probable tokens, without a gradient (TopTokens)."""


class TopTokens(NamedTuple):
    """The K most probable tokens in the place of each token."""

    own_R: Tensor
    """Log-probability of the token that stands there."""
    logprobs_RK: Tensor
    """Of the most probable ones, in float32."""
    ids_RK: Tensor

    @classmethod
    def of(cls, logprobs_RV: Tensor, tokens_R: Tensor, *, top_k: int) -> TopTokens:
        """From the log-probabilities of the vocabulary."""
        best = logprobs_RV.topk(min(top_k, logprobs_RV.shape[1]), dim=1)
        return cls(logprobs_RV.gather(1, tokens_R[:, None])[:, 0], best.values, best.indices)

    def packed(self) -> Tensor:
        """As one array (R, 1 + 2 K) of float32, in which whole numbers below 2**24 are exact, so every id is."""
        return torch.cat([self.own_R[:, None], self.logprobs_RK, self.ids_RK.float()], dim=1)

    @classmethod
    def unpacked(cls, packed_RT: Tensor) -> TopTokens:
        """The inverse."""
        k = packed_RT.shape[1] // 2
        return cls(packed_RT[:, 0], packed_RT[:, 1 : 1 + k], packed_RT[:, 1 + k :].long())


class TokenHead(torch.nn.Linear):  # type: ignore[misc]  # torch is not followed
    """The output layer of a language model, with its weights. Within asked(), it answers instead of giving logits."""

    def __init__(self, layer: Any, *, in_float32: bool = False, chunk_elements: int = CHUNK_ELEMENTS) -> None:
        """`in_float32`: multiply in float32, whatever the type of weights and hidden states."""
        torch.nn.Module.__init__(self)
        self.in_features, self.out_features = layer.in_features, layer.out_features
        self.weight, self.bias = layer.weight, layer.bias
        self.in_float32, self.chunk_elements = in_float32, chunk_elements
        self.is_last: bool | None = None
        """Whether the model returns what this layer gives; None before that has been seen."""
        self._question: Question | None = None
        self._answer: tuple[int, int] | None = None

    @contextlib.contextmanager
    def asked(self, question: Question) -> Iterator[None]:
        """Answer this instead of giving logits."""
        self._question = question
        try:
            yield
        finally:
            self._question = self._answer = None

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name
        """Logits; when asked, the log-probabilities of each token's J, and its entropy, of shape (1, R, J + 1)."""
        if self._question is None:
            return super().forward(input)
        if self._question.top_k:
            found = self._top_tokens(input[0], self._question)
        else:
            found = _TokenScores.apply(input[0], self.weight, self.bias, self._question, self)
        self._answer = _identity(found)
        return found[None]

    def scores(self, returned: Tensor) -> Scores | None:
        """From what the model returned while this was asked; None if it scales or caps what this layer gives."""
        question = self._question
        assert question is not None
        if not self._is_answer(returned):
            return None
        entropy_R = returned[0, :, -1].detach() if question.with_entropy else None
        return Scores(returned[0, :, 0], entropy_R, returned[0, :, 1:-1])

    def top_tokens(self, returned: Tensor) -> TopTokens | None:
        """The same of a question with top_k."""
        return TopTokens.unpacked(returned[0]) if self._is_answer(returned) else None

    def _is_answer(self, returned: Tensor) -> bool:
        self.is_last = self._answer == _identity(returned)
        return self.is_last

    def _top_tokens(self, hidden_RH: Tensor, question: Question) -> Tensor:
        layer = _Layer(self.weight, self.bias, head=self)
        with torch.no_grad():
            parts = [
                TopTokens.of(
                    torch.log_softmax(layer.logits(hidden_RH[rows], question.temperature), dim=-1),
                    question.tokens_RJ[rows, 0],
                    top_k=question.top_k,
                ).packed()
                for rows in _slices(len(hidden_RH), self.chunk_elements // len(self.weight))
            ]
        return torch.cat(parts)


def _identity(tensor: Tensor) -> tuple[int, int]:
    """Other if the tensor is another, or was changed in place."""
    return tensor.untyped_storage()._cdata, tensor._version  # noqa: SLF001 - nothing public tells it


def with_token_head(model: Any, *, in_float32: bool) -> None:
    """Give a language model a TokenHead for its output layer, if that is a plain linear one."""
    layer = model.get_output_embeddings()
    if type(layer) is torch.nn.Linear:
        model.set_output_embeddings(TokenHead(layer, in_float32=in_float32))


class _TokenScores(torch.autograd.Function):  # type: ignore[misc]  # torch is not followed
    """From hidden states (R, H) to (R, J + 1). Logits of a single chunk are kept for the backward pass."""

    @staticmethod
    def forward(ctx: Any, hidden_RH: Tensor, *given: Any) -> Tensor:
        weight_VH, bias_V, question, head = given
        layer = _Layer(weight_VH, bias_V, head=head)
        out_RW = torch.zeros(len(hidden_RH), question.tokens_RJ.shape[1] + 1, device=hidden_RH.device)
        lse_R = torch.empty(len(hidden_RH), device=hidden_RH.device)
        chunks = _slices(len(hidden_RH), head.chunk_elements // len(weight_VH))
        kept_CV = None
        for rows in chunks:
            logits_CV = layer.logits(hidden_RH[rows], question.temperature)
            lse_R[rows] = _by_block(functools.partial(torch.logsumexp, dim=-1), logits_CV)
            out_RW[rows, :-1] = logits_CV.gather(1, question.tokens_RJ[rows]) - lse_R[rows, None]
            if question.with_entropy:
                out_RW[rows, -1] = _by_block(entropy, logits_CV)
            if len(chunks) == 1 and any(ctx.needs_input_grad):
                kept_CV = logits_CV
            del logits_CV  # before the next are computed
        ctx.save_for_backward(hidden_RH, weight_VH, bias_V, question.tokens_RJ, lse_R)
        ctx.kept_CV = kept_CV
        ctx.chunks, ctx.temperature, ctx.head = chunks, question.temperature, head
        return out_RW

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Any, ...]:
        hidden_RH, weight_VH, bias_V, tokens_RJ, lse_R = ctx.saved_tensors
        layer = _Layer(weight_VH, bias_V, head=ctx.head)
        found = _Gradients(layer, hidden_RH, num_chunks=len(ctx.chunks))
        gradient_RJ = gradients[0][:, :-1]
        total_R = gradient_RJ.sum(dim=1)
        for rows in ctx.chunks:
            kept_CV, ctx.kept_CV = ctx.kept_CV, None
            logits_CV = layer.logits(hidden_RH[rows], ctx.temperature) if kept_CV is None else kept_CV
            # In place: d logprob / d logits = 1 at the token - softmax.
            logits_CV.sub_(lse_R[rows, None]).exp_().mul_(-total_R[rows, None])
            logits_CV.scatter_add_(1, tokens_RJ[rows], gradient_RJ[rows])
            if ctx.temperature != 1.0:
                logits_CV.div_(ctx.temperature)
            gradient_CV = logits_CV.to(layer.dtype)
            del kept_CV, logits_CV
            found.add(rows, gradient_CV)
            del gradient_CV
        return found.hidden_RH, found.weight_VH, found.bias_V, None, None


class _Layer:
    """Products with the weights of an output layer, in their type or in float32."""

    def __init__(self, weight_VH: Tensor, bias_V: Tensor | None, *, head: TokenHead) -> None:
        self.weight_VH, self.bias_V = weight_VH, bias_V
        self.dtype = torch.float32 if head.in_float32 else weight_VH.dtype
        size = head.chunk_elements // weight_VH.shape[1]
        self.rows = _slices(len(weight_VH), size // 4)
        """Entries of the vocabulary whose gradients are summed at a time."""
        converts = self.dtype != weight_VH.dtype
        self._blocks = _slices(len(weight_VH), size // _BLOCKS) if converts else [slice(None)]

    def logits(self, hidden_CH: Tensor, temperature: float) -> Tensor:
        """Divided by the temperature, in float32, in memory of their own. Shape (C, V)."""
        parts = (self._product(hidden_CH.to(self.dtype), block) for block in self._blocks)
        if len(self._blocks) == 1:
            logits_CV = next(parts).float()
        else:
            logits_CV = torch.empty(len(hidden_CH), len(self.weight_VH), device=hidden_CH.device)
            for block, part in zip(self._blocks, parts, strict=True):
                logits_CV[:, block] = part
        return logits_CV if temperature == 1.0 else logits_CV.div_(temperature)

    def to_hidden(self, gradient_CV: Tensor) -> Tensor:
        """The gradient of the hidden states. Shape (C, H)."""
        parts = (gradient_CV[:, block] @ self.weight_VH[block].to(self.dtype) for block in self._blocks)
        return functools.reduce(Tensor.add_, parts)

    def _product(self, hidden_CH: Tensor, block: slice) -> Tensor:
        bias = None if self.bias_V is None else self.bias_V[block].to(self.dtype)
        return linear(hidden_CH, self.weight_VH[block].to(self.dtype), bias)


class _Gradients:
    """Sums over chunks. If there is more than one, those of weights are in float32: 16 bits would lose small parts."""

    def __init__(self, layer: _Layer, hidden_RH: Tensor, *, num_chunks: int) -> None:
        self._layer, self._inputs_RH = layer, hidden_RH
        self._has_one = num_chunks == 1
        self.hidden_RH = torch.empty_like(hidden_RH)
        self.weight_VH = torch.zeros_like(
            layer.weight_VH[:0] if self._has_one else layer.weight_VH, dtype=torch.float32
        )
        self.bias_V = None if layer.bias_V is None else torch.zeros_like(layer.bias_V, dtype=torch.float32)

    def add(self, rows: slice, gradient_CV: Tensor) -> None:
        """Add the part of a chunk, from the gradient of its logits."""
        inputs_CH = self._inputs_RH[rows].to(self._layer.dtype)
        self.hidden_RH[rows] = self._layer.to_hidden(gradient_CV)
        if self.bias_V is not None:
            self.bias_V += gradient_CV.sum(dim=0, dtype=torch.float32)
        if self._has_one:
            self.weight_VH = gradient_CV.t() @ inputs_CH
        elif gradient_CV.dtype == torch.float32:
            self.weight_VH.addmm_(gradient_CV.t(), inputs_CH)
        else:
            for block in self._layer.rows:
                self.weight_VH[block] += gradient_CV[:, block].t() @ inputs_CH


def _by_block(compute: Callable[..., Tensor], logits_CV: Tensor) -> Tensor:
    """One number for each row, of a few rows at a time. Shape (C,)."""
    return torch.cat([compute(block) for block in logits_CV.split(max(1, len(logits_CV) // _BLOCKS))])


def _slices(count: int, size: int) -> list[slice]:
    """Of at most `size` (and at least one) each."""
    size = max(1, size)
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]
