"""Prompts of a judge, the reading of its replies, and a judge on a scripted engine."""

from __future__ import annotations

import pytest

from orz_bench.engines.asked_model import AskedModel
from orz_bench.errors import ConfigError
from orz_bench.judging.judge import ModelJudge
from orz_bench.judging.prompts import judge_prompt, reading
from orz_bench.models.checkpoint import ModelIdentity
from tests.support.scripted_engine import Letters, ScriptedEngine


@pytest.mark.parametrize(
    ("reply", "read"),
    [
        ("yes", True), (" No.", False), ("Yes, it does. Yes", True), ("", None), ("maybe", None), ("yes or no", None),
        ("**NO**", False), ("know", None),
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
    model = AskedModel(
        identity=ModelIdentity(label="m", step=0, digest="d"),
        tokenizer=Letters(),
        open_engine=lambda: engine,
        context=context,
        facts={"engine": "stub"},
    )
    return ModelJudge(model), engine


def test_every_response_is_asked_about_once() -> None:
    judge, engine = a_judge()
    assert judge.ask("Does it hesitate?", [("1+1", "wait, 2"), ("1+1", "2")]) == [(True, "Yes"), (False, "No")]
    assert len(engine.asked[0]) == 2
    assert judge.card["model"] == "d"


def test_what_does_not_fit_is_refused() -> None:
    judge, _ = a_judge(context=100)
    with pytest.raises(ConfigError, match="the model's context is 100"):
        judge.ask("Q?", [("1+1", "2")])
