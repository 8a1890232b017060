"""The fake engine: a function of the seed, with the requested accuracy."""

from __future__ import annotations

import pytest

from orz_bench.engines.engine import EngineSpec, Sampling
from orz_bench.engines.fake import FakeEngine
from orz_bench.errors import ConfigError
from orz_bench.records.rollout import Completion, Request
from tests.support.builders import a_problem, a_request


def drawn(name: str, requests: list[Request]) -> list[Completion]:
    engine = FakeEngine(EngineSpec(name="fake", checkpoint=name))
    return [completion for some in engine.generate(requests, Sampling()) for completion in some]


def test_each_sample_depends_on_its_seed_alone() -> None:
    requests = [a_request(problem=a_problem(problem_id=f"p{i}"), seed=i) for i in range(100)]
    forward, backward = drawn("fake", requests), drawn("fake", requests[::-1])
    assert forward == backward[::-1]


def test_its_accuracy_is_the_requested_one() -> None:
    requests = [a_request(seed=i, sample_index=i) for i in range(4000)]
    answered = [c for c in drawn("fake:0.7", requests) if c.stop_reason == "stop_string"]
    assert sum("{2}" in c.text for c in answered) / len(answered) == pytest.approx(0.7, abs=0.03)


def test_bad_settings() -> None:
    with pytest.raises(ConfigError, match=r"wanted fake\[:ACCURACY"):
        FakeEngine(EngineSpec(name="fake", checkpoint="fake:often"))
