"""The features frame as a whole: columns, unknown values, batches in pieces, bad input."""

from __future__ import annotations

import pandas as pd
import pytest

from analysis.texts.features import response_features
from analysis.texts.lexicons import get_lexicon
from orz_bench.errors import DataError
from orz_bench.extraction.responses import keeps_format, repetition_scores
from orz_bench.records.text_hash import text_hash
from tests.support.feature_frames import a_batch, some_features
from tests.support.shared_data import PROJECT

LEXICON = get_lexicon("orz-code")
TEXTS = [" 1. wait, 2 </think> <answer> \\boxed{2} </answer>", "", "因此 `retry`", "again and again " * 20]


def test_batches_in_pieces_give_what_one_batch_gives() -> None:
    batch = a_batch(TEXTS, question=["However, a question", None, "b", "c"]).set_index(pd.Index([7, 7, 3, 1]))
    whole = response_features(batch, LEXICON)
    pieces = pd.concat([response_features(batch.iloc[[row]], LEXICON) for row in range(len(batch))])
    pd.testing.assert_frame_equal(whole, pieces)
    assert whole.index.tolist() == [7, 7, 3, 1]


def test_no_rows_have_the_same_columns_and_types() -> None:
    some, none = some_features(TEXTS), some_features([])
    assert list(none.columns) == list(some.columns)
    # An empty frame carries what it was given; what we compute has its type with and without rows.
    computed = some.columns.difference(["step", "benchmark", "problem_id", "sample_index", "num_tokens", "reward"])
    assert (none[computed].dtypes == some[computed].dtypes).all()


def test_no_texts_are_kept() -> None:
    features = some_features(TEXTS)
    texts = [name for name in features if features[name].dtype == object or str(features[name].dtype) == "str"]
    assert texts == ["benchmark", "problem_id"]


def test_what_a_batch_does_not_have_is_unknown() -> None:
    features = response_features(pd.DataFrame({"completion": TEXTS}), LEXICON)
    assert "num_tokens" not in features.columns
    for name in ("is_correct", "is_truncated", "is_answered", "reflections_per_1000_tokens"):
        assert features[name].isna().all()


def test_verdicts_and_stops() -> None:
    features = some_features(
        ["a"] * 4,
        verdict=["correct", "wrong", "no_answer", None],
        stop_reason=["eos", "length", "stop_string", None],
        extracted=["2", "3", None, None],
    )
    assert features["is_correct"].tolist() == [True, False, False, pd.NA]
    assert features["is_truncated"].tolist() == [False, True, False, pd.NA]
    assert features["is_answered"].tolist() == [True, True, False, False]


def test_columns_agree_with_the_functions_of_training() -> None:
    features = some_features(TEXTS)
    assert features["keeps_form"].tolist() == [keeps_format(text) for text in TEXTS]
    assert features["repetition"].tolist() == pytest.approx(repetition_scores(TEXTS))
    assert features["num_chars"].tolist() == [len(text) for text in TEXTS]


def test_hashes_are_the_same_everywhere_and_tell_texts_apart() -> None:
    assert text_hash("wait, 3") == 3521111164390464397
    assert some_features(["a", "a", "b"])["text_hash"].nunique() == 2
    assert text_hash("\ud800") != text_hash("\ud801")


def test_rollouts_without_completions_are_refused() -> None:
    with pytest.raises(DataError, match="the columns step, text; the column `completion`"):
        response_features(pd.DataFrame({"step": [1], "text": ["a"]}), LEXICON)
    with pytest.raises(DataError, match="rollout 1 has the completion None"):
        response_features(pd.DataFrame({"completion": pd.Series(["a", None], dtype=object)}), LEXICON)


def test_every_feature_is_documented() -> None:
    text = (PROJECT / "docs" / "reflection.md").read_text(encoding="utf-8")
    names = {"pattern:<name>" if name.startswith("pattern:") else name for name in map(str, some_features(["a"]))}
    names -= {f"position_{tenth}" for tenth in range(1, 9)}
    assert [name for name in sorted(names) if f"`{name}`" not in text] == []
