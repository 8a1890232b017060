"""Samples that go on with new weights, on both engines that training uses: each token is of the weights it names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from orz_bench.engines.engine import EngineSpec, Sampling, TrainedEngine
from orz_bench.records.rollout import Completion, Request
from orz_rl.assets.resolve import TINY
from tests.integration.test_weight_sync import a_changed_copy, weights_of
from tests.support.builders import a_problem, a_request

pytestmark = [pytest.mark.real_model, pytest.mark.slow]

SAMPLING = Sampling(max_tokens=80, stop=("</answer>",))
ENGINES = ("transformers", "vllm")


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Iterator[TrainedEngine]:
    from orz_bench.engines.local import open_trained

    spec = EngineSpec(name=request.param, checkpoint=str(TINY), dtype="float32", max_model_len=160, keep_tokens=True)
    with closing(open_trained(spec)) as opened:
        yield opened


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_changed_copy(tmp_path_factory.mktemp("models") / "changed", scale=0.01)


@cache
def tokenizer() -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(TINY)


def requests() -> list[Request]:
    prompt = tuple(tokenizer().encode("What is 3 + 4 + 5?\nAssistant: <think>", add_special_tokens=False))
    return [
        a_request(problem=a_problem(), sample_index=index, seed=100 + index, prompt_token_ids=prompt)
        for index in range(6)
    ]


def turn(engine: TrainedEngine, open_: Sequence[Request], steps: int | None) -> tuple[list[Completion], list[Request]]:
    """So many iterations with the weights of now; None: to the end."""
    drawing, found = engine.draw(SAMPLING), list[Completion]()
    drawing.add(open_)
    assert drawing.num_open == len(open_)
    while drawing.num_open and steps != 0:
        found += drawing.step()
        steps = None if steps is None else steps - 1
    return found, drawing.end()


def test_every_token_has_the_log_probability_of_the_weights_that_it_names(engine: TrainedEngine, changed: Path) -> None:
    from transformers import AutoModelForCausalLM

    folders = (TINY, changed, TINY)
    found, open_ = list[Completion](), requests()
    for version, (folder, steps) in enumerate(zip(folders, (6, 6, None), strict=True), start=4):
        engine.load_weights(weights_of(folder), version=version)
        more, open_ = turn(engine, open_, steps)
        found += more
    assert not open_
    assert sorted(each.sample_index for each in found) == list(range(6))
    models = {str(folder): AutoModelForCausalLM.from_pretrained(folder).eval() for folder in folders}
    for each, request in ((each, requests()[each.sample_index]) for each in found):
        ids, versions = list(each.token_ids or ()), list(each.token_versions or ())
        assert len(ids) == len(versions) == each.num_tokens
        assert each.policy_version == versions[0] == 4
        assert versions == sorted(versions)
        text = torch.tensor([[*(request.prompt_token_ids or ()), *ids]])
        with torch.no_grad():
            wanted = {name: model(text).logits[0].log_softmax(-1) for name, model in models.items()}
        at = len(request.prompt_token_ids or ()) - 1
        rows = [
            wanted[str(folders[version - 4])][at + n, token]
            for n, (token, version) in enumerate(zip(ids, versions, strict=True))
        ]
        assert list(each.logprobs or ()) == pytest.approx([float(row) for row in rows], abs=2e-4)
    assert {4, 5, 6} <= {version for each in found for version in each.token_versions or ()}


def test_a_sample_that_is_cut_after_every_token_ends_where_it_would(engine: TrainedEngine) -> None:
    """Also inside of its stop string, which is longer than a token; its limit counts all of its tokens."""
    engine.load_weights(weights_of(TINY), version=1)
    found, open_ = list[Completion](), requests()
    for _ in range(400):
        more, open_ = turn(engine, open_, 1)
        found += more
    assert not open_
    assert {each.stop_reason for each in found} & {"stop_string"}
    for each in found:
        ids = list(each.token_ids or ())
        text = tokenizer().decode(ids, skip_special_tokens=True)
        assert each.text == text
        assert each.num_tokens == len(ids) <= SAMPLING.max_tokens
        assert (text.count("</answer>") == 1) == (each.stop_reason == "stop_string") == text.endswith("</answer>")
        assert each.stop_reason != "length" or len(ids) == SAMPLING.max_tokens


@pytest.mark.parametrize("engine", ["transformers"], indirect=True)
def test_with_the_same_weights_the_same_is_drawn_wherever_it_is_cut(engine: TrainedEngine) -> None:
    """Token i takes the i-th random number of the sample's seed; vLLM begins another generator for what goes on."""
    engine.load_weights(weights_of(TINY), version=1)
    whole = [each for part in engine.generate(requests(), SAMPLING) for each in part]
    found, open_ = list[Completion](), requests()
    for steps in (1, 2, 30, None):
        more, open_ = turn(engine, open_, steps)
        found += more
    found.sort(key=lambda each: each.sample_index)
    same = [replace(each, token_versions=None, logprobs=None) for each in found]
    assert same == [replace(each, logprobs=None) for each in sorted(whole, key=lambda each: each.sample_index)]
