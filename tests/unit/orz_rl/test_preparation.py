"""What is found before anything starts: models, data, prompts, packages, and what a run directory holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from orz_bench.errors import OrzError, RunDirError
from orz_bench.records.run_dir import RunDir
from orz_rl.preparation import Prepared, check_fresh, claim, prepare
from orz_rl.recipes.registry import resolve

QUICK = ("rollout.engine=transformers", "data.limit=20", "rollout.num_problems=4", "eval.benchmarks=")


def prepared(out: Path, *overrides: str, heard: list[str] | None = None) -> Prepared:
    heard = [] if heard is None else heard
    return prepare(resolve("tiny", overrides=[*QUICK, *overrides]), out=out, data=(), notice=heard.append)


@pytest.mark.parametrize(
    ("override", "wanted"),
    [
        ("data.source=nowhere.json", "nowhere.json: no such file"),
        ("data.source=hub:nothing", "is not hub:OWNER/NAME/FILE"),
        ("model.policy=nowhere", "nowhere: no such file or folder"),
        ("data.max_prompt_tokens=5", "exceed 5 tokens"),
        ("eval.benchmarks=arithmetik", "did you mean 'arithmetic'"),
        ("logging.wandb_project=x", "wandb is not installed"),
    ],
)
def test_what_is_missing_is_told(override: str, wanted: str, tmp_path: Path) -> None:
    with pytest.raises(OrzError) as caught:
        prepared(tmp_path / "run", override)
    assert wanted in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_broken_row_is_named(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text('{"problem": "1+1?", "answer": "2"}\n{"problem": "2+2?"}\n', "utf-8")
    with pytest.raises(OrzError, match="line 2"):
        prepared(tmp_path / "run", f"data.source={tmp_path / 'train.jsonl'}")


def test_prompts_that_are_refused_are_counted(tmp_path: Path) -> None:
    heard: list[str] = []
    found = prepared(tmp_path / "run", "data.max_prompt_tokens=24", heard=heard)
    assert 0 < len(found.prompts.too_long) < 20
    assert any(f"{len(found.prompts.too_long)} problems refused" in line for line in heard)


def test_a_run_goes_on_only_with_its_own_settings(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    config = resolve("tiny", overrides=QUICK)
    claim(run, config, command=("orz-rl",))
    for override in ("num_steps=60", "checkpoint.every=5", "eval.every=7"):
        claim(run, resolve("tiny", overrides=[*QUICK, override]), command=("orz-rl",))
    with pytest.raises(RunDirError, match=r"seed: found 42, wanted 7[\s\S]*--fresh"):
        claim(run, resolve("tiny", overrides=[*QUICK, "seed=7"]), command=("orz-rl",))


def test_fresh_deletes_nothing_but_training_runs(tmp_path: Path) -> None:
    check_fresh(tmp_path / "absent")
    (tmp_path / "precious.txt").write_text("x")
    with pytest.raises(OrzError, match="not a training run"):
        check_fresh(tmp_path)


def test_a_run_of_an_older_version_goes_on(tmp_path: Path) -> None:
    """Its warm-up counted generations, and it wrote an estimator down though there was nothing to estimate."""
    run = RunDir(tmp_path / "run")
    config = resolve("tiny", overrides=QUICK)
    claim(run, config, command=("orz-rl",))
    text = run.config_path.read_text("utf-8")
    older = text.replace("  policy_warmup_updates: 5\n  critic_warmup_updates: 20\n", "  warmup_steps: 5\n")
    older = older.replace("kl_estimator: auto", "kl_estimator: k3")
    assert older.count("\n") == text.count("\n") - 1
    run.write_config(older)
    claim(run, config, command=("orz-rl",))
    run.write_config(older.replace("warmup_steps: 5", "warmup_steps: 7"))
    with pytest.raises(RunDirError, match=r"optim\.critic_warmup_updates: found 28, wanted 20"):
        claim(run, config, command=("orz-rl",))


def test_data_of_less_than_a_step_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OrzError, match=r"training problems are left, but a step takes rollout.num_problems=20, none"):
        prepared(tmp_path / "run", "rollout.num_problems=20", "data.max_prompt_tokens=24")


def test_sequences_longer_than_the_model_allows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OrzError, match=r"1,148 tokens, but .* allows 1,024; lower rollout.max_tokens"):
        prepared(tmp_path / "run", "rollout.max_tokens=1100")
