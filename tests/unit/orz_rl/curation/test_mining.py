"""Hard problems of a run, from its rollouts."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from orz_bench.errors import ConfigError, DataError, RunDirError
from orz_bench.records.rollout import Rollout
from orz_bench.records.run_dir import RunDir
from orz_rl.curation.mining import mine, parse_rate, write_mined
from orz_rl.rollout.problems import read_problems
from tests.support.builders import a_rollout


def _sampled(run: Path, step: int, counts: dict[str, int], *, of: int = 4, **changes: Any) -> None:
    rollouts: list[Rollout] = [
        a_rollout(
            problem_id=id_,
            question=f"What is {id_}?",
            sample_index=sample,
            step=step,
            verdict="correct" if sample < correct else "wrong",
            **changes,
        )
        for id_, correct in counts.items()
        for sample in range(of)
    ]
    folder = RunDir(run).rollouts(step)
    folder.path.mkdir(parents=True)
    folder.append(rollouts)


@pytest.mark.parametrize(
    ("text", "rate"), [("4/64", Fraction(1, 16)), ("0.0625", Fraction(1, 16)), ("1", 1), (".5", 0.5)]
)
def test_rates(text: str, rate: float) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["", "0", "4/0", "0/4", "5/4", "1.5", "-1", "1e-3", "four", "1/2/3", "4/ 64", "nan"])
def test_no_rates(text: str) -> None:
    with pytest.raises(ConfigError, match="wanted a share above 0"):
        parse_rate(text)


def test_problems_below_the_rate(tmp_path: Path) -> None:
    _sampled(tmp_path, 1, {"a": 0, "b": 1, "c": 4})
    found = mine(tmp_path, below=Fraction(1, 4))
    assert list(found.hard) == ["a"]
    assert (found.num_problems, found.histogram) == (3, {0: 1, 1: 1, 4: 1})
    assert list(mine(tmp_path, below=Fraction(1, 3)).hard) == ["a", "b"]


def test_the_last_visit_counts_or_all(tmp_path: Path) -> None:
    _sampled(tmp_path, 1, {"a": 0, "b": 4})
    _sampled(tmp_path, 2, {"a": 4, "b": 0})
    assert list(mine(tmp_path, below=Fraction(1, 4)).hard) == ["b"]
    assert list(mine(tmp_path, below=Fraction(3, 4), visits="all").hard) == ["a", "b"]


def test_a_truncated_answer_is_not_correct(tmp_path: Path) -> None:
    _sampled(tmp_path, 1, {"a": 4}, stop_reason="length")
    assert list(mine(tmp_path, below=Fraction(1, 4)).hard) == ["a"]


def test_both_formats_can_be_trained_on(tmp_path: Path) -> None:
    _sampled(tmp_path / "run", 1, {"a": 0, "b": 1})
    found = mine(tmp_path / "run", below=Fraction(1, 2))
    for name in ("hard.json", "hard.jsonl"):
        path = tmp_path / "data" / name
        write_mined(found, path)
        assert [problem.question for problem in read_problems([str(path)])] == ["What is a?", "What is b?"]
        with pytest.raises(ConfigError, match="exists"):
            write_mined(found, path)
        write_mined(found, path, force=True)
    row = json.loads((tmp_path / "data" / "hard.jsonl").read_text(encoding="utf-8").splitlines()[1])
    assert row == {"id": "b", "problem": "What is b?", "answer": "2", "num_correct": 1, "num_samples": 4}


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunDirError, match="no such folder"):
        mine(tmp_path / "none", below=Fraction(1, 4))
    with pytest.raises(RunDirError, match="has no rollouts"):
        mine(tmp_path, below=Fraction(1, 4))
    _sampled(tmp_path, 1, {"a": 4})
    with pytest.raises(DataError, match="none of 1 problem is below"):
        write_mined(mine(tmp_path, below=Fraction(1, 4)), tmp_path / "x.json")
    with pytest.raises(ConfigError, match=r"ends in \.json"):
        write_mined(mine(tmp_path, below=Fraction(1, 4)), tmp_path / "x.txt")
    _sampled(tmp_path, 2, {"a": 4}, gold="3")
    with pytest.raises(DataError, match="another question or gold in step 2"):
        mine(tmp_path, below=Fraction(1, 4))
