"""Search with a critic: who goes on, what is chosen, and that no more is generated than the budget."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orz_bench.engines.engine import Sampling
from orz_bench.errors import ConfigError
from orz_bench.records.arrays import Numbers, logprobs
from orz_bench.records.rollout import Completion
from orz_bench.steering.search import LEAST_TOKENS, Method, SearchingEngine, SearchSettings
from tests.support.scripted_engine import Letters, ScriptedEngine, a_request

STOP = ("</answer>",)


class ScriptedCritic:
    """Before each token: a number that the text up to there decides."""

    vocabulary = 1 << 21
    max_tokens = None
    tokenizer = Letters()

    def __init__(self, of: Callable[[str], float]) -> None:
        self.of = of

    def values(self, sequences: Sequence[tuple[Sequence[int], Sequence[int]]]) -> list[Numbers[float]]:
        return [
            logprobs([self.of(self.tokenizer.decode(response[:at])) for at in range(len(response))])
            for _, response in sequences
        ]


def searched(
    script: Callable[[str, int], str],
    of: Callable[[str], float],
    *,
    method: Method = "prune",
    budget: int = 10_000,
    width: int = 8,
    num: int = 1,
    max_tokens: int = 400,
) -> tuple[list[Completion], ScriptedEngine]:
    engine = ScriptedEngine(script)
    steered = SearchingEngine(
        engine,
        critic=ScriptedCritic(of),
        settings=SearchSettings(method=method, budget=budget, width=width),
        tokenizer=engine.tokenizer,
        max_model_len=None,
    )
    requests = [a_request(at) for at in range(num)]
    blocks = list(steered.generate(requests, Sampling(max_tokens=max_tokens, stop=STOP)))
    found = [one for block in blocks for one in block]
    assert [one.sample_index for one in found] == list(range(num))
    for one in found:
        assert one.token_ids is not None
        assert engine.tokenizer.decode(list(one.token_ids)).startswith(one.text)
        assert one.num_tokens == len(one.token_ids) == len(one.logprobs or ())
        assert facts(one)["spent_tokens"] <= budget
    assert sum(facts(one)["spent_tokens"] for one in found) >= sum(one.num_tokens for one in found)
    return found, engine


def facts(one: Completion) -> dict[str, Any]:
    return dict(one.extra["selection"])


def three_steps(prompt: str, seed: int) -> str:
    """Up to three sentences, each of a digit that the seed decides; then the answer."""
    digit = random.Random(seed).randrange(10)
    return f" {digit}." if prompt.count(".") < 3 else " </answer>"


def high_digits(text: str) -> float:
    return sum(int(char) for char in text if char.isdigit()) / 30


def going(script: Callable[[str, int], str]) -> Callable[[str, int], str]:
    """A script whose sentences do not end the response: the engine asks again at each of them."""
    return lambda prompt, seed: script(prompt, seed) + (" more" if "</answer>" not in script(prompt, seed) else "")


def test_prune_keeps_the_half_with_the_higher_values() -> None:
    ((one,), engine) = searched(going(three_steps), high_digits)
    assert [len(calls) for calls in engine.asked] == [8, 4, 2, 1]
    first = [three_steps("Q", request.seed) for request in engine.asked[0]]
    best = sorted(first, key=high_digits, reverse=True)[:4]
    assert sorted(request.prompt.removeprefix("Q")[:3] for request in engine.asked[1]) == sorted(best)
    assert one.text.endswith(" </answer>")
    assert facts(one)["rounds"] == 4
    assert facts(one)["spent_tokens"] == 3 * (8 + 4 + 2) + len(" </answer>")


def test_beam_branches_the_best_quarter() -> None:
    ((one,), engine) = searched(going(three_steps), high_digits, method="beam")
    assert [len(calls) for calls in engine.asked] == [8, 8, 8, 8]
    for calls in engine.asked[1:]:
        assert len({request.prompt for request in calls}) <= 2
    seeds = [request.seed for calls in engine.asked for request in calls]
    assert len(set(seeds)) == len(seeds)
    plain = [sum(random.Random(seed).randrange(10) for seed in seeds[at : at + 3]) for at in range(8)]
    assert sum(int(char) for char in one.text if char.isdigit()) > sum(plain) / len(plain)


def test_the_finished_candidate_with_the_highest_final_value_is_chosen() -> None:
    def script(_: str, seed: int) -> str:
        return f" {seed % 7} </answer>"

    ((one,), engine) = searched(script, lambda text: float(text[1:2] or 0))
    assert one.text == f" {max(request.seed % 7 for request in engine.asked[0])} </answer>"
    assert facts(one)["finished"] == 8
    assert one.stop_reason == "stop_string"


def test_what_was_cut_is_chosen_only_if_nothing_else_ended() -> None:
    def script(_: str, seed: int) -> str:
        return "." + "y" * 500 if seed % 2 else " 1 </answer>"

    ((one,), _) = searched(script, lambda text: float("y" in text), max_tokens=60)
    assert one.text == " 1 </answer>"
    ((cut,), _) = searched(lambda *_: "y" * 500, lambda _: 0.5, max_tokens=60)
    assert (cut.stop_reason, cut.num_tokens) == ("length", 60)


def test_the_budget_ends_a_search() -> None:
    ((one,), _) = searched(lambda *_: "a." * 300, lambda text: len(text) / 500, budget=8 * LEAST_TOKENS, width=8)
    assert one.stop_reason == "length"
    assert 8 * LEAST_TOKENS - LEAST_TOKENS < facts(one)["spent_tokens"] <= 8 * LEAST_TOKENS


@settings(max_examples=60)
@given(
    st.integers(0, 10**6),
    st.sampled_from(["beam", "prune"]),
    st.integers(4, 12),
    st.integers(0, 400),
    st.integers(1, 90),
)
def test_no_search_generates_more_than_its_budget(seed: int, method: Method, width: int, extra: int, most: int) -> None:
    def script(prompt: str, stage: int) -> str:
        draw = random.Random(f"{seed} {stage} {prompt}")
        return "".join(draw.choice(["ab", ".", "\n", " </answer>", "xyz" * 5, "?"]) for _ in range(draw.randrange(9)))

    searched(
        script,
        lambda text: random.Random(text).random(),
        method=method,
        budget=LEAST_TOKENS * width + extra,
        width=width,
        num=2,
        max_tokens=most,
    )


def test_what_a_sample_is_does_not_depend_on_the_others() -> None:
    together, _ = searched(going(three_steps), high_digits, num=4)
    engine = ScriptedEngine(going(three_steps))
    settings_ = SearchSettings(method="prune", budget=10_000, width=8)
    alone = SearchingEngine(
        engine, critic=ScriptedCritic(high_digits), settings=settings_, tokenizer=engine.tokenizer, max_model_len=None
    )
    (block,) = alone.generate([a_request(2)], Sampling(max_tokens=400, stop=STOP))
    assert block[0].text == together[2].text


@pytest.mark.parametrize(
    ("budget", "width", "method", "said"),
    [
        (20, 8, "prune", "--budget 20 is too small for 8 candidates (16 tokens each); wanted at least 128"),
        (900, 1, "prune", "wanted at least 2"),
        (900, 3, "beam", "wanted at least 4"),
        (900, 4, "best", "--select best is unknown; there are prune, beam."),
        (float("nan"), 4, "beam", "--budget nan is too small"),
        (900, 4.5, "beam", "--width 4.5"),
    ],
)
def test_a_budget_and_a_width_that_are_too_small(budget: int, width: int, method: Method, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        SearchSettings(method=method, budget=budget, width=width)
    assert said in str(refused.value)
