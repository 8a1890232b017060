"""After a weight sync an engine generates the same as a new engine with these weights, tied embeddings included."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orz_bench.engines.engine import EngineSpec, Sampling
from orz_bench.errors import EngineError
from orz_bench.records.rollout import Completion
from orz_rl.assets.resolve import TINY
from tests.support.builders import a_problem, a_request


def a_changed_copy(folder: Path, *, scale: float = 0.05) -> Path:
    """The embedded model with every weight moved."""
    import torch
    from transformers import AutoModelForCausalLM

    shutil.copytree(TINY, folder)
    model = AutoModelForCausalLM.from_pretrained(TINY)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(scale * torch.randn(parameter.shape, generator=generator))
    model.save_pretrained(folder)
    assert json.loads((folder / "config.json").read_text("utf-8"))["tie_word_embeddings"]
    return folder


def weights_of(folder: Path) -> Any:
    """What a policy of these weights sends."""
    from orz_rl.workers.weight_sync import HostWeights
    from tests.unit.orz_rl.workers.test_model_rank import a_rank, a_spec

    rank = a_rank(a_spec(folder))
    source = HostWeights.of(rank.weights())
    assert "lm_head.weight" in {name for name, *_ in source.arrays}
    return source


def drawn(engine: Any, spec: EngineSpec) -> list[Completion]:
    from orz_bench.engines.tokenizer import load_tokenizer

    tokenizer = load_tokenizer(spec)
    assert tokenizer is not None
    prompt = tokenizer.encode("What is 3 + 4 + 5?\nAssistant: <think>")
    requests = [
        a_request(problem=a_problem(), sample_index=index, seed=100 + index, prompt_token_ids=prompt)
        for index in range(8)
    ]
    found = [c for part in engine.generate(requests, Sampling(max_tokens=24)) for c in part]
    return sorted(found, key=lambda completion: completion.sample_index)


def same(found: list[Completion], wanted: list[Completion]) -> Iterator[bool]:
    for left, right in zip(found, wanted, strict=True):
        yield replace(left, policy_version=None, logprobs=None) == replace(right, policy_version=None, logprobs=None)
        assert left.logprobs == pytest.approx(right.logprobs, abs=1e-5)


@pytest.mark.slow
@pytest.mark.real_model
@pytest.mark.parametrize("name", ["transformers", "vllm"])
def test_an_engine_after_a_sync_is_a_fresh_engine(name: Any, tmp_path: Path) -> None:
    from orz_bench.engines.local import open_trained

    changed = a_changed_copy(tmp_path / "changed")
    spec = EngineSpec(name=name, checkpoint=str(TINY), dtype="float32", max_model_len=128, keep_tokens=True)
    with closing(open_trained(spec)) as engine:
        before = drawn(engine, spec)
        engine.load_weights(weights_of(changed), version=7)
        after = drawn(engine, spec)
        engine.load_weights(weights_of(TINY), version=8)
        back = drawn(engine, spec)
    with closing(open_trained(replace(spec, checkpoint=str(changed)))) as fresh:
        wanted = drawn(fresh, spec)
    assert all(same(after, wanted))
    assert all(same(back, before))
    assert not all(left.token_ids == right.token_ids for left, right in zip(after, before, strict=True))
    assert {c.policy_version for c in before} == {None}
    assert {c.policy_version for c in after} == {7}
    assert {c.policy_version for c in back} == {8}


def test_missing_weights_are_reported() -> None:
    from orz_bench.engines.local import open_trained
    from orz_rl.workers.weight_sync import HostWeights

    spec = EngineSpec(name="transformers", checkpoint=str(TINY), dtype="float32", keep_tokens=True)
    with closing(open_trained(spec)) as engine, pytest.raises(EngineError, match="were not sent"):
        engine.load_weights(HostWeights(()), version=1)
