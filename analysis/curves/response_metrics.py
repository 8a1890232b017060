"""Catalogue of the response metrics: every column with unit, formula and source."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import pandas as pd

from analysis.texts.lengths import response_lengths
from orz_bench.errors import ConfigError
from orz_bench.installed.plugins import PluginFault, PluginGroup
from orz_bench.records.metrics import METRICS

_ORZ = "Open-Reasoner-Zero, arXiv 2503.24290"


@dataclass(frozen=True, slots=True)
class ResponseMetric:
    """One column."""

    name: str
    unit: str
    """`length` means tokens, or characters if token counts are unknown (analysis.texts.lengths)."""
    formula: str
    source: str = ""
    values: Values | None = None
    """What it is the mean of; None for those that are no mean over responses."""
    package: str = ""
    """Name and version of the package that adds it, which the registry fills in; empty for ours."""


Values = Callable[[pd.DataFrame], pd.Series]
"""Features -> one number per response; <NA> excludes it. The metric is their mean over the step."""


def _column(name: str) -> Values:
    return lambda features: features[name].astype("Float64")


def _length_where(condition: Callable[[pd.DataFrame], pd.Series]) -> Values:
    def values(features: pd.DataFrame) -> pd.Series:
        lengths = response_lengths(features).values.astype("Float64")
        return lengths.where(condition(features).fillna(value=False).astype(bool))

    return values


_MEANS: tuple[tuple[ResponseMetric, Values], ...] = (
    (
        ResponseMetric("accuracy/mean", "share", "responses graded correct / responses with a verdict"),
        _column("is_correct"),
    ),
    (
        ResponseMetric("response/length_correct_mean", "length", "mean length of correct responses"),
        _length_where(lambda f: f["is_correct"]),
    ),
    (
        ResponseMetric("response/length_wrong_mean", "length", "mean length of responses with any other verdict"),
        _length_where(lambda f: ~f["is_correct"]),
    ),
    (
        ResponseMetric("response/length_truncated_mean", "length", "mean length of responses cut by the token limit"),
        _length_where(lambda f: f["is_truncated"]),
    ),
    (
        ResponseMetric(
            "response/clip_rate", "share", "responses cut by the token limit / responses with a stop reason"
        ),
        _column("is_truncated"),
    ),
    (
        ResponseMetric(
            "response/repetition",
            "score",
            "mean of 2 sum(LCP) / (n (n + 1)) over the suffix array of n characters",
            f"{_ORZ}, code",
        ),
        _column("repetition"),
    ),
    (
        ResponseMetric(
            "response/repeated_4grams",
            "share",
            "mean of 1 - distinct / all word 4-grams",
            "Welleck et al., arXiv 1908.04319",
        ),
        _column("repeated_4grams"),
    ),
    (
        ResponseMetric(
            "response/loop_rate",
            "share",
            "responses that end in a period repeated three times or more, 60 characters or longer",
        ),
        _column("ends_in_loop"),
    ),
    (
        ResponseMetric(
            "response/mixed_scripts", "share", "responses with three or more letters of two scripts, not counting Greek"
        ),
        _column("mixes_scripts"),
    ),
    (
        ResponseMetric(
            "reflection/rate",
            "share",
            "responses with a reflection outside code and quotations of the question / responses",
            f"{_ORZ}, figure 7",
        ),
        _column("reflects"),
    ),
    (
        ResponseMetric(
            "reflection/rate_raw",
            "share",
            "responses in which a pattern of the lexicon matches anywhere / responses",
            f"{_ORZ}, code",
        ),
        lambda f: f["reflections_raw"].gt(0).astype("Float64"),
    ),
    (ResponseMetric("reflection/per_response", "count", "mean number of reflections"), _column("reflections")),
    (
        ResponseMetric(
            "reflection/first_position",
            "share",
            "mean of start of the first reflection / characters, over responses that reflect",
        ),
        _column("first_reflection"),
    ),
    (
        ResponseMetric("reflection/length_mean", "length", "mean length of responses that reflect"),
        _length_where(lambda f: f["reflects"]),
    ),
    (
        ResponseMetric(
            "reflection/correct_length_mean",
            "length",
            "mean length of responses that reflect and are correct",
            f"{_ORZ}, figure 7",
        ),
        _length_where(lambda f: f["reflects"] & f["is_correct"]),
    ),
    (
        ResponseMetric("format/answer_rate", "share", "responses in which the extractor found an answer / responses"),
        _column("is_answered"),
    ),
    (
        ResponseMetric(
            "format/adherence", "share", "responses in the complete format / responses", f"{_ORZ}, figure 4"
        ),
        _column("keeps_form"),
    ),
    (ResponseMetric("format/think_closed", "share", "responses with `</think>` / responses"), _column("closes_think")),
    (
        ResponseMetric("format/answer_block", "share", "responses with `<answer>` ... `</answer>` / responses"),
        _column("has_answer_block"),
    ),
    (ResponseMetric("format/boxed", "share", "responses with `\\boxed{` / responses"), _column("has_boxed")),
    (
        ResponseMetric(
            "format/one_answer", "share", "responses with exactly one `<answer>` and one `</answer>` / responses"
        ),
        _column("has_one_answer"),
    ),
    (
        ResponseMetric("format/text_after", "share", "responses with text after the last `</answer>` / responses"),
        _column("has_text_after"),
    ),
    (ResponseMetric("language/latin", "share", "mean share of Latin letters"), _column("share_latin")),
    (
        ResponseMetric("language/cjk", "share", "mean share of Chinese, Japanese and Korean letters"),
        _column("share_cjk"),
    ),
    (ResponseMetric("language/cyrillic", "share", "mean share of Cyrillic letters"), _column("share_cyrillic")),
    (ResponseMetric("language/greek", "share", "mean share of Greek letters"), _column("share_greek")),
    (ResponseMetric("language/arabic", "share", "mean share of Arabic letters"), _column("share_arabic")),
    (ResponseMetric("language/other", "share", "mean share of all other letters"), _column("share_other")),
)
MEAN_METRICS = tuple(replace(metric, values=values) for metric, values in _MEANS)

_LENGTHS = (
    ResponseMetric("response/length_mean", "length", "mean length of all responses", f"{_ORZ}, figure 2"),
    ResponseMetric("response/length_median", "length", "median length of all responses"),
    ResponseMetric("response/length_p95", "length", "95th percentile of the length, linear between neighbours"),
    ResponseMetric("response/length_max", "length", "longest response"),
)
_COUNTS = (
    ResponseMetric("response/count", "count", "number of responses"),
    ResponseMetric("reflection/responses", "count", "responses that reflect", f"{_ORZ}, figure 7"),
    ResponseMetric(
        "reflection/per_1000_tokens", "count", "1000 * reflections / tokens; absent if any token count is unknown"
    ),
)
GROUP_METRICS = (
    ResponseMetric("response/duplicates", "share", "1 - distinct (problem, text) / responses"),
    ResponseMetric("group/all_right", "share", "problems whose responses are all correct / problems"),
    ResponseMetric("group/all_wrong", "share", "problems with no correct response / problems"),
)
RESPONSE_METRICS: Mapping[str, ResponseMetric] = MappingProxyType(
    {metric.name: metric for metric in (*_COUNTS, *_LENGTHS, *MEAN_METRICS, *GROUP_METRICS)}
)
"""Every column of analysis.curves.response_curves, in order; ours."""


def _fault_of(metric: ResponseMetric) -> str | None:
    """A metric of another package is a mean over responses, and no column of training has its name."""
    if metric.values is None:
        return "it has no `values`, wanted a function of the features of responses"
    return f"the name {metric.name} is that of a metric of training" if metric.name in METRICS else None


METRIC_GROUP: PluginGroup[ResponseMetric] = PluginGroup(
    name="orz.metrics", noun="metric", kind=ResponseMetric, built_in=RESPONSE_METRICS, fault_of=_fault_of
)
"""Ours, and those that other packages add."""


def added_metrics() -> tuple[list[ResponseMetric], list[PluginFault]]:
    """The metrics of other packages, and those that cannot be used."""
    found, faults = METRIC_GROUP.load_all()
    added = [each for name, each in found.items() if name not in RESPONSE_METRICS]
    return [replace(each, package=METRIC_GROUP.package_of(each.name)) for each in added], faults


def added_metrics_named(names: Sequence[str]) -> list[ResponseMetric]:
    """Those of other packages among these names; they are looked up only if a name is neither ours nor training's."""
    others = [name for name in names if name not in RESPONSE_METRICS and name not in METRICS]
    if not others:
        return []
    known = METRIC_GROUP.others()
    return [replace(METRIC_GROUP.load(n), package=METRIC_GROUP.package_of(n)) for n in others if n in known]


def values_of(metric: ResponseMetric, features: pd.DataFrame) -> pd.Series:
    """One number per response. ConfigError, with the name of its package, where another package's code fails."""
    assert metric.values is not None, metric.name
    if not metric.package:
        return metric.values(features)
    try:
        values = metric.values(features)
        found = pd.Series(values, index=features.index).astype("Float64")
    except Exception as error:  # whatever that package does
        reason = " ".join(str(error).split())[:300]
        raise ConfigError(
            f"metric {metric.name} of {metric.package} failed ({type(error).__name__}: {reason}); correct that package."
        ) from error
    return found
