"""Decoding with grouped heads and a cache with room draws what transformers' own attention and cache draw."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, DynamicCache

from orz_bench.engines.engine import Sampling
from orz_bench.engines.transformers import decoding
from orz_bench.engines.transformers.attention import attend_by_groups, cache_with_room
from orz_bench.engines.transformers.decoding import Decoder, Draft, decode
from tests.support.model_zoo import ARCHITECTURES, Cell, a_model

PROMPTS = [list(range(5, 5 + length)) for length in (3, 11, 11, 40)]
ROOMS = (90, 2, 90, 30)


def drawn(model: Any) -> list[tuple[list[int], list[float]]]:
    """Samples of two groups; some end early, so that the cache loses rows."""
    drafts = [
        Draft(prompt=prompt, room=room, uniform=random.Random(7 * place + sample).random)
        for place, (prompt, room) in enumerate(zip(PROMPTS, ROOMS, strict=True))
        for sample in range(2)
    ]
    decoder = Decoder(model=model, sampling=Sampling(), ending=lambda _: None, device=torch.device("cpu"))
    decode(decoder, drafts)
    return [(draft.tokens, draft.logprobs) for draft in drafts]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_tokens_and_log_probabilities_are_those_of_transformers(
    architecture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = a_model(tmp_path, Cell(architecture=architecture, dtype="float32"))
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with monkeypatch.context() as patch:
        patch.setattr(decoding, "cache_with_room", lambda config: DynamicCache(config=config))
        wanted = drawn(model)
    attend_by_groups(model)
    assert model.config._attn_implementation == "grouped_sdpa"
    assert drawn(model) == wanted


def test_a_repeated_cache_goes_on_from_its_own_tokens() -> None:
    cache = cache_with_room(None)
    first = torch.arange(6.0).reshape(1, 1, 3, 2)
    cache.update(first, -first, 0)
    cache.batch_repeat_interleave(2)
    new = torch.tensor([[[[7.0, 8.0]]], [[[9.0, 10.0]]]])
    keys, values = cache.update(new, -new, 0)
    assert torch.equal(keys, torch.cat([first.expand(2, 1, 3, 2), new], dim=2))
    assert torch.equal(values, -keys)
