"""Memory that one pack of tokens needs in forward and backward, beyond weights and their gradients.

Sums of the tensors that PyTorch keeps for a Llama- or Qwen2-like layer with packed_sdpa; compared in the tests with all
tensors of forward and backward, counted on fake ones, for the published sizes.
"""

from __future__ import annotations

from dataclasses import dataclass

from orz_rl.planning.architectures import Architecture

CHUNK_ELEMENTS = 2**26
"""Logits that exist at a time; orz_rl.ppo.token_head has the same number, which a test compares."""
MOST_REPEATS = 2
"""Sequences with their prompts, over the tokens of a pack with shared prompts, up to which the attention keeps them;
orz_rl.ppo.packed_attention has the same number."""
_FLOAT32 = 4
_INDICES = 100
"""Bytes a token: its id and position, and its places in the pack."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackShape:
    """What decides about the memory of a pack, beside the model."""

    tokens: int
    size: int
    """Bytes of a number of the model."""
    recomputes: bool
    """Whether layers are recomputed in the backward pass."""
    has_head: bool = True
    """Of a policy; a critic's head gives one number a token."""
    head_float32: bool = False
    share_prompts: bool = False
    """Whether a pack may hold a prompt once for several responses: then as many are assumed as the attention keeps."""


def pack_bytes(model: Architecture, shape: PackShape) -> float:
    """Bytes at the peak, which is either at the output layer or in the last layer's backward pass."""
    size, hidden = shape.size, model.hidden
    layer = _layer_bytes(model, size)
    if shape.share_prompts:
        # Queries, keys, values and outputs of sequences whose prompts are repeated.
        layer += (MOST_REPEATS - 1) * 2 * (model.hidden + model.kv_heads * model.head_dim) * size
    kept = shape.tokens * model.layers * (hidden * size if shape.recomputes else layer)
    in_layer = shape.tokens * ((layer if shape.recomputes else 0) + 2 * model.intermediate * size + hidden * size)
    in_layer += hidden * model.intermediate * size  # the gradient of one matrix
    if model.tied and shape.has_head:
        in_layer += model.vocabulary * hidden * size  # that of the output layer waits for that of the embeddings
    # Inputs of the last norm, a copy in float32, its outputs, their gradient; sines and cosines.
    tail = shape.tokens * (hidden * (3 * size + _FLOAT32) + 2 * model.head_dim * size + _INDICES)
    return kept + max(in_layer, tail + (_head_bytes(model, shape) if shape.has_head else 0))


def _layer_bytes(model: Architecture, size: int) -> int:
    """A token's bytes in one layer.

    Seven times the hidden state (inputs and outputs of norms and projections, queries before and after rotation) and
    two copies of it in float32 (norms); gate, up, activation, product; keys, values; statistics of attention and norms.
    """
    kv = model.kv_heads * model.head_dim
    return (
        model.hidden * (7 * size + 2 * _FLOAT32)
        + 4 * model.intermediate * size
        + 2 * kv * size
        + _FLOAT32 * (model.heads + 2)
    )


def _head_bytes(model: Architecture, shape: PackShape) -> float:
    """The logits of a chunk, with the gradient of the weights; or those of the pack, with theirs."""
    logits, weights = shape.tokens * model.vocabulary, model.vocabulary * model.hidden
    if model.changes_logits:
        return 2 * logits * shape.size + 3 * min(CHUNK_ELEMENTS, logits) * _FLOAT32
    is_half = shape.size < _FLOAT32
    chunk = min(CHUNK_ELEMENTS, logits) * (_FLOAT32 + (shape.size if is_half and not shape.head_float32 else 0))
    if logits <= CHUNK_ELEMENTS:
        return chunk + weights * shape.size
    # Chunks are summed in float32; the sum is handed over in the model's type.
    return weights * _FLOAT32 + max(chunk, weights * shape.size if is_half else 0)
