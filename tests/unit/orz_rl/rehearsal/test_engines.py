"""`orz-rl plan --real-engines`: a run's engines, queue and weights, with learning replaced by a wait."""

from __future__ import annotations

import json

import pytest

from tests.support.training import orz_rl

SMALL = (
    "cluster.in_process=true",
    "rollout.engine=transformers",
    "rollout.num_problems=2",
    "rollout.num_samples=3",
    "rollout.max_tokens=6",
    "data.limit=16",
)


@pytest.mark.real_model
def test_the_engines_draw_every_step_and_take_weights_after_it() -> None:
    arguments = ("plan", "--recipe", "tiny", "--real-engines", "--update-seconds", "0.05", "--steps", "3", "--json")
    done = orz_rl(*arguments, *SMALL)
    found = json.loads(done.stdout)["real_engines"]
    assert [step["step"] for step in found["steps"]] == [1, 2, 3]
    for step in found["steps"]:
        assert step["step_s"] >= step["waited_s"] + step["sync_s"] + 0.05
        assert 6 <= step["response_tokens"] <= 2 * 3 * 6
        assert (step["staleness_mean"], step["staleness_max"], step["carried"]) == (0, 0, 0)
    assert found["update_s"] == 0.05
    assert found["step_s"] == pytest.approx(found["steps"][2]["step_s"])
    tokens = found["steps"][2]["response_tokens"]
    assert found["response_tokens_s"] == pytest.approx(tokens / found["step_s"])


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (("tiny", "--real-engines"), "give --update-seconds"),
        (("orz_7b", "--real-engines", "--backend", "verl"), "--real-engines is for the native trainer"),
        (("orz_7b", "--real-engines", "--gpu-memory-gib", "8"), "it does not fit, so --real-engines starts nothing"),
        (("tiny", "--real-engines", "--update-seconds", "1", "--steps", "1"), "--steps is 1, wanted at least 2"),
        (("tiny", "--real-engines", "--update-seconds", "1", "cluster.device=cuda"), "has no GPU"),
    ],
)
def test_what_cannot_be_rehearsed_is_refused_at_once(arguments: tuple[str, ...], wanted: str) -> None:
    assert wanted in orz_rl("plan", "--recipe", *arguments, expect=2).stderr
