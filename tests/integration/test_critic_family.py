"""A critic that learns alone first, one that is fitted offline, and a run that uses neither: real trainings."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from safetensors.torch import load_file

from orz_bench.records.run_dir import RunDir
from orz_rl.assets.resolve import TINY
from tests.support.command_line import run_command
from tests.support.ends_of_training import POINTS
from tests.support.named_points import kill_at
from tests.support.training import SMALL, metrics_of, orz_rl, rollouts_of, started

ALONE, STEPS = 2, 4
WARMS_UP = (
    *SMALL,
    f"critic.warmup_steps={ALONE}",
    f"num_steps={STEPS}",
    "checkpoint.every=1",
    "checkpoint.keep_last=9",
    "loss.positive_nll=0.1",
    "advantage.lam_alpha=0.05",
)


@pytest.fixture(scope="module")
def warmed_up(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("critics") / "warmed-up"
    done = orz_rl(*WARMS_UP, "--out", run)
    assert done.stderr.count("critic alone") == ALONE
    assert "the critic has learned alone for 2 steps" in done.stderr
    return run


@pytest.mark.slow
def test_no_bit_of_the_policy_changes_while_the_critic_learns_alone(warmed_up: Path) -> None:
    base = load_file(TINY / "model.safetensors")
    for step in range(1, STEPS + 1):
        folder = warmed_up / "checkpoints" / f"step={step:06d}"
        saved = load_file(folder / "policy" / "model.safetensors")
        is_base = all(bool((saved[name] == base[name]).all()) for name in base)
        assert is_base == (step <= ALONE), step
    rows = metrics_of(warmed_up)
    assert [row["critic/warmup"] for row in rows] == [1, 2, 2, 2]
    assert [("policy/loss" in row, "policy/positive_nll" in row) for row in rows] == [(False,) * 2] * 2 + [
        (True,) * 2
    ] * 2
    assert all("critic/explained_variance" in row and "critic/value_bias_1" in row for row in rows)
    (event,) = RunDir(warmed_up).events("critic_warmed_up")
    assert (event["step"], event["explained_variance"]) == (ALONE, rows[ALONE - 1]["critic/explained_variance"])


@pytest.mark.slow
def test_killed_in_the_warm_up_it_ends_like_the_unbroken_run(warmed_up: Path, tmp_path: Path) -> None:
    run = tmp_path / "killed"
    for point in ("in the update", "in the checkpoint's rename"):  # of the second step, the last one of the warm-up
        assert started(*WARMS_UP, "--out", run, prepare=kill_at(POINTS[point])).wait(1000) == -signal.SIGKILL, point
    orz_rl(*WARMS_UP, "--out", run)
    assert metrics_of(run) == metrics_of(warmed_up)
    for step in range(1, STEPS + 1):
        assert rollouts_of(run, step) == rollouts_of(warmed_up, step)


@pytest.mark.slow
def test_neutral_values_of_the_new_settings_change_no_bit(tmp_path: Path) -> None:
    neutral = (
        "critic.warmup_steps=0",
        "critic.from=null",
        "advantage.lam_policy=1",
        "advantage.lam_value=1",
        "advantage.lam_alpha=null",
        "loss.positive_nll=0",
    )
    plain, explicit = tmp_path / "plain", tmp_path / "explicit"
    orz_rl(*SMALL, "num_steps=2", "--out", plain)
    orz_rl(*SMALL, "num_steps=2", *neutral, "--out", explicit)
    assert metrics_of(explicit) == metrics_of(plain)
    assert rollouts_of(explicit, 2) == rollouts_of(plain, 2)


@pytest.mark.slow
def test_a_critic_is_fitted_on_stored_rollouts_and_read_by_training_and_orz_bench(
    warmed_up: Path, tmp_path: Path
) -> None:
    critic = tmp_path / "critic"
    arguments = ("fit-critic", warmed_up, "--out", critic, "--to-step", "2", "--epochs", "2", "--json")
    report = json.loads(orz_rl(*arguments).stdout)
    assert (report["num_learned"] + report["num_held_out"], report["is_new"]) == (32, True)
    assert not json.loads(orz_rl(*arguments).stdout)["is_new"]
    assert "was begun with another epochs" in orz_rl(*arguments[:-2], "3", expect=2).stderr
    run_command("orz_bench.cli", ("value", warmed_up, "--rollouts", "--step", "1", "--critic", critic))

    run = tmp_path / "run"
    start = (*SMALL, "num_steps=1", f"critic.from={critic}", "--out", run)
    orz_rl(*start)
    first = rollouts_of(run, 1)
    values = {tuple(row["prompt_token_ids"]): row["value"] for row in first}
    assert len(set(values.values())) > 1
    (critic / "fit.json").write_text("{}", "utf-8")
    orz_rl(*start)
    weights = critic / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(bytes(content))
    assert "critic.from is another model than when this run was started" in orz_rl(*start, expect=2).stderr


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (("--held-out", "1"), "--held-out is 1, wanted a share between 0 and 1"),
        (("--lr", "-1"), "--lr is -1, wanted a number above 0"),
        (("--from-step", "3", "--to-step", "2"), "--to-step is 2, but --from-step 3"),
        ((), "not a run directory"),
    ],
)
def test_bad_input_of_fit_critic_is_told(arguments: tuple[str, ...], wanted: str, tmp_path: Path) -> None:
    done = orz_rl("fit-critic", tmp_path / "nothing", "--out", tmp_path / "critic", *arguments, expect=2)
    assert wanted in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "critic").exists()
