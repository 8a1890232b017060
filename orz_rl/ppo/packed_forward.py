"""Several sequences in one row of a causal language model, none of which sees another.

N tokens of all sequences of a pack, one after the other; R of them were sampled (responses); V the vocabulary; S
sequences of at most L tokens; H heads of D numbers.

`packed_sdpa` is registered with transformers as an attention implementation that gets the position of each sequence, so
nothing depends on transformers guessing it from position ids, and no (N, N) mask is ever built. flash_attention_2 gets
the same by cumulative lengths. Tested against one forward pass per sequence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.utils.checkpoint
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from orz_rl.ppo.losses import entropy
from orz_rl.ppo.packs import Pack as Pack
from orz_rl.ppo.token_head import Question, Scores, TokenHead

_LOGIT_ELEMENTS = 2**26
"""Number of logits converted to float32 at a time: 256 MiB."""


def response_scores(model: Any, pack: Pack, *, temperature: float = 1.0, with_entropy: bool = False) -> Scores:
    """Log-probabilities, and entropies, of a pack's response tokens, at the sampling temperature.

    In chunks from the hidden states if the model's output layer is a TokenHead whose logits the model returns as they
    are; otherwise (such as Gemma 2, which caps them) from the logits of the whole pack, in the model's dtype.
    """
    tokens_R = pack.tokens_N[pack.targets_R]
    head = getattr(model, "module", model).get_output_embeddings()
    if isinstance(head, TokenHead) and head.is_last is not False:
        with head.asked(Question(tokens_R, temperature, with_entropy)):
            scores = head.scores(_at_targets(model, pack))
        if scores is not None:
            return scores
    logits_RV = response_logits(model, pack)
    logprobs_R = token_logprobs(logits_RV, tokens_R, temperature=temperature)
    return Scores(logprobs_R, token_entropies(logits_RV, temperature=temperature) if with_entropy else None)


def response_logprobs(model: Any, pack: Pack, *, temperature: float = 1.0) -> Tensor:
    """Log-probabilities of a pack's response tokens, in order, at the sampling temperature. Shape (R,), float32."""
    return response_scores(model, pack, temperature=temperature).logprobs_R


def response_logits(model: Any, pack: Pack) -> Tensor:
    """The logits from which each response token was sampled, in the model's dtype: of a small pack. Shape (R, V)."""
    return _at_targets(model, pack)[0]


def _at_targets(model: Any, pack: Pack) -> Tensor:
    """What the output layer gives where each response token was sampled, and nowhere else."""
    # With a tensor of positions, transformers computes the output layer only there.
    found: Tensor = model(**_inputs(model, pack), logits_to_keep=pack.targets_R - 1).logits
    return found


def response_values(model: Any, pack: Pack) -> Tensor:
    """The critic's value of the state before each response token. Shape (R,), float32.

    `model` returns one number per token, of shape (1, N, 1).
    """
    values_N = model(**_inputs(model, pack))[0, :, 0].float()
    return values_N[pack.targets_R - 1]


def values_of(model: Any, sequences: Sequence[Sequence[int]]) -> list[Tensor]:
    """The critic's value at every token of each sequence, one forward pass per sequence. Shape (N,), float32."""
    packs = [Pack.of([(tokens, ())]) for tokens in sequences]
    return [model(**_inputs(model, pack))[0, :, 0].float() for pack in packs]


