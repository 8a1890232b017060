"""The client of OpenAI-compatible servers, against a scripted server of our own in this process."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from orz_bench.engines.engine import Sampling
from orz_bench.engines.openai.engine import OpenAIServerEngine
from orz_bench.engines.registry import make_spec
from orz_bench.errors import ConfigError, EngineError
from orz_bench.records.rollout import Completion
from tests.support.builders import a_problem, a_request
from tests.support.openai_server import Body, Server, running, text_for

SAMPLING = Sampling(temperature=0.6, top_p=0.9, max_tokens=640, stop=("</answer>", "User:"))
PROMPT = "1 + 1?"


class Engine(OpenAIServerEngine):
    """Keeps its messages."""

    def __init__(self, url: str, **settings: Any) -> None:
        self.said: list[str] = []
        facts: dict[str, Any] = {"checkpoint": "m", "base_url": url, "max_retries": 2} | settings
        super().__init__(make_spec(name="openai", **facts), notice=self.said.append)

    def draw(self, count: int = 1, sampling: Sampling = SAMPLING, **request: Any) -> list[Completion]:
        requests = [
            a_request(problem=a_problem(problem_id=f"p{i}"), seed=100 + i, **{"prompt": PROMPT} | request)
            for i in range(count)
        ]
        return [completion for some in self.generate(requests, sampling) for completion in some]


def whole(seed: int, prompt: str = PROMPT) -> str:
    """The text up to its first stop string, which it keeps."""
    return text_for(prompt, seed).removesuffix(" User: more")


def test_every_sample_is_generated_once_with_its_own_seed() -> None:
    with running(server := Server()) as url:
        found = Engine(url, concurrency=4).draw(40)
    assert {completion.text for completion in found} == {whole(seed) for seed in range(100, 140)}
    assert {completion.stop_reason for completion in found} == {"stop_string"}
    assert {completion.num_tokens for completion in found} == {len(whole(100))}
    assert server.log.most_in_flight <= 4
    assert sorted(body["seed"] for body in server.log.drawn()) == list(range(100, 140))
    first = server.log.drawn()[0]
    wanted = {"prompt": PROMPT, "temperature": 0.6, "top_p": 0.9, "max_tokens": 640, "stop": ["</answer>", "User:"]}
    neutral: dict[str, Any] = {"include_stop_str_in_output": True, "add_special_tokens": False}
    neutral |= {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}
    assert first == wanted | neutral | {"model": "m", "seed": first["seed"]}


@pytest.mark.parametrize("keeps", [True, False])
@pytest.mark.parametrize("fields", [("include_stop_str_in_output", "add_special_tokens"), ()])
def test_a_named_stop_string_is_kept_in_the_text_by_any_server(keeps: bool, fields: tuple[str, ...]) -> None:
    with running(Server(keeps_stop=keeps, fields=fields)) as url:
        (found,) = Engine(url).draw()
    assert (found.text, found.stop_reason) == (whole(100), "stop_string")


def test_a_server_that_removes_stop_strings_silently_is_refused_before_sampling() -> None:
    with (
        running(server := Server(keeps_stop=False, names_stop=False)) as url,
        pytest.raises(ConfigError, match=r"removes the matched stop string without naming it.* --stop '' for none"),
    ):
        Engine(url).draw()
    assert not server.log.drawn()


def test_a_server_that_keeps_stop_strings_need_not_name_them() -> None:
    with running(Server(names_stop=False)) as url:
        (found,) = Engine(url).draw()
    assert (found.text, found.stop_reason) == (whole(100), "stop_string")


def test_without_stop_strings_none_is_needed() -> None:
    with running(Server(keeps_stop=False, names_stop=False)) as url:
        (found,) = Engine(url).draw(sampling=Sampling(max_tokens=640))
    assert (found.text, found.stop_reason) == (text_for(PROMPT, 100), "length")


def test_how_a_text_ended_is_never_guessed() -> None:
    """A canned server that does not show how it handles stop strings."""
    answer = {"choices": [{"text": "a \\boxed{2} ", "finish_reason": "stop"}], "usage": {"completion_tokens": 5}}
    with (
        running(Server(odd=lambda _body, _times: (200, answer))) as url,
        pytest.raises(EngineError, match="it is unknown whether with a stop string"),
    ):
        Engine(url).draw()


def test_settings_are_negotiated_before_requests_are_sent_together() -> None:
    with running(server := Server(fields=("top_k",), names_stop=False, keeps_stop=False)) as url:
        engine = Engine(url, concurrency=64)
        found = engine.draw(64, Sampling(max_tokens=640, top_k=20))
    assert len(found) == 64
    assert all(body["top_k"] == 20 and "add_special_tokens" not in body for body in server.log.drawn())
    assert any("does not accept include_stop_str_in_output, add_special_tokens, min_p" in text for text in engine.said)


@pytest.mark.parametrize("setting", [{"top_k": 20}, {"min_p": 0.1}, {"repetition_penalty": 1.1}])
def test_a_setting_that_would_have_no_effect_is_refused(setting: dict[str, Any]) -> None:
    name = next(iter(setting))
    with running(Server(fields=())) as url, pytest.raises(ConfigError, match=f"does not accept {name}"):
        Engine(url).draw(sampling=Sampling(**setting))


def test_penalties_are_sent_if_they_are_set() -> None:
    with running(server := Server()) as url:
        Engine(url).draw(sampling=Sampling(presence_penalty=0.5, repetition_penalty=1.2, max_tokens=640))
    (body,) = server.log.drawn()
    assert (body["presence_penalty"], body["repetition_penalty"], "frequency_penalty" in body) == (0.5, 1.2, False)


@pytest.mark.parametrize("reason", ["content_filter", "abort", "error", None, "weird", 3, ["stop"]])
def test_an_unfinished_answer_is_requested_again_and_never_stored(reason: Any) -> None:
    def finish(body: Body, times: int) -> Any:
        return reason if body["seed"] == 103 and times < 1 else ""

    with running(Server(finish=finish)) as url:
        engine = Engine(url)
        found = engine.draw(5)
    assert {completion.text for completion in found} == {whole(seed) for seed in range(100, 105)}
    assert any("p3, sample 0" in text and "finish_reason" in text for text in engine.said)


def test_what_stays_without_an_answer_is_named_at_the_end_and_all_else_is_kept() -> None:
    found: list[Completion] = []
    with running(Server(finish=lambda body, _: "content_filter" if body["seed"] == 103 else "")) as url:
        engine = Engine(url, max_retries=1)
        requests = [a_request(problem=a_problem(problem_id=f"p{i}"), seed=100 + i, prompt=PROMPT) for i in range(9)]
        with pytest.raises(EngineError, match=r'1 sample has no answer \(p3, sample 0: .*"content_filter"'):
            found.extend(completion for some in engine.generate(requests, SAMPLING) for completion in some)
    assert {completion.seed for completion in found} == {*range(100, 109)} - {103}


def test_a_failed_sample_can_be_kept_as_such() -> None:
    with running(Server(finish=lambda body, _: "error" if body["seed"] == 103 else "")) as url:
        found = {completion.seed: completion for completion in Engine(url, continue_on_error=True).draw(5)}
    assert (found[103].stop_reason, found[103].text) == ("failed", "")
    assert "finish_reason" in found[103].extra["failure"]
    assert found[104].stop_reason == "stop_string"


ODD: dict[str, Any] = {
    "html": (200, "<!doctype html><p>gateway</p>"),
    "empty": (200, ""),
    "a list": (200, []),
    "no choices": (200, {"choices": [], "usage": {"completion_tokens": 1}}),
    "choices that are none": (200, {"choices": "x", "usage": {"completion_tokens": 1}}),
    "null text": (200, {"choices": [{"text": None, "finish_reason": "stop"}], "usage": {"completion_tokens": 1}}),
    "no usage": (200, {"choices": [{"text": "x", "finish_reason": "stop"}]}),
    "too many tokens": (
        200,
        {"choices": [{"text": "x", "finish_reason": "stop"}], "usage": {"completion_tokens": 10**30}},
    ),
    "usage of text": (200, {"choices": [{"text": "x", "finish_reason": "stop"}], "usage": {"completion_tokens": "1"}}),
    "error with 200": (200, {"error": {"message": "CUDA out of memory"}}),
    "error as text": (200, {"error": "overloaded"}),
    "deep": (200, "[" * 100_000),
    "busy": (503, {"error": {"message": "try later"}}),
    "too many": (429, "slow down"),
    "reset": "reset",
    "cut": "cut",
    "a chunk cut": "cut chunk",
}


@pytest.mark.parametrize("name", ODD)
def test_an_unexpected_answer_is_requested_again_and_named(name: str) -> None:
    def odd(body: Body, times: int) -> Any:
        return ODD[name] if body["seed"] == 102 and times < 2 else None

    with running(Server(odd=odd)) as url:
        engine = Engine(url)
        found = engine.draw(4)
    assert {completion.text for completion in found} == {whole(seed) for seed in range(100, 104)}
    assert any("p2, sample 0" in text and "retries so far: 1" in text for text in engine.said)


@pytest.mark.parametrize(
    "name", [name for name in ODD if name not in ("reset", "cut", "a chunk cut", "busy", "too many")]
)
def test_one_answer_that_stays_odd_takes_no_other_with_it(name: str) -> None:
    with running(Server(odd=lambda body, _: ODD[name] if body["seed"] == 102 else None)) as url:
        engine = Engine(url, max_retries=1, continue_on_error=True)
        found = {completion.seed: completion.stop_reason for completion in engine.draw(6)}
    assert found == dict.fromkeys(range(100, 106), "stop_string") | {102: "failed"}


@pytest.mark.parametrize("name", ODD)
def test_a_server_with_nothing_but_odd_answers_ends_in_one_sentence(name: str) -> None:
    with running(Server(odd=lambda _body, _times: ODD[name])) as url, pytest.raises(EngineError) as caught:
        Engine(url, max_retries=1)
    assert url in str(caught.value)
    assert not str(caught.value).startswith("Traceback")


def test_a_server_that_breaks_for_good_is_given_up_after_some_samples() -> None:
    def odd(body: Body, _times: int) -> Any:
        return ODD["html"] if body["seed"] >= 105 else None

    with running(server := Server(odd=odd)) as url, pytest.raises(EngineError, match="begins '<!doctype html>"):
        Engine(url, max_retries=0, concurrency=2).draw(500)
    assert len(server.log.drawn()) < 60


def test_a_server_that_hangs_is_left_after_the_timeout() -> None:
    def odd(body: Body, _times: int) -> Any:
        return "hang" if body["seed"] == 100 else None

    with running(Server(odd=odd)) as url:
        engine = Engine(url, request_timeout_s=0.3, max_retries=1)
        with pytest.raises(EngineError, match=r"no answer in time \(--request-timeout"):
            engine.draw(2)
    assert any("retried in" in text for text in engine.said)


MODELS: dict[str, Any] = {
    "html": (200, "<html>welcome</html>"),
    "text": (200, "ok"),
    "a list": (200, [1]),
    "no data": (200, {"object": "list"}),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_list_of_models_that_is_none_is_named(name: str) -> None:
    with running(Server(models=MODELS[name])) as url, pytest.raises(EngineError, match=r"/models: "):
        Engine(url, max_retries=0)


def test_a_server_may_do_without_a_list_of_models() -> None:
    with running(Server(models=(404, {"detail": "Not Found"}))) as url:
        assert len(Engine(url).draw(2)) == 2


@pytest.mark.parametrize("path", ["", "/v1/", "/v1/chat/completions", "/v1/completions", "/v1/models"])
def test_an_address_is_corrected_if_its_meaning_is_clear(path: str) -> None:
    with running(server := Server()) as url:
        engine = Engine(url.removesuffix("/v1") + path)
        assert len(engine.draw(2)) == 2
    assert {place for place in server.log.paths if "completions" in place} == {"/v1/completions"}
    assert path == "/v1/" or any("is used" in text for text in engine.said)


def test_an_address_without_a_server_shows_the_expected_form() -> None:
    with running(Server()) as url, pytest.raises(EngineError, match=r"usually ends in /v1"):
        Engine(url.removesuffix("/v1") + "/api/v2")


@pytest.mark.parametrize(
    "address", ["127.0.0.1:8000/v1", "user:pw@host/v1", "ftp://host/v1", "http://", "", "http://h:x/"]
)
def test_an_invalid_address_is_refused_without_showing_its_secret(address: str) -> None:
    with pytest.raises(ConfigError, match="is not the address of a server") as caught:
        Engine(address)
    assert "pw" not in str(caught.value)


def test_credentials_and_query_reach_the_server_and_nothing_else() -> None:
    with running(server := Server()) as url:
        engine = Engine(url.replace("://", "://me:hush%21@") + "?api-version=1&key=s3cret")
        engine.draw(2)
        asked = {path.partition("?")[2] for path in server.log.paths}
        assert asked == {"api-version=1&key=s3cret"}
        assert {headers["authorization"] for headers in server.log.headers} == {"Basic bWU6aHVzaCE="}
    with pytest.raises(EngineError) as caught:
        Engine(url.replace("://", "://me:hush%21@") + "?api-version=1&key=s3cret")
    assert "***" in str(caught.value)
    assert not any(secret in str(caught.value) for secret in ("hush", "s3cret"))


def test_a_wrong_name_fails_at_once() -> None:
    with (
        running(Server()) as url,
        pytest.raises(EngineError, match="serves m, not 'other'; use one of those names for --ckpt"),
    ):
        Engine(url, checkpoint="other")


def test_a_refused_key_is_reported() -> None:
    with (
        running(Server(odd=lambda _body, _times: (401, {"error": {"message": "no"}}))) as url,
        pytest.raises(EngineError, match=r"refused the key; set \$OPENAI"),
    ):
        Engine(url)


def test_a_closed_port_is_reported() -> None:
    with pytest.raises(EngineError, match=r"no connection .* Start the server, or set --base-url"):
        Engine("http://127.0.0.1:9/v1", max_retries=0)


def test_completions_fit_the_servers_context() -> None:
    """With and without a tokenizer; a prompt that leaves nothing is a failed sample."""
    with running(server := Server(max_model_len=80)) as url:
        engine = Engine(url)
        (found,) = engine.draw(prompt_token_ids=None)
        assert (found.num_tokens, found.stop_reason) == (80 - len(PROMPT), "length")
        with pytest.raises(EngineError, match="do not fit the server's context of 80"):
            engine.draw(prompt="9" * 90, prompt_token_ids=(1,) * 90)
    assert [body["max_tokens"] for body in server.log.drawn()] == [80 - len(PROMPT)]


def test_token_ids_are_sent_if_they_mean_the_same() -> None:
    from orz_bench.engines.engine import ProbePrompt
    from orz_bench.engines.openai.probe import ask_server

    ids = tuple(map(ord, PROMPT))
    for behaviour, takes, said in (
        ({}, True, 0),
        ({"takes_ids": False}, False, 0),
        ({"adds_bos": True, "takes_ids": False}, False, 1),
    ):
        notes: list[str] = []
        with running(Server(**behaviour)) as url:
            spec = make_spec(name="openai", checkpoint="m", base_url=url)
            facts = ask_server(spec, prompt=ProbePrompt(text=PROMPT, token_ids=ids), notice=notes.append)
        assert (facts.takes_token_ids, sum("a different tokenizer" in note for note in notes)) == (takes, said)


def test_a_different_model_under_the_same_name_ends_the_run() -> None:
    with running(server := Server()) as url:
        engine = Engine(url, concurrency=1)
        server.behaviour.answers_as = "m-v2"
        with pytest.raises(EngineError, match="now answers as m-v2, before as m: a different model was loaded"):
            engine.draw(3)


def test_leaving_early_ends_the_requests() -> None:
    with running(Server()) as url:
        engine = Engine(url, concurrency=2)
        stream = engine.generate((a_request(seed=i, sample_index=i) for i in range(1000)), Sampling())
        next(stream)
        stream.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if thread.name == "orz-openai"]
