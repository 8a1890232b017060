"""Outcome efficiency and underthinking on responses whose places are known, the file beside them, and the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from orz_bench.cli import app
from orz_bench.errors import RunDirError
from orz_bench.probing.first_right import equality_of, first_right, is_a_value
from orz_bench.probing.thought_use import thought_use
from orz_bench.records.run_dir import EvaluationDir, RunDir
from orz_bench.records.thoughts import NAME, read_thought_use
from orz_bench.results.statistics import summarise
from tests.support.builders import a_result, a_rollout
from tests.support.runs import _scored


def padded(before: str, *, length: int) -> str:
    """A text of that length that says nothing after `before`."""
    return before + "x" * (length - len(before))


ROWS: tuple[dict[str, Any], ...] = (
    {"problem_id": "a", "gold": "7", "completion": padded("3+4=7, ", length=60), "extracted": "7"},
    {"problem_id": "a", "gold": "7", "completion": padded("so it is 9. wait, it is 7. ", length=50), "extracted": "7"},
    {"problem_id": "b", "gold": "1/2", "completion": padded("= 0.5. ", length=10), "extracted": "0.5"},
    {"problem_id": "b", "gold": "1/2", "completion": padded("x = 0.5. So 4", length=40), "verdict": "wrong"},
    {"problem_id": "c", "gold": "3", "completion": padded("= 7. ", length=20), "verdict": "wrong"},
    {"problem_id": "d", "gold": '{"checks": []}', "completion": "= 7.", "verdict": "wrong"},
)


def an_evaluation(folder: Path, rows: tuple[dict[str, Any], ...] = ROWS, **changes: Any) -> EvaluationDir:
    run = RunDir(folder)
    run.create(kind="eval", command=["orz-bench"], seed=1, environment={})
    directory = run.evaluation(benchmark="sums", step=0, fingerprint="0123456789ab")
    directory.path.mkdir(parents=True)
    rollouts = [
        a_rollout(**{"sample_index": at, "num_tokens": 2 * len(row["completion"])} | row | changes)
        for at, row in enumerate(rows)
    ]
    directory.append(rollouts)
    directory.protocol_path.write_text("{}", encoding="utf-8")
    summary = summarise(map(_scored, rollouts), second_extractor="boxed")
    directory.write_result(a_result(run=str(folder), benchmark="sums", summary=summary))
    return directory


def test_hand_computed(tmp_path: Path) -> None:
    """Right places: a 5/60 and 25/50, b 5/10; wrong: b 7/40, c none (its chance: a's 7 at 3/20; b's is c's 3: none)."""
    found = thought_use(an_evaluation(tmp_path / "run"))
    assert (found.num_right, found.num_wrong, found.num_questions, found.num_left_out) == (3, 2, 3, 1)
    assert found.outcome_efficiency is not None
    assert found.outcome_efficiency.value == pytest.approx(((5 / 60 + 25 / 50) / 2 + 5 / 10) / 2)
    assert found.underthinking is not None
    assert found.underthinking.value == pytest.approx((1 - 7 / 40 + 0) / 2)
    assert found.reached is not None
    assert found.reached.value == 0.5
    assert found.reached_by_chance is not None
    assert found.reached_by_chance.value == 0.5
    assert found.underthinking_by_chance is not None
    assert found.underthinking_by_chance.value == pytest.approx((1 - 3 / 20) / 2)
    assert found.unit == "tokens"
    assert found.mean_length == pytest.approx(2 * (60 + 50 + 10) / 3)
    assert found.mean_first == pytest.approx(2 * (5 + 25 + 5) / 3)
    assert found.right_by[0] == 0
    assert found.right_by[10] == 1  # by half of the response
    assert found.wrong_by[-1] == 0.5


def test_without_token_counts_lengths_are_characters(tmp_path: Path) -> None:
    found = thought_use(an_evaluation(tmp_path / "run", num_tokens=None))
    assert (found.unit, found.mean_length) == ("characters", 40)


def test_options_are_compared_as_letters() -> None:
    equal = equality_of(["A", "B"])
    text = "It is a B-flat. So the answer is (B). "
    assert first_right(text, ["B"], equal=equal) == text.index(". ", 20)
    assert first_right(text, ["A"], equal=equal) is None


def test_what_is_a_value() -> None:
    assert is_a_value("\\frac{1}{2}")
    assert is_a_value("{1, 2}")
    assert not any(map(is_a_value, (None, "", '{"a": 1}', '[{"id": 1}]', "x" * 201)))


def test_the_command_stores_what_it_says(tmp_path: Path) -> None:
    directory = an_evaluation(tmp_path / "run")
    printed = CliRunner().invoke(app, ["probe", str(tmp_path / "run"), "--json"])
    assert printed.exit_code == 0, printed.output
    (row,) = json.loads(printed.stdout)["evaluations"]
    stored = read_thought_use(directory)
    assert stored is not None
    assert stored == thought_use(directory)
    assert json.loads(json.dumps(stored.to_json())).items() <= row.items()
    table = CliRunner().invoke(app, ["probe", str(tmp_path / "run")])
    assert "3 right, 2 wrong, 3 questions; 1 left out" in table.output


@pytest.mark.parametrize("text", ["{}", '{"schema_version": 2}', '{"schema_version": 1}', "[]"])
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    directory = an_evaluation(tmp_path / "run")
    (directory.path / NAME).write_text(text, encoding="utf-8")
    with pytest.raises(RunDirError, match=NAME):
        read_thought_use(directory)


@pytest.mark.parametrize(
    ("more", "message"), [(["--bench", "other"], "it has sums at step 0"), (["--step", "3"], "it has sums at step 0")]
)
def test_errors(tmp_path: Path, more: list[str], message: str) -> None:
    an_evaluation(tmp_path / "run")
    done = CliRunner().invoke(app, ["probe", str(tmp_path / "run"), *more])
    assert done.exit_code == 2
    assert message in " ".join(done.output.split())


def test_nothing_to_probe_is_an_error(tmp_path: Path) -> None:
    an_evaluation(tmp_path / "run", gold='{"checks": []}')
    done = CliRunner().invoke(app, ["probe", str(tmp_path / "run")])
    assert done.exit_code == 2
    assert "a gold that a sentence could conclude" in " ".join(done.output.split())
