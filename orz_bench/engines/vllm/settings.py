"""Settings of vLLM that depend on the model: a context it does not derive, ids without text, an error at NaN."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from orz_bench.engines.engine import EngineSpec
from orz_bench.engines.soundness import unknown_ids
from orz_bench.models.limits import ModelConfig

UNKNOWN_IDS = "ids_without_text"
"""Key under which vLLM's configuration passes them to its workers."""


def num_rows(checkpoint: str) -> int | None:
    """Rows of the embedding; None for a model that is not a local folder."""
    config = Path(checkpoint) / "config.json"
    return ModelConfig(config).vocabulary if config.is_file() else None


def longer_context(spec: EngineSpec) -> dict[str, Any]:
    """Settings for a context that the model's RoPE scaling supports but vLLM's own rule does not."""
    config = Path(spec.checkpoint) / "config.json"
    if spec.max_model_len is None or not config.is_file():
        return {}
    plain = ModelConfig(config).plain_context
    is_longer = plain is not None and spec.max_model_len > plain
    return {"hf_overrides": _Longer(spec.max_model_len)} if is_longer else {}


def only_known_ids(checkpoint: str) -> dict[str, Any]:
    """Settings that keep vLLM from sampling ids without text; EngineError if there are too many of them."""
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
    """Make vLLM raise an error at a NaN logit, without dumping its input."""
    os.environ["VLLM_COMPUTE_NANS_IN_LOGITS"] = "1"
    os.environ["VLLM_RAISE_ON_LOGIT_NANS"] = "1"
    logging.getLogger("vllm.logging_utils.dump_input").setLevel(logging.CRITICAL)


class _Longer:
    """Changes the configuration read by vLLM; pickled to its workers. RoPE settings are unchanged."""

    def __init__(self, context: int) -> None:
        self._context = context

    def __call__(self, config: Any) -> Any:
        text = config.get_text_config()
        text.max_position_embeddings = self._context
        return config
