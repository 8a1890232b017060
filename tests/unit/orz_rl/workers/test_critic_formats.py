"""Critics of both formats give the values of a plain forward, one sequence at a time; broken ones are refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from orz_bench.errors import ConfigError, EngineError
from orz_bench.valuing.critic import CriticSettings, open_critic
from orz_rl.assets.resolve import TINY
from orz_rl.critic import ValueModel, load_classifier

SEQUENCES = [([5, 6, 7], [8, 9, 10, 11]), ([4, 3], [2]), ([9], []), ([1, 2, 3, 4], list(range(20, 60)))]
SETTINGS = CriticSettings(device="cpu", pack_tokens=32)


def a_head(width: int = 128) -> torch.Tensor:
    return torch.linspace(-1, 1, width)[None]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up checkpoint in the published shape: a body under its own names, and `value_head.weight` alone."""
    folder = tmp_path_factory.mktemp("published") / "critic"
    shutil.copytree(TINY, folder)
    for file in folder.glob("*.safetensors*"):
        file.unlink()
    tensors = {name: value.contiguous() for name, value in load_file(TINY / "model.safetensors").items()}
    tensors.pop("lm_head.weight", None)
    save_file(tensors | {"value_head.weight": a_head()}, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text("utf-8")) | {"architectures": ["CriticModel"]}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ours") / "critic"
    classifier, _ = load_classifier(str(TINY), dtype="float32", attention="packed_sdpa")
    with torch.no_grad():
        classifier.score.weight.copy_(a_head())
    ValueModel(classifier).save_pretrained(folder)
    for file in TINY.glob("*token*"):
        shutil.copy(file, folder)
    return folder


def plain_values(prompt: list[int], response: list[int]) -> list[float]:
    """By transformers' own attention: the body's states, times the head, before each response token."""
    from transformers import AutoModel

    body = AutoModel.from_pretrained(TINY, dtype=torch.float32, attn_implementation="eager")
    with torch.no_grad():
        states = body(torch.tensor([[*prompt, *response]])).last_hidden_state[0]
    found: list[float] = (states @ a_head()[0])[len(prompt) - 1 : len(prompt) + len(response) - 1].tolist()
    return found


@pytest.mark.parametrize("kind", ["ours", "published"])
def test_values_are_those_of_a_plain_forward(kind: str, request: pytest.FixtureRequest) -> None:
    opened = open_critic(request.getfixturevalue(kind), SETTINGS)
    assert opened.format == {"ours": "orz", "published": "open-reasoner-zero"}[kind]
    found = opened.critic.values(SEQUENCES)
    for (prompt, response), values in zip(SEQUENCES, found, strict=True):
        assert list(values) == pytest.approx(plain_values(prompt, response), abs=1e-3)


def test_digests_tell_critics_apart(ours: Path, published: Path) -> None:
    assert open_critic(ours, SETTINGS).digest != open_critic(published, SETTINGS).digest


def test_a_policy_is_no_critic() -> None:
    with pytest.raises(ConfigError, match="not a critic of a known format"):
        open_critic(TINY, SETTINGS)


def test_a_head_of_another_width_is_refused(published: Path, tmp_path: Path) -> None:
    folder = tmp_path / "critic"
    shutil.copytree(published, folder)
    tensors = load_file(folder / "model.safetensors") | {"value_head.weight": a_head(64)}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(EngineError, match=r"score\.weight \(found \(1, 64\), wanted \(1, 128\)\)"):
        open_critic(folder, SETTINGS)


def test_a_head_with_a_bias_is_refused(published: Path, tmp_path: Path) -> None:
    folder = tmp_path / "critic"
    shutil.copytree(published, folder)
    tensors = load_file(folder / "model.safetensors") | {"value_head.bias": torch.zeros(1)}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(EngineError, match="not part of this model"):
        open_critic(folder, SETTINGS)


def test_values_that_are_not_finite_are_refused(published: Path, tmp_path: Path) -> None:
    folder = tmp_path / "critic"
    shutil.copytree(published, folder)
    broken = torch.full((1, 128), torch.inf)
    tensors = load_file(folder / "model.safetensors") | {"value_head.weight": broken}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(EngineError, match="not finite"):
        open_critic(folder, SETTINGS).critic.values(SEQUENCES)


def test_a_folder_without_a_tokenizer_is_refused(published: Path, tmp_path: Path) -> None:
    folder = tmp_path / "critic"
    shutil.copytree(published, folder)
    for file in folder.glob("*token*"):
        file.unlink()
    with pytest.raises(ConfigError, match="has no tokenizer"):
        open_critic(folder, SETTINGS)
