"""SmolLM2-135M under the real vLLM, from its package to summary, resume and comparison.

One evaluation is a process that starts and is killed; the others run here, because each start would load vLLM again.
"""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from orz_bench.records.run_dir import RunDir
from tests.support.command_line import COMMAND, orz_bench, orz_bench_here, results_of, rows_of
from tests.support.shared_data import shared_data

pytestmark = [pytest.mark.real_model, pytest.mark.slow]

PROMPTING = ("--template", "few-shot", "--extractor", "boxed", "--stop", "Problem:", "--temperature", "0.3")


@pytest.fixture(scope="module")
def arguments(smollm2: Path) -> list[str]:
    wanted = ["eval", "--ckpt", str(smollm2), "--engine", "vllm", "--bench", "arithmetic", "--limit", "10"]
    return [*wanted, "--max-tokens", "80", "--max-model-len", "1024", *PROMPTING]


@pytest.fixture(scope="module")
def run(arguments: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three samples a question, killed by SIGKILL after the first rows; then four, by the same command otherwise."""
    folder = tmp_path_factory.mktemp("runs") / "killed"
    wanted = [*arguments, "--out", str(folder)]
    with subprocess.Popen(
        [*COMMAND, *wanted, "--n", "3"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while not list(folder.glob("evals/*/*/*/part-*.parquet")) and process.poll() is None:
            time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
    kept = rows_of(folder)
    assert kept, "killed before the first rows were written"
    (result,) = results_of(orz_bench_here(*wanted, "--n", "4", "--json"))
    assert (result["num_problems"], result["n"], result["num_generated_now"]) == (10, 4, 40 - len(kept))
    assert 0 < result["avg_at_n"] <= 1, "a model that answers 5 + 6 gets something right"
    assert set(kept) <= set(rows_of(folder))
    return folder


def test_every_row_is_whole_none_lost_or_doubled(run: Path) -> None:
    rows = rows_of(run, "problem_id", "sample_index", "seed", "completion", "stop_reason", "verdict", "num_tokens")
    assert len(rows) == len({row[:2] for row in rows}) == len({row[2] for row in rows}) == 40
    assert all(0 < row[6] <= 80 for row in rows)
    for row in rows:
        assert (row[4] == "stop_string") == row[3].endswith("Problem:")
    (evaluation,) = RunDir(run).evaluations()
    card = json.loads(evaluation.protocol_path.read_text(encoding="utf-8"))["card"]
    assert card["engine"].startswith("vllm 0.")
    assert (run / "DONE").exists()


def test_again_draws_nothing(arguments: list[str], run: Path) -> None:
    before = rows_of(run)
    (same,) = results_of(orz_bench(*arguments, "--n", "4", "--out", run, "--json"))
    assert same["num_generated_now"] == 0
    assert rows_of(run) == before


def test_every_checkpoint_of_a_run_on_arithmetic_and_aime(smollm2: Path, tmp_path: Path) -> None:
    """vLLM is closed and opened again in one process; the two checkpoints are then compared and reported."""
    data = shared_data()
    run = RunDir(tmp_path / "run")
    run.create(kind="train", command=[], seed=0, environment={})
    for step in (1, 2):
        folder = run.path / "checkpoints" / f"step={step:06d}"
        folder.mkdir(parents=True)
        (folder / "policy").symlink_to(smollm2)
    wanted = [
        "--bench",
        "arithmetic,aime24",
        "--limit",
        "3",
        "--n",
        "1",
        "--max-tokens",
        "32",
        "--max-model-len",
        "1024",
    ]
    done = orz_bench_here("eval", "--ckpt", run.path, *wanted, *PROMPTING, "--data-dir", data, "--json")
    assert [(r["step"], r["benchmark"], r["num_generated_now"], r["num_problems_total"]) for r in results_of(done)] == [
        (1, "arithmetic", 3, 100),
        (1, "aime24", 3, 30),
        (2, "arithmetic", 3, 100),
        (2, "aime24", 3, 30),
    ]
    compared = json.loads(orz_bench("compare", f"{run.path}@1", f"{run.path}@2", "--json").stdout)["comparisons"]
    assert {item["benchmark"]: item["num_questions"] for item in compared} == {"arithmetic": 3, "aime24": 3}
    assert all(-1 <= item["low"] <= item["difference"] <= item["high"] <= 1 for item in compared)
    assert "48.1" not in orz_bench("report", run.path).stdout, "the figure of another model"
