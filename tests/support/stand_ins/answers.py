"""The sampler of the stand-ins for other trainers: it answers sums, by the seed right, wrong or without an end."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer


@dataclass
class Sampled:
    """What an engine returns, with the names that verl's TokenOutput has."""

    token_ids: list[int]
    log_probs: list[float] | None = None
    extra_fields: dict[str, Any] = field(default_factory=dict)


class Sampler:
    """Knows sums."""

    def __init__(self, checkpoint: str) -> None:
        self._tokenizer = Tokenizer.from_file(str(Path(checkpoint) / "tokenizer.json"))

    def sample(self, prompt_ids: list[int], *, seed: int, max_tokens: int, stop: list[str]) -> Sampled:
        """A response; every third is cut at the limit, every third is wrong."""
        prompt = self._tokenizer.decode(prompt_ids, skip_special_tokens=False)
        question = prompt.rpartition("What is ")[2]
        right = sum(map(int, re.findall(r"\d", question.partition("?")[0])))
        text = f" So. </think> <answer> \\boxed{{{right + seed % 3}}} </answer>"
        assert "</answer>" in stop, stop
        if seed % 3 == 2:
            text = "1" * 2 * max_tokens
        ids = self._tokenizer.encode(text, add_special_tokens=False).ids[:max_tokens]
        return Sampled(ids, [-0.5] * len(ids))
