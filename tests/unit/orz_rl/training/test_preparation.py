"""Faults found before anything starts: in models, data, prompts, packages and the run directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from orz_bench.errors import OrzError
from orz_rl.recipes.registry import resolve
from orz_rl.training.preparation import Setup, prepare

QUICK = ("rollout.engine=transformers", "data.limit=20", "rollout.num_problems=4", "eval.benchmarks=")


def setup_of(out: Path, *overrides: str, heard: list[str] | None = None) -> Setup:
    heard = [] if heard is None else heard
    return prepare(resolve("tiny", overrides=[*QUICK, *overrides]), out=out, data=(), notice=heard.append)


@pytest.mark.parametrize(
    ("override", "wanted"),
    [
        ("data.source=nowhere.json", "nowhere.json: no such file"),
        ("data.source=hub:nothing", "wanted hub:OWNER/NAME/FILE"),
        ("model.policy=nowhere", "nowhere: no such file or folder"),
        ("data.max_prompt_tokens=5", "are longer than data.max_prompt_tokens=5"),
        ("eval.benchmarks=arithmetik", "did you mean 'arithmetic'"),
        ("logging.wandb_project=x", "wandb is not installed"),
    ],
)
def test_missing_parts_are_reported(override: str, wanted: str, tmp_path: Path) -> None:
    with pytest.raises(OrzError) as caught:
        setup_of(tmp_path / "run", override)
    assert wanted in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_rule_that_cannot_read_the_answers_is_refused_before_anything_is_sampled(tmp_path: Path) -> None:
    row = '{"question": "Which?", "A": "one", "B": "two", "answer": "B"}\n'
    (tmp_path / "train.jsonl").write_text("".join(row.replace("Which", f"Which {n}") for n in range(4)), "utf-8")
    source = f"data.source={tmp_path / 'train.jsonl'}:kind=choice"
    with pytest.raises(OrzError, match=r"reward\.extractor 'last-number' does not read letters; use one of orz"):
        setup_of(tmp_path / "run", source, "reward.extractor=last-number")
    assert len(setup_of(tmp_path / "run", source, "reward.extractor=phrase").prompts.prompts) == 4


def test_a_broken_row_is_named(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text('{"problem": "1+1?", "answer": "2"}\n{"problem": "2+2?"}\n', "utf-8")
    with pytest.raises(OrzError, match="line 2"):
        setup_of(tmp_path / "run", f"data.source={tmp_path / 'train.jsonl'}")


def test_prompts_that_are_refused_are_counted(tmp_path: Path) -> None:
    heard: list[str] = []
    found = setup_of(tmp_path / "run", "data.max_prompt_tokens=24", heard=heard)
    assert 0 < len(found.prompts.too_long) < 20
    assert any(f"{len(found.prompts.too_long)} problems refused" in line for line in heard)


def test_data_of_less_than_a_step_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        OrzError, match=r"found 14 training problems, but a step needs rollout.num_problems=20 different"
    ):
        setup_of(tmp_path / "run", "rollout.num_problems=20", "data.max_prompt_tokens=24")


def test_sequences_longer_than_the_model_allows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OrzError, match=r"1,148 tokens, but .* allows 1,024; lower rollout.max_tokens"):
        setup_of(tmp_path / "run", "rollout.max_tokens=1100")
