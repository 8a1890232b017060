"""critic.from: what is no critic of the run's policy is refused before anything starts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from orz_bench.errors import ConfigError
from orz_rl.assets.resolve import TINY
from orz_rl.recipes.registry import resolve
from orz_rl.training.preparation import prepare
from tests.support.critics import a_critic
from tests.support.tiny_model import a_tiny_checkpoint

QUICK = ("rollout.engine=transformers", "data.limit=20", "rollout.num_problems=4", "eval.benchmarks=")


@pytest.fixture(scope="module")
def critic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_critic(tmp_path_factory.mktemp("critic") / "critic", of=TINY)


def start(critic: Path, out: Path) -> str:
    config = resolve("tiny", overrides=[*QUICK, f"critic.from={critic}"])
    found = prepare(config, out=out, data=(), notice=lambda _: None)
    assert found.parts["critic.from"]["sha256"]
    return found.critic


def refusal(critic: Path, out: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        start(critic, out)
    assert not out.exists()
    return str(caught.value)


def test_a_critic_of_the_policy_is_the_start_of_the_run(critic: Path, tmp_path: Path) -> None:
    assert start(critic, tmp_path / "run") == str(critic)


def test_what_is_not_one_is_refused(critic: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert "critic.from=nowhere" in refusal(Path("nowhere"), out) or "no such file" in refusal(Path("nowhere"), out)
    assert "not a critic of orz" in refusal(TINY, out)
    other = a_critic(tmp_path / "other", of=a_tiny_checkpoint(tmp_path / "base"))
    text = refusal(other, out)
    assert "a critic of width 64 (hidden_size), but the policy" in text
    assert "model.critic" in text

    tokens = tmp_path / "tokens"
    shutil.copytree(critic, tokens)
    vocabulary = json.loads((tokens / "tokenizer.json").read_text("utf-8"))
    words = vocabulary["model"]["vocab"]
    first, second = list(words)[5:7]
    words[first], words[second] = words[second], words[first]
    (tokens / "tokenizer.json").write_text(json.dumps(vocabulary), "utf-8")
    assert "a critic with another tokenizer than the policy" in refusal(tokens, out)


def test_a_critic_without_its_head_is_refused(critic: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    headless = tmp_path / "headless"
    shutil.copytree(critic, headless)
    weights = load_file(headless / "model.safetensors")
    del weights["score.weight"]
    save_file(weights, headless / "model.safetensors", metadata={"format": "pt"})
    assert "its value head (score.weight) is missing" in refusal(headless, tmp_path / "run")
