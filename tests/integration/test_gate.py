"""`orz-bench gate` on real runs: exit codes, and samples that are added only where the decision is open."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orz_bench.records.run_dir import RunDir
from tests.support.command_line import orz_bench

POLICY = "looks: [1, 2, 3]\nbenchmarks:\n  arithmetic: {margin: %s}\n  arithmetic_mixed: {margin: 80}\n"


def evaluated(out: Path, *, rate: str, seed: int) -> Path:
    arguments = ("--engine", "fake", "--bench", "arithmetic,arithmetic_mixed", "--n", "1", "--seed", str(seed))
    orz_bench("eval", "--ckpt", f"fake:{rate}", *arguments, "--limit", "30", "--out", out)
    return out


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("gate")
    return evaluated(folder / "base", rate="0.6", seed=1), evaluated(folder / "new", rate="0.6", seed=2)


def samples(run: Path) -> dict[str, int]:
    return {result.benchmark: result.summary.n for result in RunDir(run).results()}


def test_only_an_open_benchmark_is_evaluated_further(runs: tuple[Path, Path], tmp_path: Path) -> None:
    base, new = runs
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY % 1, encoding="utf-8")
    done = orz_bench("gate", policy, base, new, "--json", expect=4)
    assert json.loads(done.stdout)["decision"] == "INCONCLUSIVE"
    done = orz_bench("gate", policy, base, new, "--until-decided", "--json", expect=4)
    found = {one["benchmark"]: one for one in json.loads(done.stdout)["benchmarks"]}
    assert (found["arithmetic"]["samples"], found["arithmetic_mixed"]["samples"]) == (3, 1)
    assert samples(base) == samples(new) == {"arithmetic": 3, "arithmetic_mixed": 1}
    assert found["arithmetic_mixed"]["decision"] == "GO"
    assert "--bench arithmetic --n 2" in done.stderr
    policy.write_text(POLICY % 60, encoding="utf-8")
    assert "GO" in orz_bench("gate", policy, base, new).stdout


def test_what_cannot_be_decided_or_evaluated_is_said(runs: tuple[Path, Path], tmp_path: Path) -> None:
    base, new = runs
    policy = tmp_path / "policy.yaml"
    policy.write_text("looks: [99]\nbenchmarks: {arithmetic: {margin: 1}}\n", encoding="utf-8")
    assert "--until-decided" in orz_bench("gate", policy, base, new, expect=2).stderr
    policy.write_text("benchmarks: {math500: {margin: 1}}\n", encoding="utf-8")
    assert "nothing to compare for math500" in orz_bench("gate", policy, base, new, expect=2).stderr.replace("\n", " ")
