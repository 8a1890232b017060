"""The transformers engine of a tiny checkpoint, beside the library's own model of it, for references."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM

from orz_bench.engines.registry import make_spec
from orz_bench.engines.transformers.engine import TransformersEngine


class TinyEngine(TransformersEngine):
    """An engine with batches of four, and what it was made from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.spec = make_spec(name="transformers", checkpoint=str(folder), dtype="float32", batch_size=4)
        self.reference: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        super().__init__(self.spec)

    def reference_logprobs(self, tokens: list[int]) -> torch.Tensor:
        """Log-probabilities of the next token after each token of a text, from one pass over all of it."""
        with torch.no_grad():
            found: torch.Tensor = self.reference(input_ids=torch.tensor([tokens])).logits[0].log_softmax(dim=-1)
        return found
