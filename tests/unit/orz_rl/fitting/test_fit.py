"""A critic fitted offline: it explains held-out returns, goes on bit for bit, and is read by training and orz-bench."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orz_bench.errors import ConfigError, OrzError
from orz_bench.models.digest import checkpoint_digest
from orz_bench.valuing.critic import CriticSettings, open_critic
from orz_rl.fitting import fit as fitting
from orz_rl.fitting.fit import FitReport, FitSettings, fit_critic
from orz_rl.fitting.learning import CriticLearner, orders, rates
from orz_rl.fitting.rollouts import Chosen
from orz_rl.recipes.registry import resolve
from orz_rl.training.starting_critic import critic_checkpoint
from tests.support.fitted_runs import RIGHT, WRONG, a_run_to_fit, rollouts
from tests.support.tiny_model import a_tiny_checkpoint

SETTINGS = FitSettings(epochs=3, batch=8, save_every=4, chosen=Chosen(held_out=0.25), device="cpu")


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_tiny_checkpoint(tmp_path_factory.mktemp("policy"))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, policy: Path) -> Path:
    return a_run_to_fit(tmp_path_factory.mktemp("run") / "run", policy).path


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory, run: Path) -> tuple[FitReport, Path]:
    out = tmp_path_factory.mktemp("fitted") / "critic"
    return fit(run, out), out


def fit(run: Path, out: Path, *, settings: FitSettings = SETTINGS, heard: list[str] | None = None) -> FitReport:
    return fit_critic(run, out=out, settings=settings, notice=([] if heard is None else heard).append)


def test_it_explains_returns_of_problems_that_it_has_not_learned(fitted: tuple[FitReport, Path]) -> None:
    report, out = fitted
    assert report.before is not None
    assert report.after is not None
    assert report.before < 0.1
    # The first token says it all, but the value before it can't: about 4 in 5.5 tokens are explained at best.
    assert report.after > 0.4
    assert (report.num_learned, report.num_held_out, report.num_updates) == (72, 24, 27)
    card = json.loads((out / "fit.json").read_text("utf-8"))
    assert card["explained_variance_after"] == report.after
    assert {path.name for path in out.iterdir()} >= {"config.json", "tokenizer.json", "fit.json"}
    assert not (out / "fitting").exists()


def test_orz_bench_reads_it_and_training_starts_from_it(fitted: tuple[FitReport, Path], policy: Path) -> None:
    _, out = fitted
    critic = open_critic(out, CriticSettings(device="cpu")).critic
    prompt = [61, 4]
    right, wrong = (critic.values([(prompt, [first, 7, 8, 9])])[0].array for first in (RIGHT, WRONG))
    assert right[0] == pytest.approx(wrong[0]), "before the first token nothing is known"
    assert (right[1:] > wrong[1:]).all()
    config = resolve("tiny", overrides=[f"critic.from={out}"])
    assert critic_checkpoint(config, policy=str(policy)) == str(out)


def test_killed_anywhere_it_ends_with_the_same_bits(
    fitted: tuple[FitReport, Path], run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two states, and when the critic is written; the sign of the kill is an exception here."""
    out = tmp_path / "critic"
    update, count = CriticLearner.update, [0]

    def dies(self: CriticLearner, *arguments: Any, **named: Any) -> float:
        count[0] += 1
        if count[0] == 7:
            raise KeyboardInterrupt
        return update(self, *arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(CriticLearner, "update", dies)
        with pytest.raises(KeyboardInterrupt):
            fit(run, out)
    assert not (out / "config.json").exists()
    with monkeypatch.context() as patch:
        patch.setattr(fitting, "copy_tokenizer", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            fit(run, out, settings=replace(SETTINGS, save_every=5))
    heard: list[str] = []
    report = fit(run, out, heard=heard)
    assert "going on after update 27" in heard
    whole, path = fitted
    assert checkpoint_digest(out) == checkpoint_digest(path)
    assert (report.before, report.after) == (whole.before, whole.after)
    assert not fit(run, out).is_new


def test_other_options_or_rollouts_are_refused(fitted: tuple[FitReport, Path], run: Path, tmp_path: Path) -> None:
    _, out = fitted
    for changed, name in (
        (replace(SETTINGS, epochs=4), "epochs"),
        (replace(SETTINGS, lr=1e-4), "lr"),
        (replace(SETTINGS, chosen=Chosen(held_out=0.25, to_step=1)), "rollouts"),
    ):
        with pytest.raises(ConfigError, match=f"was begun with another {name}: found"):
            fit(run, out, settings=changed)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes").write_text("mine", "utf-8")
    with pytest.raises(ConfigError, match="not empty, and not begun by orz-rl fit-critic"):
        fit(run, tmp_path / "full")
    (tmp_path / "file").write_text("mine", "utf-8")
    with pytest.raises(ConfigError, match="a file; choose a new folder"):
        fit(run, tmp_path / "file")


def test_a_start_with_another_tokenizer_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--start tiny|has another tokenizer than"):
        fit(run, tmp_path / "critic", settings=replace(SETTINGS, start="tiny"))
    assert not (tmp_path / "critic").exists()


def test_a_rate_that_destroys_the_weights_stops_it(run: Path, tmp_path: Path) -> None:
    with pytest.raises(OrzError, match=r"not finite"):
        fit(run, tmp_path / "critic", settings=replace(SETTINGS, lr=1e30))


def test_the_loss_is_half_the_mean_squared_error_of_all_tokens_and_equal_returns_explain_nothing(policy: Path) -> None:
    from orz_rl.training.learner import model_spec
    from orz_rl.workers.in_process import InProcessCluster

    config = resolve("tiny", overrides=["advantage.gamma=0.9", "cluster.pack_tokens=32", "rollout.max_tokens=8",
                                        "data.max_prompt_tokens=8"])  # fmt: skip
    group = InProcessCluster().open_model(model_spec("critic", str(policy), config=config), 1)
    learner = CriticLearner(group, config)
    rows = rollouts(1, num_problems=3)
    errors, returns = [], []
    for row in rows:
        values = learner._assessed([row])[1]
        wanted = [(row.reward or 0.0) * 0.9 ** (row.num_tokens - 1 - at) for at in range(row.num_tokens)]
        errors += list((values - np.array(wanted)) ** 2)
        returns += wanted
    assert learner.explained_variance(rows) == pytest.approx(
        1 - np.var(np.array(returns) - np.concatenate([learner._assessed([row])[1] for row in rows])) / np.var(returns)
    )
    assert learner.update(rows, lr=1e-3) == pytest.approx(0.5 * float(np.mean(errors)), rel=1e-5)
    assert learner.explained_variance([replace(row, reward=0.0) for row in rows]) is None


def test_every_epoch_has_each_rollout_once_in_another_order() -> None:
    steps = orders(50, batch=8, epochs=2, seed=3)
    assert len(steps) == 12
    first, second = steps[:6], steps[6:]
    for epoch in (first, second):
        assert sorted(member for step in epoch for member in step) == list(range(50))
    assert first != second
    assert {len(step) for step in steps} == {8, 9}
    assert orders(3, batch=8, epochs=1, seed=3) == [[0, 1, 2]]
    assert rates(40, lr=1.0, warmup=50) == pytest.approx([0.25, 0.5, 0.75, *[1.0] * 37])
    assert rates(40, lr=1.0, warmup=2) == pytest.approx([0.5, *[1.0] * 39])
