"""Build studies from runs: reads texts if they are needed, and joins metrics.jsonl with metrics of the rollouts."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from analysis.curves.response_curves import response_curves
from analysis.curves.response_metrics import ResponseMetric, added_metrics_named
from analysis.curves.study import Study, scores_of
from analysis.reading.load import Run
from analysis.reading.metric_files import by_step
from analysis.reading.run_rollouts import Rollouts
from analysis.texts.features import response_features
from analysis.texts.lengths import response_lengths
from analysis.texts.lexicons import Lexicon, get_lexicon


def build_study(run: Run, *, lexicon: Lexicon | None = None, wanted: Sequence[str] = ()) -> Study:
    """The run with one row per step and one per evaluation.

    Rollouts are read with their texts if a `lexicon` is given, or if metrics.jsonl lacks one of the metrics `wanted`
    (reflections are then counted with orz-code). The texts are never all in memory.
    """
    lacks = any(name not in run.metrics for name in wanted)
    if run.rollouts is None or (lexicon is None and not lacks):
        return Study(run=run, steps=run.metrics, scores=scores_of(run.results))
    counted_with = lexicon or default_lexicon()
    features = features_of(run.rollouts, counted_with)
    return Study(
        run=run,
        steps=joined(run.metrics, curves_of_features(features, added=added_metrics_named(wanted))),
        scores=scores_of(run.results),
        features=features,
        lexicon=counted_with.label,
        length_unit=response_lengths(features).unit if len(features) else "tokens",
    )


def curves_of_features(features: pd.DataFrame, *, added: Sequence[ResponseMetric] = ()) -> pd.DataFrame:
    """One row per step, as in metrics.jsonl: `reward/mean` and response_curves. No rows if no step is known."""
    if "step" not in features or features.empty:
        return by_step(pd.DataFrame())
    curves = response_curves(features, added=added)
    if "reward" in features:
        curves.insert(0, "reward/mean", features.groupby("step")["reward"].mean())
    return by_step(curves.astype("float64").rename_axis("step").reset_index())


def default_lexicon() -> Lexicon:
    """Open-Reasoner-Zero's own patterns, which training uses too."""
    return get_lexicon("orz-code")


def features_of(rollouts: Rollouts, lexicon: Lexicon) -> pd.DataFrame:
    """Features of all responses, index 0, 1, ...; names as categories. About 300 bytes per response."""
    parts = [response_features(batch, lexicon) for batch in rollouts.batches()]
    if not parts:
        return pd.DataFrame()
    whole = pd.concat(parts)
    names = [name for name in ("benchmark", "problem_id") if name in whole]
    return whole.astype(dict.fromkeys(names, "category"))


def joined(metrics: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """One row per step of either. metrics.jsonl takes precedence, except that reflections come from the table."""
    if table.empty:
        return metrics
    if not len(metrics):
        return table
    ours, theirs = table.set_index("step"), metrics.set_index("step")
    first = ours.filter(regex="^reflection/")
    kept = theirs.filter(regex="^(?!reflection/)")
    return by_step(first.combine_first(kept).combine_first(ours).rename_axis("step").reset_index())
