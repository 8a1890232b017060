"""What vLLM is told about a model: a context that it does not derive, ids that have no text, and to end at NaN."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from orz_bench.engines.engine import EngineSpec
from orz_bench.engines.soundness import unknown_ids
from orz_bench.models.limits import ModelConfig

UNKNOWN_IDS = "ids_without_text"
"""Where vLLM's configuration carries them to its workers."""


def num_rows(checkpoint: str) -> int | None:
    """Of the embedding; None for a model that is not a local folder."""
    config = Path(checkpoint) / "config.json"
    return ModelConfig(config).vocabulary if config.is_file() else None


def longer_context(spec: EngineSpec) -> dict[str, Any]:
    """Settings for a context that the model's RoPE reaches and vLLM's own rule does not."""
    config = Path(spec.checkpoint) / "config.json"
    if spec.max_model_len is None or not config.is_file():
        return {}
    plain = ModelConfig(config).plain_context
    is_longer = plain is not None and spec.max_model_len > plain
    return {"hf_overrides": _Longer(spec.max_model_len)} if is_longer else {}


def only_known_ids(checkpoint: str) -> dict[str, Any]:
    """Settings that keep vLLM from drawing ids for which the tokenizer has no text; EngineError where they are many."""
    rows = num_rows(checkpoint)
    if rows is None:
        return {}
    from transformers import AutoTokenizer

    unknown = unknown_ids(AutoTokenizer.from_pretrained(checkpoint), rows=rows, checkpoint=checkpoint)
    if not unknown:
        return {}
    processor = "orz_bench.engines.vllm.known_ids:KnownIds"
    return {"logits_processors": [processor], "additional_config": {UNKNOWN_IDS: unknown}}


def refuse_nan() -> None:
    """Make vLLM end at a logit that is NaN, and not print all it knows when it does."""
    os.environ["VLLM_COMPUTE_NANS_IN_LOGITS"] = "1"
    os.environ["VLLM_RAISE_ON_LOGIT_NANS"] = "1"
    logging.getLogger("vllm.logging_utils.dump_input").setLevel(logging.CRITICAL)


class _Longer:
    """Changes the configuration that vLLM has read; pickled to its workers. RoPE's own settings stay."""

    def __init__(self, context: int) -> None:
        self._context = context

    def __call__(self, config: Any) -> Any:
        text = config.get_text_config()
        text.max_position_embeddings = self._context
        return config
