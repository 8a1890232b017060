"""Prompts of a judge, the reading of its replies, and judges on a scripted engine and on a server."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from orz_bench.engines.model_options import EngineOptions
from orz_bench.engines.settings import EndpointName, ServerSettings
from orz_bench.errors import ConfigError, EngineError
from orz_bench.judging.judge import Judgement, ModelJudge, Wording, open_judge
from orz_bench.judging.options import JudgeOptions, named_for_judge
from orz_bench.judging.prompts import judge_prompt, reading
from orz_bench.models.checkpoint import ModelIdentity
from tests.support.openai_server import Server, running
from tests.support.scripted_engine import Letters, ScriptedEngine


@pytest.mark.parametrize(
    ("reply", "read"),
    [
        ("yes", True), (" No.", False), ("Yes, it does. Yes", True), ("", None), ("maybe", None), ("yes or no", None),
        ("**NO**", False), ("know", None), ("<think>yes or no?</think>No", False), ("is it yes? </think> no", False),
        ("<think>yes, be", None),
    ],
)  # fmt: skip
def test_replies(reply: str, read: bool | None) -> None:
    assert reading(reply) is read


def test_a_long_response_is_cut_in_its_middle() -> None:
    prompt = judge_prompt("Q?", problem="P", response="a" * 20_000 + "END")
    assert "[...]" in prompt
    assert "aEND\n</response>" in prompt
    assert len(prompt) < 13_000


def a_judge(context: int | None = None) -> tuple[ModelJudge, ScriptedEngine]:
    engine = ScriptedEngine(lambda prompt, seed: " Yes" if "wait" in prompt else " No")
    judge = ModelJudge(
        identity=ModelIdentity(label="m", step=0, digest="d"),
        facts={"engine": "stub"},
        open_engine=lambda: engine,
        wording=Wording(tokenizer=NoTemplate()),
        context=context,
    )
    return judge, engine


class NoTemplate(Letters):
    """The tokenizer of a base model."""

    bos = eos = opening = ""

    def render_chat(self, messages: Sequence[dict[str, str]]) -> str:
        raise ConfigError("its tokenizer has no chat template")


def in_order(blocks: Iterable[list[Judgement]]) -> list[tuple[bool | None, str]]:
    found = sorted((one for block in blocks for one in block), key=lambda one: one.number)
    return [(one.shows, one.reply) for one in found]


def test_every_response_is_asked_about_once() -> None:
    judge, engine = a_judge()
    found = in_order(judge.ask("Does it hesitate?", [("1+1", "wait, 2"), ("1+1", "2")]))
    assert found == [(True, "Yes"), (False, "No")]
    assert len(engine.asked[0]) == 2
    assert judge.card == {
        "model": "d",
        "engine": "stub",
        "sampling": {"temperature": 0.0, "max_tokens": 16, "seed": 0},
        "rules": 2,
    }


def test_a_seed_belongs_to_a_response_wherever_it_is_asked_about() -> None:
    judge, engine = a_judge()
    in_order(judge.ask("Q?", [("1+1", "2"), ("1+2", "3")]))
    in_order(judge.ask("Q?", [("1+2", "3")]))
    first, second = engine.asked
    assert first[1].seed == second[0].seed != first[0].seed


def test_what_does_not_fit_is_refused() -> None:
    judge, _ = a_judge(context=100)
    with pytest.raises(ConfigError, match="the model's context is 100"):
        in_order(judge.ask("Q?", [("1+1", "2")]))


def test_options_in_messages_have_the_names_of_a_judges() -> None:
    said = "use --engine openai, --base-url URL, --request-timeout or --ckpt; not --judge-engine or --engines"
    assert named_for_judge(said) == (
        "use --judge-engine openai, --judge-base-url URL, --judge-request-timeout or --judge; not "
        "--judge-engine or --engines"
    )


def answers(body: dict[str, Any], _times: int) -> tuple[int, Any] | None:
    """A judge on a server: yes to responses with `wait`."""
    prompt = str(body.get("prompt") or body["messages"][-1]["content"])
    says = "Yes" if "wait" in prompt.partition("<response>")[2].partition("</response>")[0] else "No"
    choice: dict[str, Any] = {"index": 0, "finish_reason": "stop"}
    choice |= {"message": {"role": "assistant", "content": says}} if "messages" in body else {"text": f" {says}"}
    return 200, {"choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 2}, "model": "m"}


ASKED = [("1+1", "wait, 2"), ("1+1", "2"), ("2+1", "wait")]


def at(url: str, **changes: Any) -> JudgeOptions:
    own = {name: changes.pop(name) for name in tuple(changes) if name not in JudgeOptions.__dataclass_fields__}
    server = ServerSettings(base_url=url, max_retries=0, **own)
    return JudgeOptions(engine="openai", engine_settings=EngineOptions(server=server), **changes)


@pytest.mark.parametrize("endpoint", ["completions", "chat"])
def test_a_judge_on_a_server(endpoint: EndpointName) -> None:
    with running(server := Server(odd=answers)) as url:
        secret = url.replace("http://", "http://me:hidden@")
        options = at(f"{secret}?key=hidden", endpoint=endpoint, seed=3)
        with open_judge("m", options, notice=lambda _: None) as judge:
            found = in_order(judge.ask("Does it wait?", ASKED))
            card = judge.card
    assert [shows for shows, _ in found] == [True, False, True]
    assert card["model"] == "openai:m"
    assert card["server"]["model"] == "m"
    assert (card.get("endpoint"), "hidden" in str(card)) == (None if endpoint == "completions" else "chat", False)
    assert card["sampling"] == {"temperature": 0.0, "max_tokens": 16, "seed": 3}
    last = server.log.bodies[-1]
    assert (last["temperature"], last["max_tokens"]) == (0.0, 16)
    assert ("messages" in last) == (endpoint == "chat")


def test_what_a_server_has_no_answer_for_is_an_error_or_unclear() -> None:
    def odd(body: dict[str, Any], times: int) -> tuple[int, Any] | None:
        return (400, {"error": {"message": "filtered"}}) if "2+1" in str(body) else answers(body, times)

    with running(Server(odd=odd)) as url:
        with open_judge("m", at(url, continue_on_error=True), notice=lambda _: None) as judge:
            found = in_order(judge.ask("Does it wait?", ASKED))
        with (
            pytest.raises(EngineError, match="--judge-continue-on-error stores it as unclear"),
            open_judge("m", at(url), notice=lambda _: None) as judge,
        ):
            in_order(judge.ask("Does it wait?", ASKED))
    assert found[:2] == [(True, "Yes"), (False, "No")]
    assert found[2] == (None, "no reply: HTTP 400 (filtered)")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"template_args": {"a": 1}}, "use --judge-endpoint chat, or give the model's --judge-tokenizer"),
        ({"engine": "fake"}, "--judge-base-url is a setting of --judge-engine openai and has no effect on fake"),
    ],
)
def test_settings_that_would_be_ignored_are_refused(changes: dict[str, Any], message: str) -> None:
    options = replace(at("http://127.0.0.1:9/v1"), **changes)
    with pytest.raises(ConfigError, match=message), open_judge("m", options, notice=lambda _: None):
        pass
