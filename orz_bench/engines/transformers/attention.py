"""The attention and the cache of decoding on a CPU: as transformers has them, bit for bit, without their copies.

transformers' `sdpa` repeats keys and values for every query head of a group when there is a mask, and its cache is
copied for every token. torch's kernel on a CPU reads grouped heads as they are, and a cache with room takes a token
without a copy. Together they are about a third of the CPU time of decoding with a small model.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface, DynamicCache
from transformers.cache_utils import DynamicLayer
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import causal_mask_function, sdpa_mask

_NAME = "grouped_sdpa"
_ROOM = 64
"""Tokens that a full cache grows by, at least."""


def attend_by_groups(model: Any) -> None:
    """Let a model that attends with transformers' `sdpa` on a CPU read keys and values without repeating them."""
    has_sdpa = getattr(model.config, "_attn_implementation", None) == "sdpa"
    if has_sdpa and getattr(model, "_supports_attention_backend", False):
        AttentionInterface.register(_NAME, grouped_sdpa)
        AttentionMaskInterface.register(_NAME, mask_of_grouped_sdpa)
        model.set_attn_implementation(_NAME)


def grouped_sdpa(module: Any, query: Tensor, *others: Any, **options: Any) -> tuple[Tensor, None]:
    """transformers' `sdpa`; where it would repeat heads because of a mask, torch's kernel for grouped heads instead.

    transformers calls it with (module, queries (B, H, T, D), keys and values (B, H / groups, L, D), mask); it returns
    (B, T, H, D).
    """
    key, value, attention_mask = others
    is_plain = options.get("position_bias") is None and options.get("cache") is None
    if attention_mask is None or not is_plain or key.shape[1] == query.shape[1]:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **options)  # type: ignore[no-any-return]
    attended = scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=attention_mask,
        dropout_p=options.get("dropout", 0.0),
        scale=options.get("scaling"),
        enable_gqa=True,
    )
    return attended.transpose(1, 2).contiguous(), None


def mask_of_grouped_sdpa(
    *,
    batch_size: int,
    q_length: int,
    kv_length: int,
    mask_function: Any = causal_mask_function,
    attention_mask: Tensor | None = None,
    **options: Any,
) -> Tensor | None:
    """transformers' mask of `sdpa`; for one new token that sees everything before it, the padding alone decides.

    `attention_mask` (B, kv_length), true for tokens of the row; returns (B, 1, q_length, kv_length).
    """
    sees_all = q_length == 1 and mask_function is causal_mask_function
    if sees_all and attention_mask is not None and attention_mask.shape == (batch_size, kv_length):
        return attention_mask.bool()[:, None, None, :]
    made: Tensor | None = sdpa_mask(
        batch_size, q_length, kv_length, mask_function=mask_function, attention_mask=attention_mask, **options
    )
    return made


def cache_with_room(config: Any) -> Any:
    """An empty cache of a model; layers that keep every token have room for more."""
    cache = DynamicCache(config=config)
    cache.layers = [_RoomyLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache


class _RoomyLayer(DynamicLayer):  # type: ignore[misc]  # transformers is not followed
    """Keys and values of all tokens so far, as views of larger buffers of shape (2, B, H, room, D)."""

    keys: Tensor
    values: Tensor
    _held: Tensor | None = None
    """The buffer that `keys` and `values` show the start of; None before the first token."""

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """All keys and values, with these at the end."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        before = self.get_seq_length()
        after = before + key_states.shape[-2]
        if self._held is None or after > self._held.shape[-2]:
            shape = (2, *key_states.shape[:-2], after + max(_ROOM, after // 4), key_states.shape[-1])
            held = key_states.new_empty(shape)
            if before:
                held[0, ..., :before, :], held[1, ..., :before, :] = self.keys, self.values
            self._held = held
        self._held[0, ..., before:after, :], self._held[1, ..., before:after, :] = key_states, value_states
        self.keys, self.values = self._held[0, ..., :after, :], self._held[1, ..., :after, :]
        return self.keys, self.values

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keep only these rows."""
        self._take(lambda held: held.index_select(1, indices))

    def batch_repeat_interleave(self, repeats: int) -> None:
        """Repeat every row."""
        self._take(lambda held: held.repeat_interleave(repeats, dim=1))

    def _take(self, rows: Callable[[Tensor], Tensor]) -> None:
        if self._held is not None:
            length = self.get_seq_length()
            self._held = rows(self._held)
            self.keys, self.values = self._held[0, ..., :length, :], self._held[1, ..., :length, :]
