"""Thoughts that are lengthened and ended: what the model is asked, and what the response consists of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from orz_bench.asking.thoughts import THOUGHTS
from orz_bench.engines.engine import Sampling
from orz_bench.records.rollout import Completion
from orz_bench.steering.forcing import ForcedEngine, Forcing
from tests.support.scripted_engine import Letters, ScriptedEngine, a_request

STOP = ("</answer>", "User:")
ORZ = THOUGHTS["orz-code"]


def forced(
    script: Callable[[str, int], str],
    *,
    waits: int = 0,
    thought_tokens: int | None = None,
    max_tokens: int = 200,
    max_model_len: int | None = None,
    pieces: tuple[str, ...] = (),
    num: int = 1,
    wait_text: str = "Wait",
) -> tuple[list[Completion], ScriptedEngine]:
    tokenizer = Letters(*pieces)
    engine = ScriptedEngine(script, tokenizer)
    forcing = Forcing(ends=ORZ.ends, close=ORZ.close, waits=waits, wait_text=wait_text, thought_tokens=thought_tokens)
    steered = ForcedEngine(engine, forcing=forcing, tokenizer=tokenizer, max_model_len=max_model_len)
    requests = [a_request(at, tokenizer=tokenizer) for at in range(num)]
    blocks = list(steered.generate(requests, Sampling(max_tokens=max_tokens, stop=STOP)))
    found = [one for block in blocks for one in block]
    for one in found:
        assert one.token_ids is not None
        assert one.num_tokens == len(one.token_ids) <= max_tokens
        assert tokenizer.decode(list(one.token_ids)).startswith(one.text)
    return found, engine


def thinking(prompt: str, seed: int) -> str:
    """A thought of one letter, which goes on with the next letter behind every Wait; then the answer."""
    if "</think>" in prompt:
        return f"{'' if prompt.endswith('<answer>') else ' <answer>'} 1 </answer> and more"
    return f" {'abcdef'[prompt.count('Wait')]} </think> <answer> early </answer>"


def facts(one: Completion) -> dict[str, Any]:
    return dict(one.extra["forcing"])


def test_the_end_of_a_thought_is_replaced_so_many_times() -> None:
    ((one,), engine) = forced(thinking, waits=2)
    assert one.text == " a Wait b Wait c </think> <answer> 1 </answer>"
    assert facts(one) == {"waits": 2, "closed": False, "put_in": 8, "cut": 2 * len("</think>")}
    assert (one.problem_id, one.sample_index, one.seed, one.stop_reason) == ("p", 0, 1000, "stop_string")
    assert one.logprobs is None
    assert [calls[0].prompt for calls in engine.asked] == [
        "Q",
        "Q a Wait",
        "Q a Wait b Wait",
        "Q a Wait b Wait c </think>",
    ]


def test_nothing_is_put_in_where_nothing_is_forced() -> None:
    ((one,), _) = forced(thinking, thought_tokens=50)
    assert one.text == " a </think> <answer> 1 </answer>"
    assert facts(one) == {"waits": 0, "closed": False, "put_in": 0, "cut": 0}
    assert one.logprobs is not None
    assert len(one.logprobs) == one.num_tokens


def test_a_long_thought_is_ended_and_the_answer_begun() -> None:
    ((one,), engine) = forced(lambda prompt, _: " 7 </answer>" if "<answer>" in prompt else "x" * 500, thought_tokens=9)
    assert one.text == "x" * 9 + " </think> <answer> 7 </answer>"
    assert facts(one) == {"waits": 0, "closed": True, "put_in": len(" </think> <answer>"), "cut": 0}
    assert [calls[0].max_tokens for calls in engine.asked] == [9, 200 - 9 - len(" </think> <answer>")]


@pytest.mark.parametrize("max_tokens", [10, 26, 27, 30])
def test_an_answer_needs_room_behind_the_end_of_the_thought(max_tokens: int) -> None:
    ((one,), _) = forced(
        lambda prompt, _: " 7 </answer>" if "<answer>" in prompt else "x" * 500, thought_tokens=9, max_tokens=max_tokens
    )
    num_left = max_tokens - 9 - len(" </think> <answer>")
    assert facts(one)["closed"] == (num_left > 0)
    assert one.text == "x" * 9 + (" </think> <answer>" + " 7 </answer>"[:num_left] if num_left > 0 else "")
    assert one.stop_reason == "length"


def test_waits_count_as_part_of_the_thought() -> None:
    ((one,), _) = forced(thinking, waits=5, thought_tokens=18)
    # " a Wait b Wait" has 14 tokens and " c </think>" would be 11: the thought is cut at 18.
    assert one.text == " a Wait b Wait c < </think> <answer> 1 </answer>"
    assert facts(one)["waits"] == 2
    assert facts(one)["closed"] is True


def test_a_wait_needs_room_behind_it() -> None:
    ((one,), _) = forced(
        lambda p, s: thinking(p, s).replace(" a ", "a" * 30), waits=1, max_tokens=38, wait_text="Wait a moment"
    )
    assert one.text == "a" * 30 + "</think>"
    assert facts(one)["waits"] == 0
    assert one.stop_reason == "length"


def test_a_response_that_ends_within_its_thought_goes_on() -> None:
    ((one,), _) = forced(lambda prompt, _: " done" if "Wait" in prompt else " a", waits=1)
    assert one.text == " aWait done"
    assert one.stop_reason == "eos"
    assert facts(one) == {"waits": 1, "closed": False, "put_in": 4, "cut": 1}


def test_an_answer_without_a_closed_thought_is_an_answer() -> None:
    ((one,), _) = forced(lambda prompt, _: " 3 </answer>" if prompt.endswith("<answer>") else " a <answer>", waits=0)
    assert one.text == " a <answer> 3 </answer>"


def test_a_stop_string_of_the_protocol_ends_the_response() -> None:
    ((one,), engine) = forced(lambda *_: " so User: hi", waits=3)
    assert one.text == " so User:"
    assert one.stop_reason == "stop_string"
    assert len(engine.asked) == 1


@pytest.mark.parametrize("waits", [0, 1])
def test_a_token_that_goes_on_behind_the_end_of_the_thought(waits: int) -> None:
    def script(prompt: str, _: int) -> str:
        return "yes </answer>" if "k>\n" in prompt else " a</think>\n"

    ((one,), _) = forced(script, waits=waits, pieces=("k>\n", "a</thin"))
    if waits:  # the token that holds the last letter of the thought is replaced by that letter
        assert one.text == " aWait a</think>\nyes </answer>"
        assert facts(one)["put_in"] == 1 + 4
    else:
        assert one.text == " a</think>\nyes </answer>"


def test_the_context_limits_a_response() -> None:
    ((one,), _) = forced(lambda *_: "x" * 500, thought_tokens=100, max_model_len=41)
    assert one.text == "x" * 40
    assert one.stop_reason == "length"
    assert facts(one)["closed"] is False


def test_what_a_sample_is_does_not_depend_on_the_others() -> None:
    def script(prompt: str, seed: int) -> str:
        return f"{seed % 1009}{thinking(prompt, seed)}"

    together, engine = forced(script, waits=2, num=5)
    alone = ScriptedEngine(script)
    forcing = Forcing(ends=ORZ.ends, close=ORZ.close, waits=2, wait_text="Wait", thought_tokens=None)
    steered = ForcedEngine(alone, forcing=forcing, tokenizer=alone.tokenizer, max_model_len=None)
    (block,) = steered.generate([a_request(3)], Sampling(max_tokens=200, stop=STOP))
    assert block[0].text == together[3].text
    assert len({one.text for one in together}) == 5
    assert len({request.seed for calls in engine.asked for request in calls}) == 20
