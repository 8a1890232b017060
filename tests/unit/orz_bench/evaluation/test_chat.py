"""Evaluations of a model behind a chat endpoint, from options to rows, summary and report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import orz_bench
from orz_bench.api import Results
from orz_bench.asking.changes import ProtocolChanges
from orz_bench.asking.templates import MESSAGES, TEMPLATES
from orz_bench.engines.model_options import EngineOptions
from orz_bench.engines.settings import ServerSettings
from orz_bench.errors import ConfigError, EngineError, OrzError
from orz_bench.evaluation.options import EvalOptions
from orz_bench.evaluation.run_evaluation import preview_evaluations
from orz_bench.records.run_dir import RunDir
from orz_bench.results.report import render_markdown
from tests.support.openai_server import Server, running
from tests.unit.orz_bench.evaluation.test_run_evaluation import Notes

N = 4


def asked(url: str, out: Path, said: list[str] | None = None, **options: Any) -> Results:
    facts: dict[str, Any] = {"engine": "openai", "endpoint": "chat", "base_url": url, "protocol": "greedy", "limit": N}
    notice = said.append if said is not None else None
    return orz_bench.evaluate("m", out=out, notice=notice, **{"benchmarks": ["arithmetic"]} | facts | options)


def test_messages_answers_and_costs_are_on_disk(tmp_path: Path) -> None:
    with running(Server()) as url:
        found = asked(url, tmp_path, system_prompt="Be brief.", price_in=1.0, price_out=4.0)
    (one,) = found.evaluations
    assert one.summary.avg_at_n == 1.0
    row = found.table.to_pylist()[0]
    extra = json.loads(row["extra"])
    assert row["prompt"].startswith("system:\nBe brief.\n\nuser:\nWhat is ")
    assert [turn["role"] for turn in extra["messages"]] == ["system", "user"]
    assert row["completion"].startswith("<think>sample ")
    assert (row["token_ids"], row["logprobs"], row["prompt_token_ids"]) == (None, None, None)
    usage = one.summary.usage
    assert usage["cost"] == pytest.approx((usage["prompt_tokens"] + 4 * usage["new_tokens"]) / 1e6)
    assert usage["num_samples"] == usage["num_priced"] == N
    assert one.summary.usage == orz_bench.load(tmp_path).evaluations[0].summary.usage
    shown = render_markdown([one])
    assert "| cost |" in shown.splitlines()[0]
    assert "the server counted" in shown


def test_a_dry_run_shows_the_messages_and_the_most_that_they_can_cost(tmp_path: Path) -> None:
    with running(server := Server()) as url:
        options = EvalOptions(
            checkpoint="m",
            benchmarks=("arithmetic",),
            engine="openai",
            protocol="greedy",
            protocol_changes=ProtocolChanges(max_tokens=500),
            limit=N,
            system_prompt="Be brief.",
            out=tmp_path / "run",
            engine_settings=EngineOptions(
                server=ServerSettings(base_url=url, endpoint="chat", price_in=1.0, price_out=4.0)
            ),
        )
        shown = preview_evaluations(options, observer=Notes())
    assert "cost: at most 0.00800 for new tokens, and that of the prompts" in shown
    assert "system:\nBe brief.\n\nuser:\nWhat is " in shown
    assert not (tmp_path / "run").exists()
    assert not server.log.drawn()


def test_endpoint_system_prompt_and_model_are_the_evaluations_own(tmp_path: Path) -> None:
    """Another one of them is another evaluation, whose samples are never mixed with the first one's."""
    with running(server := Server()) as url:
        first = asked(url, tmp_path)
        again = asked(url, tmp_path)
        others = [
            asked(url, tmp_path, system_prompt="Be brief."),
            asked(url, tmp_path, template_args={"enable_thinking": False}),
            asked(url, tmp_path, endpoint="completions", template="plain"),
        ]
        server.behaviour.answers_as = "m-2"
        others.append(asked(url, tmp_path))
    results = [one.evaluations[0] for one in (first, *others)]
    assert again.evaluations[0].num_generated_now == 0
    assert len({one.fingerprint for one in results}) == len(results)
    assert all(one.num_generated_now == N for one in results)
    assert [one.protocol.get("endpoint") for one in results] == ["chat", "chat", "chat", None, "chat"]
    assert "differ in" in render_markdown(results)


