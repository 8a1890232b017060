"""Runs inside vLLM's workers: ids without text are never sampled. vLLM imports it by name."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from vllm.v1.sample.logits_processor import LogitsProcessor

from orz_bench.engines.vllm.settings import UNKNOWN_IDS


class KnownIds(LogitsProcessor):  # type: ignore[misc]
    """Removes the ids of an embedding's padding from sampling."""

    def __init__(self, vllm_config: Any, device: torch.device, is_pin_memory: bool) -> None:  # noqa: FBT001 - vLLM's
        del is_pin_memory
        self._unknown = torch.tensor(vllm_config.additional_config[UNKNOWN_IDS], dtype=torch.long, device=device)

    def apply(self, logits: Tensor) -> Tensor:
        """In place, the same for all rows."""
        return logits.index_fill_(1, self._unknown, float("-inf"))

    def is_argmax_invariant(self) -> bool:
        """No: an unknown id may be the most likely one."""
        return False

    def update_state(self, batch_update: Any) -> None:
        """Nothing to update: the filter does not depend on the batch."""
