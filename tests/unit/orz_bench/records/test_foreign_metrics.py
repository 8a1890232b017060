"""Metrics of other trainers: one table, used wherever their curves are read."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.reading.load import load_path
from orz_bench.exchange.import_files import ImportOptions, import_files
from orz_bench.records.foreign_metrics import FOREIGN_METRICS, TABLE, TITLES, same_metrics, tool_of
from orz_bench.records.metric_names import metric_name, metric_names
from orz_bench.records.metrics import METRICS
from orz_bench.records.run_dir import RunDir
from orz_rl.backends.following.recognise import TOOLS

EVERY = [(tool, one) for tool, metrics in FOREIGN_METRICS.items() for one in metrics]


def test_the_table_names_our_metrics_and_each_foreign_one_once() -> None:
    assert {one.ours for _, one in EVERY if one.ours is not None} <= METRICS.keys()
    assert len({(tool, one.name) for tool, one in EVERY}) == len(EVERY)
    assert set(TITLES) == set(FOREIGN_METRICS) - {TABLE}
    assert all(one.why for _, one in EVERY if one.ours is None), "a difference is said"


@pytest.mark.parametrize("tool", TOOLS)
def test_watching_has_no_table_of_its_own(tool: str) -> None:
    assert TOOLS[tool].metrics is same_metrics(tool)


@pytest.mark.parametrize("tool", FOREIGN_METRICS)
def test_a_name_is_ours_only_where_the_meaning_is(tool: str) -> None:
    for one in FOREIGN_METRICS[tool]:
        found = metric_names([one.name], tool=tool)[one.name]
        assert found == one.ours if one.ours is not None else found not in METRICS, one.name


SIGNS = {
    "verl": "critic/score/mean",
    "openrlhf": "train/rollout/reward_mean",
    "trl": "train/rewards/accuracy_reward/mean",
    "prime-rl": "train/agg/effective/agent/reward/mean",
    "skyrl": "reward/avg_raw_reward",
    "open-instruct": "objective/verifiable_correct_rate",
    "tinker": "env/all/reward/total",
    "llama-factory": "current_steps",
}


@pytest.mark.parametrize("tool", TITLES)
def test_a_tool_is_recognised_by_names_that_only_it_uses(tool: str) -> None:
    assert tool_of(["loss", SIGNS[tool], "lr"]) == tool
    assert tool_of(["loss", SIGNS[tool], "actor/pg_loss", "progress/done_frac"]) == TABLE, "of several none"


def test_names_of_ours_that_mean_something_else_get_the_tools_name() -> None:
    assert metric_names(["policy/entropy", "critic/score/mean"])["policy/entropy"] == "verl/policy/entropy"
    assert metric_names(["policy/entropy", "reward/mean"])["policy/entropy"] == "policy/entropy"


def test_transformers_names_have_a_prefix() -> None:
    found = metric_names(["train/reward", "train/kl", "train/reward_std", "train/loss"])
    assert found == {
        "train/reward": "reward/mean",
        "train/kl": "kl/reference",
        "train/reward_std": "train/reward_std",
        "train/loss": "train/loss",
    }


def test_a_person_may_name_a_metric_as_its_tool_does() -> None:
    assert metric_name("critic/score/mean") == "reward/mean"
    assert metric_name("actor/entropy") == "actor/entropy"


@pytest.mark.parametrize("name", ["actor/entropy", "actor/lr", "critic/rewards/mean", "critic/kl"])
def test_what_is_not_the_same_is_not_mapped_by_import_or_analysis(tmp_path: Path, name: str) -> None:
    path = tmp_path / "history.csv"
    path.write_text(f"_step,_runtime,critic/score/mean,{name}\n1,2.5,0.5,0.25\n")
    list(import_files([path], tmp_path / "run", options=ImportOptions()))
    assert RunDir(tmp_path / "run").metrics()[0] == [{"step": 1, "reward/mean": 0.5, name: 0.25}]
    (run,) = load_path(path)
    assert list(run.metrics.columns) == sorted(["step", "reward/mean", name], key=lambda one: (one != "step", one))
