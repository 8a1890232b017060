"""A real model that was trained on some problems is caught; the full form is benchmarks/contamination.py."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.command_line import orz_bench
from tests.support.memorised import problems, table, trained

NUM = 40


@pytest.mark.slow
@pytest.mark.real_model
def test_a_model_that_knows_half_of_the_problems_is_caught(tmp_path: Path) -> None:
    rows = problems(3 * NUM)
    tables = [table(tmp_path / f"{at}.jsonl", rows[at * NUM : (at + 1) * NUM]) for at in range(3)]
    trained(tmp_path / "model", [f"{q}\n{a}" for q, a in rows[:NUM]], epochs=60)
    options = ("--engine", "transformers", "--dtype", "float32", "--out", tmp_path / "run", "--answer-tokens", "4")
    names = ",".join(map(str, tables[::2]))
    done = orz_bench(
        "contamination", "--ckpt", tmp_path / "model", *options, "--bench", names, "--fresh", tables[1], "--json"
    )
    seen, unseen = json.loads(done.stdout)["against_fresh"]
    assert seen["p_value"] < 0.001
    assert seen["exact_old"] > seen["exact_fresh"] + 0.3
    assert unseen["p_value"] > 0.01
