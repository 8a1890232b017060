"""Log-likelihoods of given texts: against one plain forward pass a continuation."""

from __future__ import annotations

import itertools
import random

import pytest

from orz_bench.engines.describe import require_likelihoods
from orz_bench.engines.engine import EngineSpec, LikelihoodEngine, LikelihoodRequest, Likelihoods
from orz_bench.engines.fake import FakeEngine
from orz_bench.engines.shared_tokens import shared_lengths
from orz_bench.engines.transformers.likelihood import blocks
from orz_bench.errors import ConfigError
from tests.support.tiny_engine import TinyEngine
from tests.support.tiny_model import a_tiny_checkpoint


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> TinyEngine:
    return TinyEngine(a_tiny_checkpoint(tmp_path_factory.mktemp("tiny")))


def plain(engine: TinyEngine, request: LikelihoodRequest) -> list[tuple[float, bool]]:
    """The definition: every token of the continuation, given all before it, in a pass of its own."""
    found = []
    for continuation in request.continuations:
        total, is_greedy = 0.0, True
        for at, token in enumerate(continuation):
            logprobs = engine.reference_logprobs([*request.context, *continuation[:at]])[-1]
            total += float(logprobs[token])
            is_greedy &= int(logprobs.argmax()) == token
        found.append((total, is_greedy))
    return found


def some_requests() -> list[LikelihoodRequest]:
    """Two runs of neighbours, one of them with long continuations, and contexts of one token."""
    draw = random.Random(7)

    def tokens(count: int) -> tuple[int, ...]:
        return tuple(draw.randrange(3, 98) for _ in range(count))

    first, second = tokens(40), tokens(25)
    contexts = [first + tokens(n) for n in (5, 9, 1, 30, 2)] + [second + tokens(n) for n in (3, 4)] + [tokens(1)]
    shared = shared_lengths(contexts)
    return [
        LikelihoodRequest(
            key=("p", at),
            context=context,
            continuations=tuple(tokens(1 + (at % 3) * place) for place in range(4)),
            num_shared=shared[at],
        )
        for at, context in enumerate(contexts)
    ]


def test_they_are_those_of_plain_forward_passes(engine: TinyEngine) -> None:
    requests = some_requests()
    assert {request.num_shared for request in requests} >= {40, 25, 0}
    answers = [answer for block in engine.loglikelihood(requests) for answer in block]
    assert [answer.key for answer in answers] == [request.key for request in requests]
    for request, answer in zip(requests, answers, strict=True):
        wanted = plain(engine, request)
        assert answer.logprobs == pytest.approx([logprob for logprob, _ in wanted], abs=2e-4)
        assert list(answer.is_greedy) == [is_greedy for _, is_greedy in wanted]


def test_the_greedy_continuation_is_known_as_such(engine: TinyEngine) -> None:
    context = (5, 6, 7)
    greedy: list[int] = []
    for _ in range(3):
        greedy.append(int(engine.reference_logprobs([*context, *greedy])[-1].argmax()))
    other = (*greedy[:2], greedy[2] % 90 + 3)
    request = LikelihoodRequest(key=("p", 0), context=context, continuations=(tuple(greedy), other))
    ((answer,),) = engine.loglikelihood([request])
    assert answer.is_greedy == (True, False)


def test_a_stopped_evaluation_resumes_with_the_same_blocks(engine: TinyEngine) -> None:
    """Bit for bit: the remaining blocks are computed as in an uninterrupted run."""
    requests = some_requests()
    whole = list(engine.loglikelihood(requests))
    rest = requests[len(whole[0]) :]
    fresh = TinyEngine(engine.folder)
    assert list(itertools.chain(*fresh.loglikelihood(rest))) == list(itertools.chain(*whole[1:]))


def a_request(at: int, *, shared: int = 0, length: int = 1) -> LikelihoodRequest:
    continuations = ((1,) * length, (2,) * length)
    return LikelihoodRequest(key=("p", at), context=(9,) * 10, continuations=continuations, num_shared=shared)


def test_blocks_have_at_most_batch_size_rows_and_end_at_a_new_prefix() -> None:
    requests = [a_request(0, shared=4), a_request(1, shared=4), a_request(2, shared=4), a_request(3)]
    sizes = [len(block) for block in blocks(requests, batch_size=2, vocabulary=100)]
    assert sizes == [2, 1, 1], "a request of single tokens is one row"
    long = [a_request(at, length=3) for at in range(3)]
    assert [len(block) for block in blocks(long, batch_size=4, vocabulary=100)] == [2, 1], "two rows each"
    assert [len(block) for block in blocks(long, batch_size=99, vocabulary=2**26)] == [1, 1, 1], "a GiB of logits"


def test_shared_tokens_are_those_of_a_run_of_neighbours() -> None:
    run, other = [1] * 50, [2] * 30
    texts = [[*run, 5], [*run, 6, 6], [*run, 7], [*other, 1], [*other, 2], [9, 9]]
    assert shared_lengths(texts) == [50, 50, 50, 30, 30, 0]
    assert shared_lengths([]) == []
    assert shared_lengths([[1, 2]]) == [0]


def test_a_text_unlike_the_rest_does_not_spoil_their_run() -> None:
    run = [1] * 200
    assert shared_lengths([[7, 8], *([*run, at] for at in range(5))])[1:] == [200] * 5


@pytest.mark.parametrize("seed", range(20))
def test_shared_tokens_are_shared(seed: int) -> None:
    draw = random.Random(seed)
    texts = [[draw.randrange(2) for _ in range(draw.randrange(1, 12))] for _ in range(30)]
    lengths = shared_lengths(texts)
    for at, (text, length) in enumerate(zip(texts, lengths, strict=True)):
        neighbours = [other for place, other in enumerate(texts) if abs(place - at) == 1 and lengths[place] == length]
        assert length <= len(text)
        assert not length or any(other[:length] == text[:length] for other in neighbours)


def test_the_fake_engine_answers_by_key_alone() -> None:
    engine = FakeEngine(EngineSpec(name="fake", checkpoint="fake"))
    assert isinstance(engine, LikelihoodEngine)
    requests = [a_request(at) for at in range(100)]
    answers: list[Likelihoods] = [answer for block in engine.loglikelihood(requests) for answer in block]
    assert answers[70] == next(iter(engine.loglikelihood([requests[70]])))[0]
    assert len({answer.logprobs for answer in answers}) == 100
    assert all(sum(answer.is_greedy) == 1 for answer in answers)


@pytest.mark.parametrize(
    ("engine", "num_engines", "said"),
    [("openai", 1, "--engine openai computes no"), ("vllm", 2, "leave it")],
)
def test_engines_without_likelihoods_are_refused_before_anything_starts(
    engine: str, num_engines: int, said: str
) -> None:
    require_likelihoods("vllm", num_engines=1)
    with pytest.raises(ConfigError, match=said):
        require_likelihoods(engine, num_engines=num_engines)
