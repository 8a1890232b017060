"""No engine takes two requests of one key: the second answer would be a copy of the first."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orz_bench.engines.distinct import Distinct
from orz_bench.engines.engine import Engine, EngineSpec, LikelihoodRequest, Sampling
from orz_bench.engines.fake import FakeEngine
from orz_bench.engines.openai.engine import OpenAIServerEngine
from orz_bench.engines.ray.pool import EngineLoop, RayPool
from orz_bench.engines.registry import make_spec
from orz_bench.errors import EngineError
from orz_bench.records.rollout import Request
from tests.support.builders import a_problem, a_request
from tests.support.openai_server import Server, running

TWICE = [a_request(problem=a_problem(problem_id=name), sample_index=1, seed=7) for name in ("a", "b", "a")]


@pytest.fixture
def fake() -> FakeEngine:
    return FakeEngine(EngineSpec(name="fake", checkpoint="fake"))


def refuses(engine: Engine) -> bool:
    with pytest.raises(EngineError, match=r"a, sample 1: requested twice in one call"):
        list(engine.generate(TWICE, Sampling(max_tokens=4)))
    return True


def test_the_fake_engine(fake: FakeEngine) -> None:
    assert refuses(fake)
    asked = [LikelihoodRequest(key=("a", 0), context=(1,), continuations=((2,), (3,)))] * 2
    with pytest.raises(EngineError, match="requested twice"):
        list(fake.loglikelihood(asked))


def test_a_server() -> None:
    with running(Server()) as url:
        assert refuses(OpenAIServerEngine(make_spec(name="openai", checkpoint="m", base_url=url)))


def test_several_engines_are_checked_before_any_request() -> None:
    assert refuses(RayPool(EngineSpec(name="fake", checkpoint="fake", num_engines=1), actors=[object()]))


def test_an_engine_that_is_fed_bit_by_bit(fake: FakeEngine) -> None:
    loop = EngineLoop(fake)
    assert loop.generate_some(TWICE[:2], Sampling())
    assert loop.generate_some(TWICE[2:], Sampling()), "what was answered may be asked for again"


def test_it_continues_after_a_refill() -> None:
    waiting: list[int] = [0]

    class Feed:
        def __iter__(self) -> Iterator[Request]:
            return self

        def __next__(self) -> Request:
            if not waiting:
                raise StopIteration
            return TWICE[waiting.pop()]

    feed = Distinct(Feed())
    assert [request.key[0] for request in feed] == ["a"]
    waiting.append(1)
    assert [request.key[0] for request in feed] == ["b"]