def test_a_reasoning_parser_that_changed_between_the_samples_is_told(tmp_path: Path) -> None:
    with running(server := Server()) as url:
        before = asked(url, tmp_path, limit=2).evaluations[0]
        server.behaviour.thought_field = None
        after = asked(url, tmp_path).evaluations[0]
    assert (before.summary.thoughts, after.summary.thoughts) == (
        {"reasoning_content": 2},
        {"content": N - 2, "reasoning_content": 2},
    )
    assert "reasoning parser" not in render_markdown([before])
    assert "its reasoning parser changed between the samples" in render_markdown([after])


def test_samples_under_another_endpoints_identity_are_refused(tmp_path: Path) -> None:
    with running(Server()) as url:
        asked(url, tmp_path)
        (folder,) = RunDir(tmp_path).evaluations()
        known = json.loads(folder.protocol_path.read_text("utf-8"))
        folder.protocol_path.write_text(json.dumps(known | {"fingerprint": "0" * 12}), "utf-8")
        with pytest.raises(OrzError, match=r"samples of another protocol \(found fingerprint 000000000000, .*; wanted"):
            asked(url, tmp_path, limit=N + 1)


def test_a_larger_n_and_other_prices_add_samples_to_the_same_evaluation(tmp_path: Path) -> None:
    options: dict[str, Any] = {"protocol": "r1", "max_tokens": 640}
    with running(Server()) as url:
        first = asked(url, tmp_path, n=1, **options).evaluations[0]
        found = asked(url, tmp_path, n=3, price_in=1.0, price_out=1.0, samples_per_request=8, **options).evaluations[0]
    assert (found.fingerprint, found.num_generated_now) == (first.fingerprint, 2 * N)
    assert (found.summary.usage["num_samples"], found.summary.usage["num_priced"]) == (3 * N, 2 * N)


@pytest.mark.parametrize("template", sorted(TEMPLATES.keys() - MESSAGES.keys() - {"mmlu"}))
def test_a_template_that_is_no_message_is_refused_before_anything_is_sent(template: str, tmp_path: Path) -> None:
    with (
        running(server := Server()) as url,
        pytest.raises(ConfigError, match=f"the template {template} .* Use a protocol"),
    ):
        asked(url, tmp_path, template=template)
    assert not server.log.paths


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"tokenizer": "some/folder"}, "--tokenizer renders and counts"),
        ({"benchmarks": ["arithmetic", "lm-eval:gsm8k"]}, "lm-eval:gsm8k: lm-eval's tasks are prompts of text"),
        ({"benchmarks": ["mmlu"], "protocol": None}, "computes no log-likelihoods"),
        ({"engine": "fake", "base_url": ServerSettings().base_url}, "--endpoint is a setting of --engine openai"),
        ({"endpoint": "other"}, "--endpoint other is unknown"),
        ({"price_in": 1.0}, "belong together"),
        ({"price_in": -1.0, "price_out": 1.0}, "price_in is -1"),
        ({"price_in": float("nan"), "price_out": 1.0}, "price_in is nan"),
        ({"samples_per_request": 0}, "samples_per_request is 0"),
        ({"samples_per_request": 2, "endpoint": "completions"}, "needs --endpoint chat"),
    ],
)
def test_what_would_have_no_effect_is_refused(options: dict[str, Any], why: str, tmp_path: Path) -> None:
    with running(Server()) as url, pytest.raises(ConfigError, match=why):
        asked(url, tmp_path, **options)


def test_failed_samples_are_counted_apart_from_graded_ones(tmp_path: Path) -> None:
    seen: list[int] = []

    def odd(body: dict[str, Any], _times: int) -> Any:
        seed = body.get("seed")
        if seed and not seen:
            seen.append(seed)
        return (200, "<html>") if seed and seed in seen else None

    with running(Server(odd=odd)) as url:
        with pytest.raises(EngineError, match="1 sample has no answer"):
            asked(url, tmp_path, max_retries=0)
        found = asked(url, tmp_path, max_retries=0, continue_on_error=True).evaluations[0]
    assert (found.summary.num_failed, found.summary.verdicts["error"]) == (1, 1)
    assert found.num_generated_now == 1
    shown = render_markdown([found])
    assert "1 sample has no answer of the engine and counts as wrong" in shown
    assert "made the grader fail" not in shown


def test_secrets_of_the_address_are_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "env-hush")
    said: list[str] = []
    with running(server := Server()) as url:
        address = url.replace("://", "://me:pw-hush@") + "/chat/completions?key=query-hush"
        asked(address, tmp_path, said)
        sent = server.log.headers[-1]["authorization"]
    assert sent.startswith("Basic ")
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"-hush" not in written + " ".join(said).encode()
    assert any("ends with the endpoint /chat/completions" in text for text in said)
