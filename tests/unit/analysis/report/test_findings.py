"""The findings of a report: each kind of run gets the right answer, and uncertainty is stated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.curves.build import build_study, default_lexicon, features_of
from analysis.curves.study import Study, scores_of
from analysis.reading.load import Run, load_path
from analysis.report.finding import Finding
from analysis.report.findings import findings_of
from analysis.report.reflection_finding import QUESTION
from analysis.report.wording import number, p_value, percent, points
from analysis.step_moment.breaks import Break
from tests.support.builders import a_rollout
from tests.support.runs import a_run


def _findings(study_: Study) -> dict[str, Finding]:
    return {finding.question: finding for finding in findings_of(study_)}


def _curve_study(**columns: np.ndarray) -> Study:
    size = len(next(iter(columns.values())))
    frame = pd.DataFrame({"step": np.arange(1, size + 1)} | {n.replace("__", "/"): v for n, v in columns.items()})
    run = Run(name="x", path=Path("x"), kind="file", metrics=frame)
    return Study(run=run, steps=frame, scores=scores_of([]))


def _noisy(values: np.ndarray) -> np.ndarray:
    return np.asarray(values + np.random.default_rng(0).normal(0, 0.02, len(values)))


def test_a_run_that_learned(tmp_path: Path) -> None:
    found = _findings(build_study(load_path(a_run(tmp_path / "x").path)[0], lexicon=default_lexicon()))
    assert list(found) == ["Did it learn?", "When?", "How?", QUESTION, "Is it healthy?"]
    learned = found["Did it learn?"]
    assert learned.answer == "yes"
    assert "on the same 10 questions" in learned.details[0]
    assert "(step 0)" in learned.details[0]
    assert "(step 6)" in learned.details[0]
    assert found["Is it healthy?"].answer == "no"
    assert "Step 2: responses are cut." in found["Is it healthy?"].details


@pytest.mark.parametrize(
    ("values", "answer"),
    [(np.linspace(0.2, 0.8, 100), "yes"), (np.linspace(0.8, 0.2, 100), "no"), (np.full(100, 0.5), "unclear")],
)
def test_rewards_alone(values: np.ndarray, answer: str) -> None:
    found = _findings(_curve_study(reward__mean=_noisy(values)))
    assert found["Did it learn?"].answer == answer
    assert (found["When?"].answer == "unknown") == (answer == "unclear")


def test_nothing_to_go_by() -> None:
    found = _findings(_curve_study(something=np.zeros(3)))
    assert {finding.answer for finding in found.values()} == {"unknown"}


def test_when_half_of_it_was_done() -> None:
    values = np.concatenate([np.zeros(50), np.ones(50)])
    found = _findings(_curve_study(reward__mean=_noisy(values)))
    assert "by step 51," in found["When?"].headline or "by step 50," in found["When?"].headline


def test_how() -> None:
    rising, flat = np.linspace(100, 900, 100), _noisy(np.full(100, 0.5))
    found = _findings(_curve_study(response__length_mean=rising, reflection__rate=flat))
    assert found["How?"].headline == "Its responses became longer, and it reflects as often."


def test_step_moments_are_reported() -> None:
    base = _curve_study(reward__mean=_noisy(np.linspace(0, 1, 100)))
    mark = Break(metric="reward/mean", step=40, low=38, high=43, kind="level", size=0.25, p_value=0.0001, rebound=True)
    marked = Study(run=base.run, steps=base.steps, scores=base.scores, breaks={"reward/mean": (mark,)})
    (sentence,) = _findings(marked)["When?"].details
    assert "the level of reward/mean changed by 0.250 at step 40 (95 % interval 38 to 43), p < 0.001" in sentence
    assert "only recovers an earlier fall" in sentence
    without = Study(run=base.run, steps=base.steps, scores=base.scores, breaks={"reward/mean": ()})
    assert "No step moment: reward/mean are consistent with smooth trends" in _findings(without)["When?"].details[0]
    assert _findings(base)["When?"].details == ("Step moments were not tested.",)


class _Rows:
    def __init__(self, rows: list[dict[str, object]]) -> None:
        self._frame = pd.DataFrame(rows)

    def batches(self, rows: int = 4096) -> list[pd.DataFrame]:
        return [self._frame]


def _reflecting(*, right_if: float, right_if_not: float, corrects: bool) -> Study:
    """200 questions with a reflecting and a plain response of one length, correct with these probabilities."""
    rows: list[dict[str, object]] = []
    for question in range(200):
        for reflects in (True, False):
            right = question < 200 * (right_if if reflects else right_if_not)
            first = "3" if corrects == right else "2"
            text = f"The answer is {first}. wait, {'2' if right else '3'}" if reflects else "it is 2, that is all"
            rows.append(
                {
                    "step": 1 + question // 20,
                    "benchmark": "arithmetic",
                    "problem_id": f"p{question}",
                    "question": "1 + 1?",
                    "gold": "2",
                    "completion": text,
                    "num_tokens": 10,
                    "extracted": "2" if right else "3",
                    "verdict": "correct" if right else "wrong",
                    "stop_reason": "eos",
                }
            )
    base = _curve_study(something=np.zeros(3))
    features = features_of(_Rows(rows), default_lexicon())  # type: ignore[arg-type] # batches are all that is read
    return Study(run=base.run, steps=base.steps, scores=base.scores, features=features, lexicon="orz-code v1")


def test_reflection_that_helps() -> None:
    found = _findings(_reflecting(right_if=0.9, right_if_not=0.3, corrects=True))[QUESTION]
    assert found.answer == "yes"
    assert "real" not in found.headline
    assert "(180 against 20)" in found.headline
    assert "Based on 400 of 400 responses (100.0 %, 200 questions)" in found.headline
    assert any("90.0 % of the 200 responses that reflect, 30.0 % of the others" in text for text in found.details)
    assert any("+60.0 points" in text for text in found.details)
    assert any(
        "180 changed a wrong answer to the correct one (helpful), 20 a correct answer to a wrong one" in t
        for t in found.details
    )
    assert any("does not prove" in text for text in found.details)


def test_reflection_that_harms() -> None:
    found = _findings(_reflecting(right_if=0.2, right_if_not=0.7, corrects=True))[QUESTION]
    assert found.answer == "no"


def _responses_of_two_kinds(*, compared: int, alone: int) -> Study:
    """`compared` questions with both kinds, the reflecting one right; `alone` with one reflecting response."""
    both = np.repeat(np.arange(compared), 2)
    questions = np.concatenate([both, compared + np.arange(alone)])
    reflects = np.concatenate([np.tile([True, False], compared), np.full(alone, True)])
    features = pd.DataFrame(
        {
            "step": 1,
            "benchmark": "b",
            "problem_id": [f"p{k}" for k in questions],
            "num_tokens": 10,
            "reflects": reflects,
            "is_correct": pd.array(reflects, dtype="boolean"),
            "answer_change": ["helpful" if one else None for one in reflects.tolist()],
        }
    )
    base = _curve_study(something=np.zeros(3))
    return Study(run=base.run, steps=base.steps, scores=base.scores, features=features, lexicon="orz-code v1")


@pytest.mark.parametrize(
    ("compared", "alone", "answer"), [(100, 100, "yes"), (100, 9_800, "unclear"), (10, 0, "unclear"), (4, 0, "unclear")]
)
def test_a_corner_of_the_run_decides_nothing(compared: int, alone: int, answer: str) -> None:
    found = _findings(_responses_of_two_kinds(compared=compared, alone=alone))[QUESTION]
    assert found.answer == answer
    assert f"{2 * compared:,} of {2 * compared + alone:,} responses" in found.headline
    assert f"{compared} questions)" in found.headline


def test_reflection_without_any_effect() -> None:
    found = _findings(_reflecting(right_if=0.5, right_if_not=0.5, corrects=False))[QUESTION]
    assert found.answer == "no"


def test_no_reflection_at_all(tmp_path: Path) -> None:
    run = a_run(tmp_path / "x", num_steps=1)
    run.rollouts(1).replace([a_rollout(step=1, sample_index=index) for index in range(8)])
    found = _findings(build_study(load_path(run.path)[0], lexicon=default_lexicon()))[QUESTION]
    assert (found.answer, found.headline) == (
        "no",
        "There is no reflection: no response matches the lexicon orz-code v1.",
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.28149, "0.281"), (24.879, "24.9"), (1234.5, "1,234"), (0.000123, "0.000123"), (float("nan"), "–")],
)
def test_numbers(value: float, text: str) -> None:
    assert number(value) == text


def test_shares() -> None:
    assert (percent(0.2818), points(-0.012), points(0.65)) == ("28.2 %", "−1.2", "+65.0")
    assert (p_value(0.0004), p_value(0.0321)) == ("p < 0.001", "p = 0.032")
