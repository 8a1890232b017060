"""Attention inside each sequence of a pack, where a prompt stands once before all of its responses.

N tokens of a pack; S sequences, each a prompt with one of its responses: at most L queries that attend to at most K
keys; H heads of D numbers.

`packed_sdpa` is registered with transformers as an attention implementation that gets the places of each sequence, so
nothing depends on transformers guessing them from position ids, and no (N, N) mask is ever built: keys and values of a
prompt are repeated for each of its responses, in the attention alone. flash_attention_2 is told the same by lengths.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.utils.checkpoint
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from orz_rl.ppo.packs import Lengths

MOST_REPEATS = 2
"""Where sequences with their prompts have more tokens than this times the pack, the repeated ones are not kept for the
backward pass but made again, and a block holds no more of them than the pack has tokens."""


_KERNEL_BLOCK = 32
"""Queries that PyTorch's kernel for CPUs takes at a time, which decides how much of causal attention it can skip."""


class Sequences:
    """The places in a pack of each sequence. A prompt without a response is one, too."""

    def __init__(self, lengths: Sequence[Lengths]) -> None:
        prompts = np.repeat([each.prompt for each in lengths], [len(each.responses) or 1 for each in lengths])
        responses = np.array([length for each in lengths for length in (each.responses or (0,))])
        groups = np.cumsum([0, *(each.num_tokens for each in lengths[:-1])])
        self.num_tokens = sum(each.num_tokens for each in lengths)
        self.prompts_S = prompts
        self.lengths_S = prompts + responses
        self._starts_S = np.repeat(groups, [len(each.responses) or 1 for each in lengths])
        """Of the prompt."""
        self._is_first_S = np.r_[True, self._starts_S[1:] != self._starts_S[:-1]]
        """Whether its response is the first of its prompt."""
        own_S = responses + prompts * self._is_first_S
        self._shifts_S = own_S.cumsum() - self.lengths_S
        """What, added to the position of a token of a response, is its place."""

    @property
    def must_repeat(self) -> bool:
        """Whether the repeated prompts would take too much memory to be kept."""
        return bool(self.lengths_S.sum() > MOST_REPEATS * self.num_tokens)

    def blocks(self) -> list[tuple[Any, bool]]:
        """The sequences, as indices, in blocks of similar length, so that little of a block is padding.

        With each block: whether its queries are those of the responses only. That needs a mask, and is faster if they
        are fewer than half of the sequence, to the size of the blocks in which kernels compute causal attention.
        """
        is_short_S = ~self._is_first_S & (self.lengths_S < 2 * self.prompts_S + _KERNEL_BLOCK)
        by_size: dict[tuple[int, bool], list[int]] = {}
        for index, (length, is_short) in enumerate(zip(self.lengths_S.tolist(), is_short_S.tolist(), strict=True)):
            by_size.setdefault((length.bit_length(), is_short), []).append(index)
        found = []
        for (_, is_short), chosen in by_size.items():
            members = np.array(chosen)
            longest = self.lengths_S[members].max()
            size = max(1, self.num_tokens // longest) if self.must_repeat else len(members)
            found += [(members[start : start + size], is_short) for start in range(0, len(members), size)]
        return found

    def places(self, members: Any, *, are_short: bool = False) -> _Places:
        """Of the tokens of some sequences, or of their responses."""
        prompts_S1, lengths_S1 = self.prompts_S[members][:, None], self.lengths_S[members][:, None]
        first_S1 = prompts_S1 * are_short
        position_SL = first_S1 + np.arange((lengths_S1 - first_S1).max())
        starts_S1, shifts_S1 = self._starts_S[members][:, None], self._shifts_S[members][:, None]
        place_SL = position_SL + np.where(position_SL < prompts_S1, starts_S1, shifts_S1)
        return _Places(
            place_SL.clip(max=self.num_tokens - 1), position_SL < lengths_S1, np.minimum(position_SL, lengths_S1 - 1)
        )


class _Places(NamedTuple):
    """Padded at the end, (S, L)."""

    place_SL: Any
    """In the pack; padding repeats some place."""
    is_token_SL: Any
    position_SL: Any
    """In the sequence; padding repeats the last."""


class Block:
    """The queries and keys of some sequences."""

    def __init__(self, queries: _Places, keys: _Places | None, device: torch.device) -> None:
        """`keys`: None if they are those of the queries."""
        self.query_SL: Tensor = torch.from_numpy(queries.place_SL).to(device)
        """Indices of tokens of the pack."""
        self.key_SK = self.query_SL if keys is None else torch.from_numpy(keys.place_SL).to(device)
        self._is_square = keys is None
        self._position_SL: Tensor = torch.from_numpy(queries.position_SL).to(device)
        self._masks: dict[tuple[int, bool], Tensor | None] = {}

    def mask(self, window: int | None, *, is_needed: bool) -> Tensor | None:
        """The keys that each query attends to; None if these are all earlier ones and a mask is not needed."""
        length = self.key_SK.shape[1]
        window = min(length, window or length)
        if (window, is_needed) not in self._masks:
            self._masks[window, is_needed] = self._new_mask(window, is_needed=is_needed)
        return self._masks[window, is_needed]

    def _new_mask(self, window: int, *, is_needed: bool) -> Tensor | None:
        key_K = torch.arange(self.key_SK.shape[1], device=self.key_SK.device)
        if self._is_square:
            if window == len(key_K) and not is_needed:
                return None
            distance = key_K[:, None] - key_K
        else:
            distance = self._position_SL[:, None, :, None] - key_K
        return (distance >= 0) & (distance < window)


class Layout:
    """What packed_sdpa is told: which tokens form a block, and where in the blocks each token is."""

    def __init__(self, lengths: Sequence[Lengths], device: torch.device) -> None:
        sequences = Sequences(lengths)
        self.is_recomputed = sequences.must_repeat
        self.blocks: list[Block] = []
        places, is_token = [], []
        for members, are_short in sequences.blocks():
            queries = sequences.places(members, are_short=are_short)
            self.blocks.append(Block(queries, sequences.places(members) if are_short else None, device))
            places.append(queries.place_SL.ravel())
            is_token.append(queries.is_token_SL.ravel())
        tokens = np.flatnonzero(np.concatenate(is_token))
        _, first = np.unique(np.concatenate(places)[tokens], return_index=True)
        self.order_N = torch.from_numpy(tokens[first]).to(device)
        """For each token of the pack: its index in the concatenation of the flattened queries of all blocks; one of a
        prompt may be there several times."""


class Keys:
    """What flash attention is told: the tokens that each run of tokens of the pack attends to.

    Runs follow one another in the pack: a prompt with its first response, then each further response. Each attends to
    its sequence up to itself, aligned at the end.
    """

    def __init__(self, lengths: Sequence[Lengths], device: torch.device) -> None:
        sequences = Sequences(lengths)
        keys_S = sequences.lengths_S
        queries = [
            length + (each.prompt if index == 0 else 0)
            for each in lengths
            for index, length in enumerate(each.responses or (0,))
        ]
        self.is_recomputed = sequences.must_repeat
        self.place_K: Tensor | None = None
        """Of all runs, one after the other; None if these are all tokens in their order."""
        if keys_S.sum() > sequences.num_tokens:
            found = sequences.places(np.arange(len(keys_S)))
            self.place_K = torch.from_numpy(found.place_SL[found.is_token_SL]).to(device)
        self.options = {
            "cu_seq_lens_q": torch.tensor((0, *queries)).cumsum(0).to(device, torch.int32),
            "cu_seq_lens_k": torch.tensor((0, *keys_S)).cumsum(0).to(device, torch.int32),
            "max_length_q": max(queries),
            "max_length_k": int(keys_S.max()),
        }


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
    window, softcap, scale = (options.get(name) for name in ("sliding_window", "softcap", "scaling"))
    rows_NHD = [x[0].transpose(0, 1) for x in (query, *others[:2])]

    def attend(block: Block) -> Tensor:
        places = (block.query_SL, block.key_SK, block.key_SK)
        # index_select: the backward pass of indexing is several times slower on a CPU.
        q, k, v = (
            x.index_select(0, place.flatten()).unflatten(0, place.shape).transpose(1, 2)
            for x, place in zip(rows_NHD, places, strict=True)
        )
        mask = block.mask(window, is_needed=softcap is not None)
        if softcap is None:
            found = scaled_dot_product_attention(
                q, k, v, attn_mask=mask, is_causal=mask is None, scale=scale, enable_gqa=True
            )
        else:
            found = _softcapped((q, k, v), mask=mask, softcap=softcap, scale=scale)
        return found.transpose(1, 2).flatten(0, 1)

    outputs = [_kept_or_made_again(attend, block, again=layout.is_recomputed) for block in layout.blocks]
    # Padding follows its sequence, so no token attends to it; it is dropped here.
    return torch.cat(outputs).index_select(0, layout.order_N)[None], None


def packed_flash(module: Any, query: Tensor, *others: Any, **options: Any) -> tuple[Tensor, None]:
    """flash_attention_2 of transformers, which gets the keys and values that each run of a pack attends to.

    flash-attn aligns queries and keys at their ends (since 2.1). Written, and tested with a stand-in for its kernel;
    never run on a GPU.
    """
    from transformers.integrations.flash_attention import flash_attention_forward

    key, value, mask = others
    keys: Keys | None = options.pop("pack_keys", None)
    if keys is None:
        return flash_attention_forward(module, query, key, value, mask, **options)  # type: ignore[no-any-return]
    options |= keys.options
    place_K = keys.place_K
    if place_K is None:
        return flash_attention_forward(module, query, key, value, mask, **options)  # type: ignore[no-any-return]

    def attend(place_K: Tensor) -> Tensor:
        k, v = (x.index_select(2, place_K) for x in (key, value))
        return flash_attention_forward(module, query, k, v, mask, **options)[0]

    return _kept_or_made_again(attend, place_K, again=keys.is_recomputed), None


def register_packed_attention() -> None:
    """Register `packed_sdpa` with transformers, and let flash_attention_2 take packs with shared prompts."""
    from transformers import AttentionInterface

    AttentionInterface.register("packed_sdpa", packed_sdpa)
    AttentionInterface.register("flash_attention_2", packed_flash)


def attention_inputs(attention: str, lengths: Sequence[Lengths], *, device: torch.device) -> dict[str, Any]:
    """What a model's forward pass hands on to this implementation of attention."""
    if attention == "packed_sdpa":
        return {"layout": Layout(lengths, device)}
    return {"pack_keys": Keys(lengths, device)}


def _kept_or_made_again(attend: Callable[[Any], Tensor], places: Any, *, again: bool) -> Tensor:
    if not again:
        return attend(places)
    made: Tensor = torch.utils.checkpoint.checkpoint(attend, places, use_reentrant=False, preserve_rng_state=False)
    return made


def _softcapped(
    qkv: tuple[Tensor, Tensor, Tensor], *, mask: Tensor | None, softcap: float, scale: float | None
) -> Tensor:
    """Attention with scores capped smoothly at ±softcap (Gemma 2). Holds all scores of a block, (S, H, L, K)."""
    q, k, v = qkv
    groups = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(groups, dim=1), v.repeat_interleave(groups, dim=1)
    scores = q @ k.transpose(-1, -2) * (q.shape[-1] ** -0.5 if scale is None else scale)
    scores = softcap * torch.tanh(scores / softcap)
    assert mask is not None
    scores = scores.masked_fill(~mask, float("-inf"))
    return torch.softmax(scores, dim=-1, dtype=torch.float32).to(v.dtype) @ v
