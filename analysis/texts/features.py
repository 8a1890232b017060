"""From a batch of rollouts to one row of numbers per response: everything that later stages need from the texts.

Input: a DataFrame of rollouts (columns of the rollout schema; `completion` is required, the others are optional).
Output: a DataFrame with the same index. Batches are processed one by one and their features are concatenated.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.texts.answer_changes import answer_change_features
from analysis.texts.form import form_features
from analysis.texts.language import language_features
from analysis.texts.lexicons import Lexicon
from analysis.texts.reflection import find_reflections, reflection_features
from analysis.texts.repetition import repetition_features
from orz_bench.errors import DataError
from orz_bench.records.text_hash import text_hash

CARRIED = ("step", "benchmark", "problem_id", "sample_index", "num_tokens", "reward")
"""Columns of a batch that are copied to its features if present."""


def response_features(batch: pd.DataFrame, lexicon: Lexicon) -> pd.DataFrame:
    """One row per response, same index: the columns in docs/reflection.md ("Features"); unknown is <NA>.

    carried      step, benchmark, problem_id, sample_index, num_tokens, reward (if `batch` has them)
    response     num_chars, text_hash (uint64, stable), is_correct, is_truncated, is_answered (boolean, <NA> unknown)
    reflection   reflections_raw, reflections (question and code excluded), reflects, reflections_per_1000_tokens,
                 first_reflection (relative position, 0 to 1), position_0 ... position_9, pattern:<name> (counts)
    answers      answer_change: category helpful, harmful, superficial, wrong_to_wrong, unknown; answer_evidence:
                 category boxed, stated, concluded, <NA> without an earlier answer; both <NA> without reflection
    form         closes_think, has_answer_block, has_boxed, has_one_answer, has_text_after, keeps_form
    repetition   repetition (0 to 1), repeated_4grams (share), loop_period (characters), loop_repeats, ends_in_loop
    language     share_latin, share_cjk, share_cyrillic, share_greek, share_arabic, share_other, mixes_scripts

    `batch` may have no rows. Raises DataError if it has no column `completion`, or a null in it.
    """
    texts = _texts(batch)
    found = find_reflections(batch, lexicon)
    first_matches = [matches[0] if matches else None for matches in found.counted]
    parts = [
        batch[[name for name in CARRIED if name in batch.columns]],
        _facts(batch, texts),
        reflection_features(batch, lexicon, found=found),
        answer_change_features(batch, first_matches),
        form_features(texts),
        repetition_features(texts),
        language_features(texts),
    ]
    return pd.concat([part.set_axis(batch.index) for part in parts], axis=1)


def _texts(batch: pd.DataFrame) -> list[str]:
    if "completion" not in batch.columns:
        have = ", ".join(map(str, batch.columns))
        raise DataError(f"rollouts have the columns {have}; the column `completion` (the response text) is needed.")
    texts = batch["completion"].tolist()
    for index, text in zip(batch.index, texts, strict=True):
        if not isinstance(text, str):
            raise DataError(f"rollout {index} has the completion {text!r}, wanted a text; remove this rollout.")
    return texts


def _facts(batch: pd.DataFrame, texts: Sequence[str]) -> pd.DataFrame:
    columns = {
        "num_chars": np.array([len(text) for text in texts], dtype=np.int32),
        "text_hash": np.array([text_hash(text) for text in texts], dtype=np.uint64),
        "is_correct": _equals(batch, "verdict", value="correct"),
        "is_truncated": _equals(batch, "stop_reason", value="length"),
        "is_answered": _is_known(batch, "extracted"),
    }
    return pd.DataFrame(columns, index=batch.index)


def _equals(batch: pd.DataFrame, column: str, *, value: str) -> pd.Series:
    if column not in batch.columns:
        return pd.Series(pd.NA, index=batch.index, dtype="boolean")
    return (batch[column] == value).astype("boolean").mask(batch[column].isna())


def _is_known(batch: pd.DataFrame, column: str) -> pd.Series:
    if column not in batch.columns:
        return pd.Series(pd.NA, index=batch.index, dtype="boolean")
    return batch[column].notna().astype("boolean")
