"""The client of chat endpoints, against a scripted server of our own in this process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from orz_bench.asking.messages import messages_for
from orz_bench.engines.engine import ProbePrompt, Sampling, ServerFacts
from orz_bench.engines.openai.engine import OpenAIServerEngine
from orz_bench.engines.openai.probe import ask_server
from orz_bench.engines.registry import make_spec
from orz_bench.errors import ConfigError, EngineError
from orz_bench.records.rollout import Completion, Problem, Request
from tests.support.builders import a_problem, a_request
from tests.support.openai_server import Body, Server, chat_text_for, running

SAMPLING = Sampling(temperature=0.6, top_p=0.9, max_tokens=640)
PROBLEM = a_problem(question="What is 2 + 3?")
MESSAGES = tuple(messages_for(PROBLEM, "chat", system=None))


class Engine(OpenAIServerEngine):
    """Keeps its messages."""

    def __init__(self, url: str, **settings: Any) -> None:
        self.said: list[str] = []
        facts: dict[str, Any] = {"checkpoint": "m", "base_url": url, "endpoint": "chat", "max_retries": 2} | settings
        super().__init__(make_spec(name="openai", **facts), notice=self.said.append)

    def draw(self, count: int = 1, sampling: Sampling = SAMPLING) -> dict[int, Completion]:
        """By seed."""
        return {completion.seed: completion for completion in self.stream(count, sampling)}

    def stream(self, count: int, sampling: Sampling = SAMPLING) -> list[Completion]:
        requests = [_request(a_problem(problem_id=f"p{i}", question=PROBLEM.question), 100 + i) for i in range(count)]
        return [completion for some in self.generate(requests, sampling) for completion in some]


def _request(problem: Problem, seed: int, **changes: Any) -> Request:
    messages = messages_for(problem, "chat", system=None)
    return a_request(problem=problem, seed=seed, prompt_token_ids=None, messages=messages, **changes)


def whole(seed: int) -> str:
    thought, said = chat_text_for(MESSAGES, seed)
    return f"<think>{thought}</think>{said}"


def of_seed(seed: int, odd: Any, *, times: int = 10**6) -> Callable[[Body, int], Any]:
    """The server misbehaves the first `times` that it sees the seed."""
    return lambda body, seen: odd if body.get("seed") == seed and seen < times else None


def test_messages_are_sent_and_the_thought_is_kept_in_tags() -> None:
    with running(server := Server()) as url:
        found = Engine(url, concurrency=4).draw(20)
    assert {seed: completion.text for seed, completion in found.items()} == {s: whole(s) for s in range(100, 120)}
    one = found[100]
    tags = len("<think></think>")
    assert (one.num_tokens, one.stop_reason, one.token_ids, one.logprobs) == (len(one.text) - tags, "eos", None, None)
    usage = {"prompt_tokens": len(MESSAGES[0]["content"]), "new_tokens": one.num_tokens, "reasoning_tokens": None}
    assert one.extra == {"usage": usage, "finish_reason": "stop", "thought_field": "reasoning_content"}
    body = next(body for body in server.log.drawn() if body["seed"] == 100)
    neutral: dict[str, Any] = {"include_stop_str_in_output": True, "top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}
    standard = {"temperature": 0.6, "top_p": 0.9, "max_tokens": 640, "seed": 100, "model": "m"}
    assert body == standard | neutral | {"messages": [dict(turn) for turn in MESSAGES]}
    assert server.log.most_in_flight <= 4


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content", None])
def test_a_thought_reads_the_same_wherever_the_server_keeps_it(field: str | None) -> None:
    with running(Server(thought_field=field)) as url:
        (found,) = Engine(url).draw().values()
    assert found.text == whole(100)
    assert found.extra["thought_field"] == (field or "content")


def test_a_thought_cut_by_the_limit_stays_open() -> None:
    with running(Server()) as url:
        (found,) = Engine(url).draw(sampling=Sampling(max_tokens=20)).values()
    assert (found.text, found.stop_reason, found.num_tokens) == (whole(100)[: len("<think>") + 20], "length", 20)


@pytest.mark.parametrize("fields", [("include_stop_str_in_output",), ()])
def test_a_stop_string_ends_what_is_said(fields: tuple[str, ...]) -> None:
    with running(Server(fields=fields)) as url:
        (found,) = Engine(url).draw(sampling=Sampling(max_tokens=640, stop=("boxed",))).values()
    assert (found.text, found.stop_reason) == (whole(100).partition("boxed")[0] + "boxed", "stop_string")


def body(message: Any, finish: str | None = "stop", tokens: int = 9) -> tuple[int, Body]:
    return 200, {"choices": [{"message": message, "finish_reason": finish}], "usage": {"completion_tokens": tokens}}


REFUSED: dict[str, Any] = {
    "html": (200, "<!doctype html><p>gateway</p>"),
    "a stream": (200, 'data: {"choices": [{"delta": {"content": "2"}}]}\n\ndata: [DONE]\n'),
    "half of an object": (200, '{"choices": [{"message": {"content": "5'),
    "a list": (200, []),
    "no choices": (200, {"choices": [], "usage": {"completion_tokens": 1}}),
    "two choices": (200, {"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}] * 2}),
    "a text": (200, {"choices": [{"text": "5", "finish_reason": "stop"}], "usage": {"completion_tokens": 1}}),
    "null": body({"content": None}),
    "a number": body({"content": 5}),
    "a tool": body({"content": None}, "tool_calls"),
    "filtered": body({"content": ""}, "content_filter", 0),
    "no usage": (200, {"choices": [{"message": {"content": "5"}, "finish_reason": "stop"}]}),
    "too many tokens": body({"content": "5"}, tokens=10**30),
    "parts that are none": body({"content": [{"type": "image_url"}, None]}),
    "a thought that is none": body({"content": "5", "reasoning_content": [1]}),
    "not finished": body({"content": "5"}, None),
    "error with 200": (200, {"error": {"message": "overloaded", "code": 503}}),
    "busy": (503, {"error": {"message": "try later"}}),
    "too many": (429, {"error": {"message": "slow down"}}),
    "a date": (429, "slow down", {"Retry-After": format_datetime(datetime(2020, 1, 1, tzinfo=UTC), usegmt=True)}),
    "reset": "reset",
    "cut": "cut",
    "a chunk cut": "cut chunk",
}  # fmt: skip


def each(times: int) -> Callable[[Body, int], Any]:
    """The samples with the seeds 100, 102, 104, ... get one kind each, `times` times; those between get answers."""
    kinds = {100 + 2 * at: odd for at, odd in enumerate(REFUSED.values())}
    return lambda body, seen: kinds.get(body.get("seed", 0)) if seen < times else None


def test_what_is_no_answer_is_requested_again() -> None:
    num = 2 * len(REFUSED)
    with running(server := Server(odd=each(2))) as url:
        engine = Engine(url)
        found = engine.draw(num)
    assert {seed: completion.text for seed, completion in found.items()} == {s: whole(s) for s in range(100, 100 + num)}
    asked = Counter(body["seed"] for body in server.log.drawn())
    assert asked == {100 + at: 1 if at % 2 else 3 for at in range(num)}
    assert any("retries so far: 1" in text for text in engine.said)
    assert any(f"{num:,} requests sent again" in text for text in engine.said)


def test_what_stays_without_an_answer_is_told_or_kept_as_failed() -> None:
    num = 2 * len(REFUSED)
    failed = set(range(100, 100 + num, 2))
    with running(Server(odd=each(10**6))) as url:
        told = Engine(url, max_retries=0, concurrency=1)
        with pytest.raises(EngineError, match=rf"{len(failed)} samples have no answer .*the same command requests"):
            told.draw(num)
        found = Engine(url, max_retries=0, concurrency=1, continue_on_error=True).draw(num)
    reasons = {seed: completion.stop_reason for seed, completion in found.items()}
    assert reasons == {100 + at: "eos" if at % 2 else "failed" for at in range(num)}
    assert all(found[seed].text == "" and found[seed].extra["failure"] for seed in failed)
    for at in range(0, num, 2):
        assert any(f"no answer: p{at}, sample 0: " in text for text in told.said)


def test_a_server_that_is_gone_leaves_no_failed_samples() -> None:
    """The last samples are missing, not wrong, if the server may have died."""
    drawn: list[Completion] = []
    with running(Server(odd=lambda body, _: "reset" if (body.get("seed") or 0) >= 103 else None)) as url:
        engine = Engine(url, max_retries=0, concurrency=1, continue_on_error=True)
        problems = [a_problem(problem_id=f"p{i}") for i in range(9)]
        requests = [_request(problem, 100 + i) for i, problem in enumerate(problems)]
        with pytest.raises(EngineError, match="no connection"):
            drawn.extend(completion for some in engine.generate(requests, SAMPLING) for completion in some)
        with pytest.raises(EngineError, match=r"1 sample has no answer"):
            list(engine.generate(requests[2:4], SAMPLING))
    assert {completion.stop_reason for completion in drawn} == {"eos"}


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ((402, {"error": {"message": "Insufficient Balance"}}), "HTTP 402"),
        ((429, {"error": {"code": "insufficient_quota", "message": "billing"}}), "HTTP 429"),
        ((429, "come back", {"Retry-After": "86400"}), "the server asks to wait 86,400 s"),
        ((401, {"error": {"message": "no such key"}}), r"set \$OPENAI_API_KEY"),
    ],
)
def test_what_no_retry_mends_ends_the_run_at_once(answer: Any, shown: str) -> None:
    server = Server(odd=lambda body, _: answer if (body.get("seed") or 0) >= 105 else None)
    with running(server) as url, pytest.raises(EngineError, match=shown) as caught:
        Engine(url, concurrency=2).draw(60)
    assert "Finished samples are kept" in str(caught.value)
    assert len(server.log.drawn()) < 12


def test_a_long_wait_that_is_a_date_is_not_waited_for() -> None:
    tomorrow = format_datetime(datetime.now(UTC) + timedelta(days=1), usegmt=True)
    odd = of_seed(100, (503, "maintenance", {"Retry-After": tomorrow}))
    with running(Server(odd=odd)) as url, pytest.raises(EngineError, match=r"asks to wait 86,\d+ s"):
        Engine(url).draw(1)


def test_an_overloaded_server_gets_fewer_requests_at_once_and_every_sample_is_drawn() -> None:
    server = Server()

    def odd(body: Body, _times: int) -> Any:
        with server.lock:
            is_crowded = server.log.in_flight > 4
        return (429, {"error": {"message": "rate limit"}}) if is_crowded and body.get("seed") else None

    server.behaviour.odd = odd
    with running(server) as url:
        engine = Engine(url, concurrency=32, max_retries=30)
        found = engine.draw(120)
    assert {completion.text for completion in found.values()} == {whole(seed) for seed in range(100, 220)}
    assert any("down to" in text and "in flight at a time" in text for text in engine.said)


def test_a_slow_answer_is_left_after_the_timeout() -> None:
    with running(Server(odd=of_seed(100, "hang"))) as url:
        engine = Engine(url, request_timeout_s=0.3, max_retries=1)
        with pytest.raises(EngineError, match=r"no answer in time \(--request-timeout"):
            engine.draw(3)


def test_an_answer_of_another_model_ends_the_run() -> None:
    with running(server := Server()) as url:
        engine = Engine(url, concurrency=1)
        server.behaviour.answers_as = "m-mini"
        with pytest.raises(EngineError, match="now answers as m-mini, before as m: a different model was loaded"):
            engine.draw(3)


def test_a_refusal_is_an_answer() -> None:
    def refuse(answer: Body) -> None:
        answer["choices"][0]["message"] = {"content": None, "refusal": "I can't help with that."}

    with running(server := Server()) as url:
        engine = Engine(url)
        server.behaviour.change = refuse
        (found,) = engine.draw().values()
    assert (found.text, found.stop_reason, found.extra["is_refusal"]) == ("I can't help with that.", "eos", True)
    assert any("1 of 1 answer are refusals" in text for text in engine.said)


def test_thoughts_without_an_answer_and_hidden_thoughts_are_told() -> None:
    def silent(answer: Body) -> None:
        answer["choices"][0]["message"]["content"] = None

    def hide(answer: Body) -> None:
        answer["choices"][0]["message"].pop("reasoning_content")
        answer["usage"]["completion_tokens_details"] = {"reasoning_tokens": 9}

    with running(server := Server()) as url:
        engine = Engine(url)
        server.behaviour.change = silent
        (found,) = engine.draw().values()
        assert found.text == whole(100).partition("</think>")[0]
        server.behaviour.change = hide
        (found,) = engine.draw().values()
    assert found.text == chat_text_for(MESSAGES, 100)[1]
    assert found.extra["usage"]["reasoning_tokens"] == 9
    assert any("ended with a thought and no content" in text for text in engine.said)
    assert any("thoughts of 1 of 1 answer are hidden" in text for text in engine.said)


def test_a_model_that_takes_other_settings_is_asked_in_its_way() -> None:
    refuses = ("max_tokens", "temperature", "top_p", "seed", "stop")
    with running(server := Server(fields=(), refuses=refuses)) as url:
        engine = Engine(url)
        (found,) = engine.draw(sampling=Sampling(max_tokens=640)).values()
        with pytest.raises(ConfigError, match=r"does not accept temperature for this model, so 0.6 would have no"):
            engine.draw(sampling=Sampling(temperature=0.6))
        with pytest.raises(ConfigError, match="does not accept stop strings"):
            engine.draw(sampling=Sampling(stop=("x",)))
    assert found.stop_reason == "eos"
    assert server.log.bodies[-1].keys() == {"model", "messages", "max_completion_tokens"}
    assert any("does not accept seed, temperature, top_p" in text and "drawn again" in text for text in engine.said)


def asked(url: str, notes: list[str], *, system: str | None = None, **settings: Any) -> ServerFacts:
    spec = make_spec(name="openai", checkpoint="m", base_url=url, endpoint="chat", **settings)
    prompt = ProbePrompt(messages=messages_for(PROBLEM, "chat", system=system))
    return ask_server(spec, prompt=prompt, notice=notes.append)


def test_a_system_message_that_the_server_ignores_is_refused() -> None:
    with running(Server()) as url:
        assert asked(url, [], system="Be brief.").endpoint == "chat"
    with running(Server(reads_system=False)) as url:
        assert asked(url, []).endpoint == "chat"
        with pytest.raises(ConfigError, match="chat template ignores the system message"):
            asked(url, [], system="Be brief.")


def test_a_server_without_a_chat_endpoint_is_named_with_the_other_one() -> None:
    with running(Server(has_chat=False)) as url, pytest.raises(EngineError, match="or --endpoint completions"):
        Engine(url)


def test_a_prompt_is_counted_once_where_the_context_is_short() -> None:
    with running(server := Server(max_model_len=700)) as url:
        requests = [_request(PROBLEM, 100 + at, sample_index=at) for at in range(8)]
        engine = Engine(url)
        found = [completion for some in engine.generate(requests, SAMPLING) for completion in some]
    assert len(found) == 8
    asked_for = [body["max_tokens"] for body in server.log.bodies]
    assert asked_for.count(1) == 1
    assert asked_for.count(700 - len(MESSAGES[0]["content"])) == 8


def test_variables_of_the_template_are_sent() -> None:
    with running(server := Server()) as url:
        spec = make_spec(name="openai", checkpoint="m", base_url=url, endpoint="chat")
        engine = OpenAIServerEngine(replace(spec, template_args={"enable_thinking": False}))
        list(engine.generate([_request(PROBLEM, 100)], SAMPLING))
    assert all(body["chat_template_kwargs"] == {"enable_thinking": False} for body in server.log.bodies)


@pytest.mark.parametrize("counts_by", ["token_ids", "logprobs"])
def test_several_samples_of_a_question_share_a_request(counts_by: str) -> None:
    with running(server := Server(counts_by=counts_by)) as url:
        engine = Engine(url, samples_per_request=3, price_in=1.0, price_out=2.0)
        requests = [
            _request(a_problem(problem_id=name), seed, sample_index=at)
            for name, seeds in (("a", range(10, 15)), ("b", range(20, 22)))
            for at, seed in enumerate(seeds)
        ]
        lists = list(engine.generate(requests, SAMPLING))
    found = {completion.key: completion for some in lists for completion in some}
    assert sorted(map(len, lists)) == [2, 2, 3]
    assert len(found) == 7
    second = found["a", 1]
    assert (second.seed, second.extra["request_seed"], second.extra["choice"], second.extra["choices"]) == (
        11,
        10,
        1,
        3,
    )
    assert second.num_tokens == sum(map(len, chat_text_for(MESSAGES, 11)))
    prompt_tokens = second.extra["usage"]["prompt_tokens"]
    assert second.extra["usage"]["cost"] == pytest.approx((prompt_tokens / 3 + 2 * second.num_tokens) / 1e6)
    assert sorted(body.get("n", 1) for body in server.log.drawn()) == [2, 2, 3]


def test_a_server_that_gives_one_sample_a_request_is_asked_for_one() -> None:
    with running(server := Server(counts_by="nothing")) as url:
        engine = Engine(url, samples_per_request=4)
        assert len(engine.stream(3)) == 3
    assert not any("n" in body for body in server.log.drawn())
    assert any("one sample a request" in text for text in engine.said)
