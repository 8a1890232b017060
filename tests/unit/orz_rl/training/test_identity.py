"""A run is resumed with the same settings and prompts, whatever version wrote them; what `--fresh` deletes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from orz_bench.errors import OrzError, RunDirError
from orz_bench.records.run_dir import RunDir
from orz_rl.config import TrainConfig
from orz_rl.recipes.registry import resolve
from orz_rl.rollout.problems import Prompt, Prompts
from orz_rl.training.identity import Maker, check_out, open_run, start_over
from tests.support.builders import a_problem

Change = Callable[[dict[str, Any]], None]


def some_prompts(*golds: str, digest: str = "d0") -> Prompts:
    found = [
        Prompt(problem=a_problem(problem_id=f"p{n}", gold=gold), text=f"{n}?", token_ids=(n,))
        for n, gold in enumerate(golds or ("1", "2", "3"))
    ]
    return Prompts(tuple(found), (), (("A/train.jsonl", digest),))


def reopened(run: RunDir, *overrides: str, prompts: Prompts | None = None) -> list[str]:
    """The notifications when a command with these settings opens the run."""
    heard: list[str] = []
    config: TrainConfig = resolve("tiny", overrides=overrides)
    open_run(run, config, prompts=prompts or some_prompts(), made_by=Maker("native", ("orz-rl",)), notice=heard.append)
    return heard


def a_claimed_run(folder: Path, *overrides: str) -> RunDir:
    run = RunDir(folder)
    assert reopened(run, *overrides) == []
    run.metrics_path.write_text('{"step": 1}\n', encoding="utf-8")
    return run


def rewrite(run: RunDir, change: Change, *, header: bool = True) -> None:
    text = run.config_path.read_text(encoding="utf-8")
    tree = yaml.safe_load(text)
    change(tree)
    run.config_path.write_text((text.splitlines()[0] + "\n" if header else "") + yaml.safe_dump(tree, sort_keys=False))


def test_a_run_goes_on_only_with_its_own_settings(tmp_path: Path) -> None:
    run = a_claimed_run(tmp_path / "run")
    for override in ("num_steps=60", "checkpoint.every=5", "eval.every=7"):
        assert reopened(run, override) == []
    with pytest.raises(RunDirError, match=r"seed: found 42, wanted 7[\s\S]*--fresh"):
        reopened(run, "seed=7")
    anneals = a_claimed_run(tmp_path / "other", "optim.final_lr=1e-7", "num_steps=50")
    with pytest.raises(RunDirError, match="num_steps: found"):
        reopened(anneals, "optim.final_lr=1e-7", "num_steps=60")


@pytest.mark.parametrize("header", [True, False])
def test_a_setting_that_the_writer_did_not_know_has_its_default_and_that_is_said(tmp_path: Path, header: bool) -> None:
    run = a_claimed_run(tmp_path)
    rewrite(run, lambda tree: tree["rollout"].pop("top_k"), header=header)
    with pytest.raises(RunDirError, match="top_k: found -1, wanted 5"):
        reopened(run, "rollout.top_k=5")
    (notification,) = reopened(run)
    assert "older than the setting rollout.top_k; this run keeps -1" in notification
    assert reopened(run) == []


def test_a_setting_that_is_no_more_is_left_out_and_that_is_said(tmp_path: Path) -> None:
    run = a_claimed_run(tmp_path)
    rewrite(run, lambda tree: tree["rollout"].update(speculation=3) or tree.update(old={"x": 1}))
    notifications = reopened(run)
    assert [line.partition(": ")[2] for line in notifications] == [
        "rollout.speculation: found 3, a setting that no longer exists; it is ignored",
        "old: found {'x': 1}, a setting that no longer exists; it is ignored",
    ]
    assert reopened(run) == []


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
def test_a_config_that_is_cut_is_refused(tmp_path: Path, share: float) -> None:
    run = a_claimed_run(tmp_path)
    text = run.config_path.read_text(encoding="utf-8")
    run.config_path.write_text(text[: int(share * len(text))], encoding="utf-8")
    with pytest.raises(RunDirError, match=r"config\.yaml: (empty or truncated|not readable)[\s\S]*Restore it"):
        reopened(run)


@pytest.mark.parametrize("text", ["[]", "42", "model: 3\nnum_steps: 1\n", "a: [", "\x00", "'num_steps'"])
def test_a_config_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    run = a_claimed_run(tmp_path)
    run.config_path.write_text(text, encoding="utf-8")
    with pytest.raises(RunDirError, match="Restore it"):
        reopened(run)


@pytest.mark.parametrize("what", ["metrics.jsonl", "rollouts", "checkpoints"])
def test_a_config_that_is_gone_lets_nothing_through(tmp_path: Path, what: str) -> None:
    run = a_claimed_run(tmp_path)
    run.config_path.unlink()
    run.metrics_path.unlink()
    (run.path / what).mkdir()
    with pytest.raises(RunDirError, match=r"config\.yaml: missing"):
        reopened(run, "optim.policy_lr=1")


def test_a_run_that_was_killed_before_it_wrote_its_settings_starts(tmp_path: Path) -> None:
    run = a_claimed_run(tmp_path)
    run.config_path.unlink()
    run.metrics_path.unlink()
    assert reopened(run) == []


@pytest.mark.parametrize(
    "changed",
    [
        some_prompts("3", "2", "1"),
        some_prompts("1", "2"),
        some_prompts("1", "2", "3", "4"),
        Prompts(tuple(reversed(some_prompts().prompts)), (), ()),
    ],
)
def test_other_prompts_are_another_run(tmp_path: Path, changed: Prompts) -> None:
    run = a_claimed_run(tmp_path)
    assert reopened(run, prompts=some_prompts()) == []
    with pytest.raises(RunDirError, match="this run has other prompts"):
        reopened(run, prompts=changed)


def test_what_changed_is_named(tmp_path: Path) -> None:
    run = a_claimed_run(tmp_path)
    with pytest.raises(RunDirError, match=r"A/train\.jsonl changed after the start of the run"):
        reopened(run, prompts=some_prompts("9", digest="d1"))
    with pytest.raises(RunDirError, match="the tokenizer or the template changed"):
        reopened(run, prompts=some_prompts("9"))


def test_fresh_deletes_nothing_but_training_runs(tmp_path: Path) -> None:
    check_out(tmp_path / "absent", fresh=True)
    (tmp_path / "precious.txt").write_text("x")
    with pytest.raises(OrzError, match="not a training run"):
        check_out(tmp_path, fresh=True)
    check_out(tmp_path, fresh=False)
    RunDir(tmp_path / "eval").create(kind="eval", command=[], seed=0, environment={})
    with pytest.raises(OrzError, match="a run of kind eval"):
        check_out(tmp_path / "eval", fresh=True)


def test_a_name_that_is_no_utf8_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(OrzError, match="not valid UTF-8"):
        check_out(tmp_path / "r\udcff", fresh=False)


def test_starting_over_keeps_the_lock_and_can_be_killed_anywhere(tmp_path: Path) -> None:
    """config.yaml is deleted first, so the rest cannot be resumed, and run.json last, so it is still a training run."""
    run = a_claimed_run(tmp_path / "run")
    (run.path / "checkpoints" / "step=000001").mkdir(parents=True)
    (run.path / "link").symlink_to(tmp_path)
    (tmp_path / "precious.txt").write_text("x")
    with run.lock():
        start_over(run)
        assert [path.name for path in run.path.iterdir()] == [".lock"]
    assert (tmp_path / "precious.txt").exists()
    half = a_claimed_run(tmp_path / "half")
    half.config_path.unlink()
    check_out(half.path, fresh=True)
    with pytest.raises(RunDirError, match=r"config\.yaml: missing"):
        reopened(half)


def test_a_run_of_an_older_version_goes_on_in_the_units_of_today(tmp_path: Path) -> None:
    """Its warm-up counted generations, and it wrote an estimator down though there was nothing to estimate."""
    run = a_claimed_run(tmp_path / "run")
    text = run.config_path.read_text("utf-8")
    older = text.replace("  policy_warmup_updates: 5\n  critic_warmup_updates: 20\n", "  warmup_steps: 5\n")
    older = older.replace("kl_estimator: auto", "kl_estimator: k3")
    assert older.count("\n") == text.count("\n") - 1
    run.write_config(older)
    assert reopened(run) == []
    run.write_config(older.replace("warmup_steps: 5", "warmup_steps: 7"))
    with pytest.raises(RunDirError, match=r"optim\.critic_warmup_updates: found 28, wanted 20"):
        reopened(run)
