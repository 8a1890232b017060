"""Several sequences in one row of a causal language model, none of which sees another.

N tokens of a pack; R of them were sampled (responses); V the vocabulary. The attention knows the sequences
(packed_attention.py); everything else computes each token of the row once, those of a prompt for all of its responses.
Tested against one forward pass per sequence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.utils.checkpoint
from torch import Tensor

from orz_rl.ppo.losses import entropy
from orz_rl.ppo.packed_attention import attention_inputs
from orz_rl.ppo.packs import Pack as Pack
from orz_rl.ppo.token_head import Question, Scores, TokenHead, TopTokens

_LOGIT_ELEMENTS = 2**26
"""Number of logits converted to float32 at a time: 256 MiB."""


def response_scores(
    model: Any,
    pack: Pack,
    *,
    temperature: float = 1.0,
    with_entropy: bool = False,
    others_RK: Tensor | None = None,
) -> Scores:
    """Log-probabilities, and entropies, of a pack's response tokens, at the sampling temperature; and log-probabilities
    of other tokens in the place of each.

    In chunks from the hidden states if the model's output layer is a TokenHead whose logits the model returns as they
    are; otherwise (such as Gemma 2, which caps them) from the logits of the whole pack, in the model's dtype.
    """
    tokens_RJ = pack.tokens_N[pack.targets_R][:, None]
    if others_RK is not None:
        tokens_RJ = torch.cat([tokens_RJ, others_RK], dim=1)
    head = _token_head(model)
    if head is not None:
        with head.asked(Question(tokens_RJ, temperature, with_entropy)):
            scores = head.scores(_at_targets(model, pack))
        if scores is not None:
            return scores
    logits_RV = response_logits(model, pack)
    logprobs_RJ = token_logprobs(logits_RV, tokens_RJ, temperature=temperature)
    entropy_R = token_entropies(logits_RV, temperature=temperature) if with_entropy else None
    return Scores(logprobs_RJ[:, 0], entropy_R, logprobs_RJ[:, 1:])


def response_top_tokens(model: Any, pack: Pack, *, top_k: int, temperature: float = 1.0) -> TopTokens:
    """The most probable tokens in the place of each response token, without a gradient."""
    tokens_R = pack.tokens_N[pack.targets_R]
    head = _token_head(model)
    with torch.no_grad():
        if head is not None:
            with head.asked(Question(tokens_R[:, None], temperature, top_k=top_k)):
                found = head.top_tokens(_at_targets(model, pack))
            if found is not None:
                return found
        logits_RV = response_logits(model, pack)
        rows = max(1, _LOGIT_ELEMENTS // logits_RV.shape[1])
        parts = [
            TopTokens.of(torch.log_softmax(logits.float() / temperature, dim=-1), tokens, top_k=top_k)
            for logits, tokens in zip(logits_RV.split(rows), tokens_R.split(rows), strict=True)
        ]
        return TopTokens(*map(torch.cat, zip(*parts, strict=True)))


def _token_head(model: Any) -> TokenHead | None:
    head = getattr(model, "module", model).get_output_embeddings()
    return head if isinstance(head, TokenHead) and head.is_last is not False else None


def response_logprobs(model: Any, pack: Pack, *, temperature: float = 1.0) -> Tensor:
    """Log-probabilities of a pack's response tokens, in order, at the sampling temperature. Shape (R,), float32."""
    return response_scores(model, pack, temperature=temperature).logprobs_R


def response_logits(model: Any, pack: Pack) -> Tensor:
    """The logits from which each response token was sampled, in the model's dtype: of a small pack. Shape (R, V)."""
    return _at_targets(model, pack)[0]


def _at_targets(model: Any, pack: Pack) -> Tensor:
    """What the output layer gives where each response token was sampled, and nowhere else."""
    # With a tensor of positions, transformers computes the output layer only there.
    found: Tensor = model(**_inputs(model, pack), logits_to_keep=pack.sources_R).logits
    return found


def response_values(model: Any, pack: Pack) -> Tensor:
    """The critic's value of the state before each response token. Shape (R,), float32.

    `model` returns one number per token, of shape (1, N, 1).
    """
    values_N = model(**_inputs(model, pack))[0, :, 0].float()
    return values_N[pack.sources_R]


def values_of(model: Any, sequences: Sequence[Sequence[int]]) -> list[Tensor]:
    """The critic's value at every token of each sequence, one forward pass per sequence. Shape (N,), float32."""
    packs = [Pack.of([(tokens, ())]) for tokens in sequences]
    return [model(**_inputs(model, pack))[0, :, 0].float() for pack in packs]


def token_logprobs(logits_RV: Tensor, tokens_RJ: Tensor, *, temperature: float) -> Tensor:
    """log softmax(logits / temperature) at J tokens of each place, in float32. Shape (R, J).

    Computed in pieces that are recomputed in the backward pass, so that a float32 copy of all logits never exists.
    """
    rows = max(1, _LOGIT_ELEMENTS // logits_RV.shape[1])
    if len(tokens_RJ) <= rows:
        return _piece_logprobs(logits_RV, tokens_RJ, temperature=temperature)
    pieces = zip(logits_RV.split(rows), tokens_RJ.split(rows), strict=True)
    return torch.cat(
        [
            torch.utils.checkpoint.checkpoint(
                _piece_logprobs, logits, tokens, temperature=temperature, use_reentrant=False
            )
            for logits, tokens in pieces
        ]
    )


def _piece_logprobs(logits_RV: Tensor, tokens_RJ: Tensor, *, temperature: float) -> Tensor:
    scaled_RV = logits_RV.float() if temperature == 1.0 else logits_RV.float() / temperature
    return scaled_RV.gather(1, tokens_RJ) - torch.logsumexp(scaled_RV, dim=-1, keepdim=True)


def token_entropies(logits_RV: Tensor, *, temperature: float) -> Tensor:
    """Entropy at each token, in nats, in pieces without a gradient. Shape (R,), float32."""
    with torch.no_grad():
        pieces = logits_RV.split(max(1, _LOGIT_ELEMENTS // logits_RV.shape[1]))
        return torch.cat([entropy(piece.float() / temperature) for piece in pieces])


def _inputs(model: Any, pack: Pack) -> dict[str, Any]:
    config = getattr(model, "module", model).config  # a DeepSpeed engine has its own config
    inputs: dict[str, Any] = {
        "input_ids": pack.tokens_N[None],
        "position_ids": pack.positions_N[None],
        "attention_mask": None,
        "use_cache": False,
    }
    attention = config._attn_implementation  # noqa: SLF001 - the only place where transformers keeps it
    return inputs | attention_inputs(attention, pack.lengths, device=pack.tokens_N.device)
