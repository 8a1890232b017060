"""Curves from features: against plain Python over the rollouts, and against the metrics that training writes."""

from __future__ import annotations

import random
from statistics import fmean, median

import numpy as np
import pandas as pd
import pytest

from analysis.curves.response_curves import response_curves
from analysis.curves.response_metrics import RESPONSE_METRICS
from analysis.texts.features import response_features
from analysis.texts.lexicons import get_lexicon
from orz_bench.errors import DataError
from orz_bench.records.metrics import METRICS
from tests.support.feature_frames import a_batch, some_features

RNG = random.Random(0)
TEXTS = [
    RNG.choice(["1. wait, 2 </think> <answer> \\boxed{2} </answer>", "3", "however, 4", "`retry` 因此因"])
    for _ in range(60)
]
BATCH = a_batch(
    TEXTS,
    step=[1 + row // 30 for row in range(60)],
    problem_id=[f"p{row // 5}" for row in range(60)],
    num_tokens=[RNG.randrange(1, 99) for _ in range(60)],
    verdict=[RNG.choice(["correct", "correct", "wrong", "no_answer"]) for _ in range(60)],
    stop_reason=[RNG.choice(["eos", "length"]) for _ in range(60)],
)
CURVES = response_curves(response_features(BATCH, get_lexicon("orz-code")))


def slow(rows: pd.DataFrame) -> dict[str, float]:
    """Some of the metrics, one response after the other."""
    lengths = rows["num_tokens"].tolist()
    is_right = [verdict == "correct" for verdict in rows["verdict"]]
    counts = [text.count("wait,") + text.count("however,") for text in rows["completion"]]
    both = [length for length, right, count in zip(lengths, is_right, counts, strict=True) if right and count]
    groups = [[*group["verdict"]] for _, group in rows.groupby("problem_id")]
    pairs = set(zip(rows["problem_id"], rows["completion"], strict=True))
    return {
        "response/count": len(rows),
        "accuracy/mean": fmean(is_right),
        "response/length_mean": fmean(lengths),
        "response/length_median": median(lengths),
        "response/length_p95": float(np.quantile(lengths, 0.95)),
        "response/length_correct_mean": fmean(n for n, right in zip(lengths, is_right, strict=True) if right),
        "response/length_wrong_mean": fmean(n for n, right in zip(lengths, is_right, strict=True) if not right),
        "response/clip_rate": fmean(stop == "length" for stop in rows["stop_reason"]),
        "response/duplicates": 1 - len(pairs) / len(rows),
        "response/mixed_scripts": fmean("因此因" in text for text in rows["completion"]),
        "reflection/responses": sum(count > 0 for count in counts),
        "reflection/rate": fmean(count > 0 for count in counts),
        "reflection/rate_raw": fmean(
            count > 0 or "retry" in text for count, text in zip(counts, rows["completion"], strict=True)
        ),
        "reflection/per_response": fmean(counts),
        "reflection/per_1000_tokens": 1000 * sum(counts) / sum(lengths),
        "reflection/correct_length_mean": fmean(both),
        "format/adherence": fmean("</answer>" in text for text in rows["completion"]),
        "group/all_right": fmean(set(group) == {"correct"} for group in groups),
        "group/all_wrong": fmean("correct" not in group for group in groups),
    }


@pytest.mark.parametrize("step", [1, 2])
def test_curves_are_what_plain_loops_give(step: int) -> None:
    wanted = slow(BATCH[BATCH["step"] == step])
    assert CURVES.loc[step, list(wanted)].to_dict() == pytest.approx(wanted)


def test_curves_have_a_column_for_every_metric_of_the_catalogue() -> None:
    assert list(CURVES.columns) == list(RESPONSE_METRICS)
    assert CURVES.index.name == "step"
    assert all(metric.formula for metric in RESPONSE_METRICS.values())


def test_units_of_shared_names_are_those_of_training() -> None:
    for name in RESPONSE_METRICS.keys() & METRICS.keys():
        assert RESPONSE_METRICS[name].unit.replace("length", "tokens") == METRICS[name].unit


def test_what_a_step_does_not_have_is_absent() -> None:
    features = some_features(["a", "wait, b"], step=[1, 2], verdict=["wrong", None], stop_reason=None)
    curves = response_curves(features)
    absent = curves.isna()
    assert absent["reflection/correct_length_mean"].tolist() == [True, True]
    assert absent["accuracy/mean"].tolist() == [False, True]
    assert absent["group/all_wrong"].tolist() == [False, True]
    assert absent["response/clip_rate"].all()
    assert curves["reflection/rate"].tolist() == [0, 1]


def test_without_problems_there_are_no_groups() -> None:
    curves = response_curves(some_features(["a", "a"]).drop(columns=["problem_id"]))
    assert curves[["group/all_right", "group/all_wrong", "response/duplicates"]].isna().all(axis=None)


def test_other_keys() -> None:
    features = some_features(["a", "wait, b"], benchmark=["x", "y"], step=3)
    assert response_curves(features, by=("benchmark", "step")).index.tolist() == [("x", 3), ("y", 3)]
    with pytest.raises(DataError, match="no column epoch"):
        response_curves(features, by=("epoch",))


def test_problem_names_as_categories_are_not_multiplied() -> None:
    features = response_features(BATCH, get_lexicon("orz-code"))
    as_categories = features.astype({"problem_id": "category", "benchmark": "category"})
    pd.testing.assert_frame_equal(response_curves(as_categories), CURVES)


def test_no_rows_give_no_steps() -> None:
    assert len(response_curves(some_features([]))) == 0
