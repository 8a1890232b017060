"""The critic's folder: it loads as what it is, with the same values, and as nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from orz_bench.errors import ConfigError
from orz_rl.assets.resolve import TINY
from orz_rl.critic import ValueModel, load_classifier
from orz_rl.planning.architectures import architecture_of
from tests.support.preloaded import FORKED

SEQUENCES = ([5, 6, 7, 8, 9], [4, 3])


def write_values(folder: Path, found: Path) -> None:
    found.write_text(json.dumps(ValueModel.from_pretrained(folder).values(SEQUENCES)), encoding="utf-8")


@pytest.fixture(scope="module")
def critic() -> ValueModel:
    """On the embedded model's body, with a head of its own."""
    classifier, missing = load_classifier(str(TINY), dtype="float32", attention="packed_sdpa")
    assert missing == ["score.weight"]
    with torch.no_grad():
        classifier.score.weight.copy_(torch.linspace(-1, 1, classifier.score.weight.numel())[None])
    return ValueModel(classifier)


@pytest.fixture(scope="module")
def folder(critic: ValueModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("critic")
    critic.save_pretrained(path)
    return path


def test_it_gives_the_same_values_in_another_process(critic: ValueModel, folder: Path, tmp_path: Path) -> None:
    values = critic.values(SEQUENCES)
    assert [len(of_one) for of_one in values] == [5, 2]
    assert len({round(value, 4) for of_one in values for value in of_one}) == 7
    process = FORKED.Process(target=write_values, args=(folder, tmp_path / "values.json"))
    process.start()
    process.join(1000)
    assert process.exitcode == 0
    found = json.loads((tmp_path / "values.json").read_text("utf-8"))  # the number of threads moves the last digits
    assert [pytest.approx(of_one, abs=1e-4) for of_one in values] == found


def test_its_values_do_not_depend_on_what_comes_after(critic: ValueModel) -> None:
    long, short = critic.values([[5, 6, 7, 8, 9], [5, 6, 7]])
    assert long[:3] == pytest.approx(short, abs=1e-5)


@pytest.mark.parametrize("kind", ["TokenClassification", "SequenceClassification", "CausalLM"])
def test_transformers_refuses_it_instead_of_making_a_fresh_head(folder: Path, kind: str) -> None:
    import transformers

    with pytest.raises(ValueError, match="orz_critic"):
        getattr(transformers, f"AutoModelFor{kind}").from_pretrained(folder)


def test_a_language_model_is_no_critic(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"no value head \(missing: score\.weight\)"):
        ValueModel.from_pretrained(TINY)


def test_a_critic_of_the_former_format_still_loads(critic: ValueModel, tmp_path: Path) -> None:
    """A sequence classifier, as transformers saves it."""
    critic.classifier.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["model_type"] == "qwen2"
    assert ValueModel.from_pretrained(tmp_path).values(SEQUENCES) == critic.values(SEQUENCES)


def test_a_new_run_starts_from_it_and_plans_with_it(folder: Path) -> None:
    _, missing = load_classifier(str(folder), dtype="float32", attention="packed_sdpa")
    assert missing == []
    assert architecture_of(str(folder)) == architecture_of("tiny")
