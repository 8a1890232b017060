"""Lengths by kind of response."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.texts.lengths import length_table, response_lengths
from tests.support.feature_frames import some_features


def test_table_is_that_of_the_kinds() -> None:
    features = some_features(
        ["wait, a", "b", "wait, c", "d", "e"],
        num_tokens=[10, 20, 30, 40, 50],
        verdict=["correct", "correct", "wrong", "no_answer", None],
        stop_reason=["eos", "eos", "eos", "length", None],
    )
    table = length_table(features)
    assert table.unit == "tokens"
    assert table.overall is not None
    assert (table.overall.num_responses, table.overall.mean, table.overall.median, table.overall.longest) == (
        5,
        30,
        30,
        50,
    )
    assert table.overall.p95 == pytest.approx(np.quantile([10, 20, 30, 40, 50], 0.95))
    means = {
        kind: getattr(table, kind).mean
        for kind in ("correct", "wrong", "truncated", "reflecting", "correct_reflecting")
    }
    assert means == {"correct": 15, "wrong": 35, "truncated": 40, "reflecting": 20, "correct_reflecting": 10}


def test_kinds_that_do_not_occur_are_none() -> None:
    table = length_table(some_features(["a"], verdict="wrong", stop_reason=None))
    assert table.correct is table.truncated is table.reflecting is table.correct_reflecting is None
    assert length_table(some_features([])).overall is None


def test_one_unknown_number_of_tokens_makes_all_lengths_characters() -> None:
    features = some_features(["abc", "d"], num_tokens=pd.array([1, None], dtype="Int64"))
    lengths = response_lengths(features)
    assert (lengths.unit, lengths.values.tolist()) == ("characters", [3.0, 1.0])