def token_logprobs(logits_RV: Tensor, tokens_R: Tensor, *, temperature: float) -> Tensor:
    """log softmax(logits / temperature) at the tokens, in float32. Shape (R,).

    Computed in pieces that are recomputed in the backward pass, so that a float32 copy of all logits never exists.
    """
    rows = max(1, _LOGIT_ELEMENTS // logits_RV.shape[1])
    if len(tokens_R) <= rows:
        return _piece_logprobs(logits_RV, tokens_R, temperature=temperature)
    pieces = zip(logits_RV.split(rows), tokens_R.split(rows), strict=True)
    return torch.cat(
        [
            torch.utils.checkpoint.checkpoint(
                _piece_logprobs, logits, tokens, temperature=temperature, use_reentrant=False
            )
            for logits, tokens in pieces
        ]
    )


def _piece_logprobs(logits_RV: Tensor, tokens_R: Tensor, *, temperature: float) -> Tensor:
    scaled_RV = logits_RV.float() if temperature == 1.0 else logits_RV.float() / temperature
    return scaled_RV.gather(1, tokens_R[:, None])[:, 0] - torch.logsumexp(scaled_RV, dim=-1)


def token_entropies(logits_RV: Tensor, *, temperature: float) -> Tensor:
    """Entropy at each token, in nats, in pieces without a gradient. Shape (R,), float32."""
    with torch.no_grad():
        pieces = logits_RV.split(max(1, _LOGIT_ELEMENTS // logits_RV.shape[1]))
        return torch.cat([entropy(piece.float() / temperature) for piece in pieces])


class Layout:
    """The positions of a pack's sequences, in blocks of similar length, so that little of a block is padding."""

    def __init__(self, lengths: Sequence[int], device: torch.device) -> None:
        lengths_S = np.array(lengths)
        starts_S = lengths_S.cumsum() - lengths_S
        by_size: dict[int, list[int]] = {}
        for index, length in enumerate(lengths):
            by_size.setdefault(length.bit_length(), []).append(index)
        self.blocks: list[Tensor] = []
        """For each block: the indices of its tokens in the pack, (S, L); padding repeats some index."""
        places: list[Any] = []
        is_token: list[Any] = []
        for members in by_size.values():
            offset_L = np.arange(lengths_S[members].max())
            place_SL = (starts_S[members][:, None] + offset_L).clip(max=lengths_S.sum() - 1)
            self.blocks.append(torch.from_numpy(place_SL).to(device))
            places.append(place_SL.ravel())
            is_token.append((offset_L < lengths_S[members][:, None]).ravel())
        tokens = np.flatnonzero(np.concatenate(is_token))
        self.order_N = torch.from_numpy(tokens[np.concatenate(places)[tokens].argsort()]).to(device)
        """For each token of the pack: its index in the concatenation of all flattened blocks."""


def packed_sdpa(_module: Any, query: Tensor, *others: Any, **options: Any) -> tuple[Tensor, None]:
    """Causal attention inside each sequence of a pack: from (1, H, N, D) to (1, N, H, D).

    transformers calls it with (module, query, key, value, mask). Raises NotImplementedError for a model that does not
    pass on the positions of the sequences, or whose attention has further terms.
    """
    layout: Layout | None = options.get("layout")
    if layout is None:
        raise NotImplementedError("its layers do not pass the positions of packed sequences to the attention")
    if others[2] is not None or options.get("s_aux") is not None:
        raise NotImplementedError("its attention has its own mask, biases or sinks")
    window, softcap = options.get("sliding_window"), options.get("softcap")
    rows_NHD = [x[0].transpose(0, 1) for x in (query, *others[:2])]
    outputs: list[Tensor] = []
    for place_SL in layout.blocks:
        flat = place_SL.flatten()
        # index_select: the backward pass of indexing is several times slower on a CPU.
        q, k, v = (x.index_select(0, flat).unflatten(0, place_SL.shape).transpose(1, 2) for x in rows_NHD)
        if softcap is None:
            mask = _window_mask(place_SL.shape[1], window, device=q.device)
            block = scaled_dot_product_attention(
                q, k, v, attn_mask=mask, is_causal=mask is None, scale=options.get("scaling"), enable_gqa=True
            )
        else:
            block = _softcapped((q, k, v), window=window, softcap=softcap, scale=options.get("scaling"))
        outputs.append(block.transpose(1, 2).flatten(0, 1))
    # Padding follows its sequence, so no token attends to it; it is dropped here.
    return torch.cat(outputs).index_select(0, layout.order_N)[None], None


def _softcapped(
    qkv: tuple[Tensor, Tensor, Tensor], *, window: int | None, softcap: float, scale: float | None
) -> Tensor:
    """Attention with scores capped smoothly at ±softcap (Gemma 2). Holds all scores of a block, (S, H, L, L)."""
    q, k, v = qkv
    groups = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(groups, dim=1), v.repeat_interleave(groups, dim=1)
    scores = q @ k.transpose(-1, -2) * (q.shape[-1] ** -0.5 if scale is None else scale)
    scores = softcap * torch.tanh(scores / softcap)
    length = q.shape[2]
    mask = _window_mask(length, window, device=q.device, is_needed=True)
    assert mask is not None
    scores = scores.masked_fill(~mask, float("-inf"))
    return torch.softmax(scores, dim=-1, dtype=torch.float32).to(v.dtype) @ v


def _window_mask(length: int, window: int | None, *, device: torch.device, is_needed: bool = False) -> Tensor | None:
    """The tokens that each token attends to; None if these are all earlier ones and a mask is not needed."""
    window = length if window is None else window
    if window >= length and not is_needed:
        return None
    position = torch.arange(length, device=device)
    distance = position[:, None] - position[None, :]
    return (distance >= 0) & (distance < window)


def register_packed_sdpa() -> None:
    """Register `attn_implementation="packed_sdpa"` with transformers."""
    from transformers import AttentionInterface

    AttentionInterface.register("packed_sdpa", packed_sdpa)


def _inputs(model: Any, pack: Pack) -> dict[str, Any]:
    config = getattr(model, "module", model).config  # a DeepSpeed engine has its own config
    inputs: dict[str, Any] = {
        "input_ids": pack.tokens_N[None],
        "position_ids": pack.positions_N[None],
        "attention_mask": None,
        "use_cache": False,
    }
    if config._attn_implementation == "packed_sdpa":  # noqa: SLF001 - the only place where transformers keeps it
        return inputs | {"layout": Layout(pack.lengths, pack.tokens_N.device)}
    ends = torch.tensor((0, *pack.lengths)).cumsum(0).to(pack.tokens_N.device, torch.int32)
    longest = max(pack.lengths)
    return inputs | {"cu_seq_lens_q": ends, "cu_seq_lens_k": ends, "max_length_q": longest, "max_length_k": longest}
