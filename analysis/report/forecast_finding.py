"""Where a run's reward is heading, as a finding of the report."""

from __future__ import annotations

from analysis.curves.forecasts import Forecasts, forecasts_of, sentences_of
from analysis.curves.study import Study
from analysis.forecast.forecast import SHORTEST
from analysis.report.finding import Finding
from analysis.report.wording import number

METRIC = "reward/mean"


def reward_forecast(study: Study) -> Forecasts | None:
    """The forecast of the reward at twice the steps; None for a run without one, or with fewer than 60 steps."""
    series = study.series(METRIC)
    if series is None or len(series[0]) < SHORTEST:
        return None
    return forecasts_of(study, (METRIC,))


def forecast_finding(found: Forecasts) -> Finding:
    """The forecast with its interval, or why there is none."""
    (one,) = found.curves
    question = "Where is the reward heading?"
    end = one.end
    if end is None:
        return Finding(question=question, answer="unknown", headline=f"No forecast: {one.refusal}.")
    law = [f"{name} alone: {number(value)}." for name, value in end.by_law.items()]
    ceiling = f"Ceiling {number(end.ceiling)} (90 % interval {number(end.ceiling_low)} to {number(end.ceiling_high)})."
    return Finding(
        question=question,
        answer="yes",
        headline=(
            f"With twice as many steps ({end.at:g}), to {number(end.value)} (90 % interval {number(end.low)} to "
            f"{number(end.high)}), if nothing changes."
        ),
        details=(ceiling, *law, *(text[0].upper() + text[1:] for text in sentences_of(found))),
    )
