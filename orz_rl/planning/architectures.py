"""Sizes of decoder models: from a checkpoint's config.json, or for the published base models from a table.

`orz-rl plan` needs no weights: a model's memory and time follow from these numbers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from orz_bench.errors import ConfigError
from orz_bench.records.regular import read_text
from orz_rl.assets.resolve import TINY


@dataclass(frozen=True, slots=True)
class Architecture:
    """A Llama- or Qwen2-like decoder."""

    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    vocabulary: int
    tied: bool
    qkv_bias: bool
    changes_logits: bool = False
    """Whether the model scales or caps the output layer's logits, so that those of a whole pack exist."""

    @property
    def head_dim(self) -> int:
        """Dimension of a head."""
        return self.hidden // self.heads

    @property
    def layer_parameters(self) -> int:
        """Weights and norms of one layer."""
        kv = self.kv_heads * self.head_dim
        attention = 2 * self.hidden**2 + 2 * self.hidden * kv
        bias = self.hidden + 2 * kv if self.qkv_bias else 0
        return attention + bias + 3 * self.hidden * self.intermediate + 2 * self.hidden

    @property
    def body_parameters(self) -> int:
        """Parameters without the output layer: input embeddings, layers, last norm."""
        return self.vocabulary * self.hidden + self.layers * self.layer_parameters + self.hidden

    @property
    def policy_parameters(self) -> int:
        """Parameters of the language model."""
        return self.body_parameters + (0 if self.tied else self.vocabulary * self.hidden)

    @property
    def critic_parameters(self) -> int:
        """Parameters of the body with a bias-free value head."""
        return self.body_parameters + self.hidden

    def kv_bytes_per_token(self, element_size: int) -> int:
        """Bytes of keys and values of all layers for one token."""
        return 2 * self.layers * self.kv_heads * self.head_dim * element_size


PUBLISHED: Mapping[str, Architecture] = MappingProxyType(
    {
        "Qwen/Qwen2.5-0.5B": Architecture(896, 4864, 24, 14, 2, vocabulary=151_936, tied=True, qkv_bias=True),
        "Qwen/Qwen2.5-1.5B": Architecture(1536, 8960, 28, 12, 2, vocabulary=151_936, tied=True, qkv_bias=True),
        "Qwen/Qwen2.5-7B": Architecture(3584, 18_944, 28, 28, 4, vocabulary=152_064, tied=False, qkv_bias=True),
        "deepseek-ai/DeepSeek-R1-Distill-Qwen-14B": Architecture(
            5120, 13_824, 48, 40, 8, vocabulary=152_064, tied=False, qkv_bias=True
        ),
        "Qwen/Qwen2.5-32B": Architecture(5120, 27_648, 64, 40, 8, vocabulary=152_064, tied=False, qkv_bias=True),
    }
)


_CHANGES_LOGITS = ("final_logit_softcapping", "logit_scale", "logits_scaling")
"""Settings of Gemma, Cohere and Granite."""


def architecture_of(model: str) -> Architecture:
    """The architecture of a checkpoint folder, of `tiny`, or of a published hub id. Raises ConfigError for others."""
    if model in PUBLISHED:
        return PUBLISHED[model]
    folder = TINY if model == "tiny" else Path(model)
    try:
        found = json.loads(read_text(folder / "config.json"))
        found = found.get("body", found)  # a critic's folder
        heads = found["num_attention_heads"]
        return Architecture(
            hidden=found["hidden_size"],
            intermediate=found["intermediate_size"],
            layers=found["num_hidden_layers"],
            heads=heads,
            kv_heads=found.get("num_key_value_heads") or heads,
            vocabulary=found["vocab_size"],
            tied=bool(found.get("tie_word_embeddings", False)),
            changes_logits=any(found.get(name) for name in _CHANGES_LOGITS),
            qkv_bias=found.get("model_type") == "qwen2" or bool(found.get("attention_bias")),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ConfigError(
            f"{model}: its size is unknown ({error}). plan reads a local checkpoint folder with a config.json of a "
            f"Llama- or Qwen2-like model, or knows {', '.join(PUBLISHED)}."
        ) from error
