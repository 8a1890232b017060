"""Metrics of responses for each step: from features to one row per step.

Columns that are also in metrics.jsonl have the same name and, with the lexicon orz-code, the same value.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from analysis.curves.response_metrics import (
    GROUP_METRICS,
    MEAN_METRICS,
    RESPONSE_METRICS,
    ResponseMetric,
    values_of,
)
from analysis.texts.lengths import response_lengths
from orz_bench.errors import DataError


def response_curves(
    features: pd.DataFrame, by: Sequence[str] = ("step",), *, added: Sequence[ResponseMetric] = ()
) -> pd.DataFrame:
    """One row for each value of the columns `by`, in order, as the index; the columns are RESPONSE_METRICS, then
    `added`.

    All are Float64, and <NA> if a step has no data for it (no length of correct responses without a correct response,
    no accuracy without verdicts). Raises DataError if `features` lacks one of `by`.
    """
    missing = [name for name in by if name not in features.columns]
    if missing:
        raise DataError(f"features have no column {', '.join(missing)}; curves need {', '.join(by)}.")
    keys = [features[name] for name in by]
    parts = [
        _counts(features, keys),
        _lengths(features, keys),
        _means(features, keys, added=added),
        _groups(features, by),
    ]
    return (
        pd.concat(parts, axis=1)[[*RESPONSE_METRICS, *(metric.name for metric in added)]].astype("Float64").sort_index()
    )


def _means(features: pd.DataFrame, keys: Sequence[pd.Series], *, added: Sequence[ResponseMetric]) -> pd.DataFrame:
    metrics = (*MEAN_METRICS, *added)
    values = pd.DataFrame({metric.name: values_of(metric, features) for metric in metrics}, index=features.index)
    return values.groupby(list(keys), observed=True).mean()


def _lengths(features: pd.DataFrame, keys: Sequence[pd.Series]) -> pd.DataFrame:
    grouped = response_lengths(features).values.groupby(list(keys), observed=True)
    return pd.DataFrame(
        {
            "response/length_mean": grouped.mean(),
            "response/length_median": grouped.median(),
            "response/length_p95": grouped.quantile(0.95),
            "response/length_max": grouped.max(),
        }
    )


def _counts(features: pd.DataFrame, keys: Sequence[pd.Series]) -> pd.DataFrame:
    sums = features[["reflects", "reflections"]].groupby(list(keys), observed=True).sum()
    lengths = response_lengths(features)
    tokens = lengths.values.groupby(list(keys), observed=True).sum().astype("Float64")
    known = tokens.where((tokens > 0) & (lengths.unit == "tokens"))
    return pd.DataFrame(
        {
            "response/count": features.groupby(list(keys), observed=True).size(),
            "reflection/responses": sums["reflects"],
            "reflection/per_1000_tokens": 1000 * sums["reflections"].astype("Float64") / known,
        }
    )


def _groups(features: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    problem = [name for name in ("benchmark", "problem_id") if name in features.columns and name not in by]
    keys = list(by)
    sizes = features.groupby(keys, observed=True).size()
    distinct = features.drop_duplicates([*keys, *problem, "text_hash"]).groupby(keys, observed=True).size()
    curves = pd.DataFrame({"response/duplicates": 1 - distinct / sizes})
    if "problem_id" not in features.columns:
        return curves.mask(curves.notna()).reindex(columns=[metric.name for metric in GROUP_METRICS])
    graded = features[features["is_correct"].notna()]
    right = graded["is_correct"].astype(bool).groupby([graded[name] for name in (*keys, *problem)], observed=True)
    shares = pd.DataFrame({"group/all_right": right.all(), "group/all_wrong": ~right.any()})
    return curves.join(shares.groupby(level=keys, observed=True).mean())
