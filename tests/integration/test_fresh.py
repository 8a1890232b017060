"""Benchmarks of 2025 and 2026 from a local folder in the hub's shape: evaluated, by date, and marked in the report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.command_line import orz_bench
from tests.support.fresh_datasets import FRESH, write_dataset

NAMES = tuple(name for name in FRESH if name != "supergpqa")
"""SuperGPQA is read in the test of its own: 26,529 rows."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for name in FRESH:
        write_dataset(folder, name)
    return folder


def evaluate(data: Path, out: Path, *more: str, names: tuple[str, ...] = NAMES) -> str:
    asked = ("--ckpt", "fake:0.6", "--engine", "fake", "--bench", ",".join(names), "--n", "1", "--limit", "2")
    return orz_bench("eval", *asked, *more, "--data-dir", data, "--out", out).stderr


def test_every_one_is_evaluated(data: Path, tmp_path: Path) -> None:
    evaluate(data, tmp_path / "run")
    found = json.loads(orz_bench("report", tmp_path / "run", "--data-until", "2025-03", "--json").stdout)
    assert {row["benchmark"] for row in found["results"]} == set(NAMES)
    ages = {row["benchmark"]: row["age"] for row in found["ages"]}
    assert ages["hmmt_feb26"] == ages["brumo25"] == "newer"
    assert ages["hmmt_feb25"] == ages["mmlu_redux"] == "older"
    assert ages["apex_shortlist"] == ages["livecodebench:release_v6"] == "partly older"
    shown = orz_bench("report", tmp_path / "run").stdout
    assert "Questions and the model's data" in shown
    assert "unknown; --data-until gives the day" in shown


def test_only_what_is_newer_is_evaluated(data: Path, tmp_path: Path) -> None:
    names = ("aime26", "hmmt_feb25", "livecodebench:release_v6")
    said = evaluate(data, tmp_path / "run", "--since", "2025-04", names=names)
    assert "left out by --since: hmmt_feb25: its questions are public since 2025-02-15" in said
    found = json.loads(orz_bench("report", tmp_path / "run", "--json").stdout)["results"]
    kept = {row["benchmark"]: row["protocol"].get("questions") for row in found}
    assert kept == {"aime26": None, "livecodebench:release_v6": "since 2025-04-01"}


def test_supergpqa_is_evaluated(data: Path, tmp_path: Path) -> None:
    evaluate(data, tmp_path / "run", names=("supergpqa",))
    shown = orz_bench("report", tmp_path / "run").stdout
    assert "supergpqa by discipline" in shown


def test_a_list_of_what_is_newer() -> None:
    listed = orz_bench("data", "list", "--since", "2026", expect=2)
    assert "--since 2026: not a day" in listed.stderr
    listed = orz_bench("data", "list", "--since", "2026-01", "--model", "Qwen/Qwen2.5-7B")
    rows = [line.split()[0] for line in listed.stdout.splitlines() if line[:1].isalpha()]
    assert rows == ["benchmark", "aime26", "hmmt_feb26", "model's"]
    assert "not stated; released 2024-09-19 (Qwen2.5 blog)" in listed.stdout
    assert "unknown of me/x; --data-until gives the day" in orz_bench("data", "list", "--model", "me/x").stdout
