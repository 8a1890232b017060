"""Summary of the reflections in one set of responses, as printed by `orz-analysis reflection`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd
from rich.table import Table

from analysis.curves.build import features_of
from analysis.reading.load import Run
from analysis.reading.run_rollouts import Rollouts
from analysis.texts.answer_changes import ANSWER_CHANGES
from analysis.texts.lengths import LengthTable, length_table
from analysis.texts.lexicons import Lexicon
from analysis.texts.outcomes import Difference, OutcomeEffect, outcome_effect
from analysis.texts.reflection import NUM_POSITIONS
from orz_bench.errors import DataError, counted

_PATTERN = "pattern:"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReflectionSummary:
    """The reflections of one set of responses."""

    name: str
    """The set: the training rollouts of a run, one of its evaluations, or a file."""
    lexicon: str
    num_responses: int
    """With a text."""
    num_without_text: int
    """Rows that are left out: requests that failed, texts that were dropped or that a file lacks."""
    num_reflecting: int
    reflections: int
    """Matches outside code and quotations of the question."""
    reflections_raw: int
    """All matches."""
    per_1000_tokens: float | None
    by_pattern: dict[str, int]
    by_position: tuple[int, ...]
    """Reflections in each tenth of the responses."""
    lengths: LengthTable
    effect: OutcomeEffect
    answer_changes: dict[str, int]

    @property
    def rate(self) -> float | None:
        """Share of responses that reflect."""
        return self.num_reflecting / self.num_responses if self.num_responses else None

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"name": self.name, "rate": self.rate} | asdict(self)


def summaries_of(runs: Sequence[Run], lexicon: Lexicon) -> list[ReflectionSummary]:
    """One summary for the training rollouts (or the file) and one per evaluation. DataError if there are neither."""
    sets: list[tuple[str, Rollouts]] = []
    for run in runs:
        if run.rollouts is not None:
            sets.append(
                (f"{run.name}: training" if run.kind in ("train", "dump", "folder") else run.name, run.rollouts)
            )
        sets += [(f"{run.name}: {e.benchmark}, step {e.step}", e.samples) for e in run.evaluations]
    if not sets:
        raise DataError(f"{runs[0].path}: has no responses; name a run with rollouts, or a file with responses.")
    return [
        summary_of(name, features_of(rollouts, lexicon), lexicon=lexicon, num_rows=rollouts.num_rows())
        for name, rollouts in sets
    ]


def summary_of(name: str, features: pd.DataFrame, *, lexicon: Lexicon, num_rows: int) -> ReflectionSummary:
    """The summary of features that were computed with this lexicon, of so many rows with and without a text."""
    tokens = features["num_tokens"] if "num_tokens" in features else pd.Series(dtype=float)
    has_tokens = len(tokens) > 0 and bool(tokens.notna().all()) and float(tokens.sum()) > 0
    patterns = [column for column in features.columns if str(column).startswith(_PATTERN)]
    changes = features["answer_change"].value_counts()
    total = int(features["reflections"].sum())
    return ReflectionSummary(
        name=name,
        lexicon=lexicon.label,
        num_responses=len(features),
        num_without_text=num_rows - len(features),
        num_reflecting=int(features["reflects"].sum()),
        reflections=total,
        reflections_raw=int(features["reflections_raw"].sum()),
        per_1000_tokens=1000 * total / float(tokens.sum()) if has_tokens else None,
        by_pattern={str(column).removeprefix(_PATTERN): int(features[column].sum()) for column in patterns},
        by_position=tuple(int(features[f"position_{tenth}"].sum()) for tenth in range(NUM_POSITIONS)),
        lengths=length_table(features),
        effect=outcome_effect(features),
        answer_changes={name: int(changes.get(name, 0)) for name in ANSWER_CHANGES},
    )


def summary_table(summary: ReflectionSummary) -> Table:
    """The summary as a table for people."""
    table = Table(title=f"{summary.name} ({summary.lexicon})", show_header=False, box=None, title_justify="left")
    for name, value in _facts(summary).items():
        table.add_row(name, value)
    return table


def _facts(summary: ReflectionSummary) -> dict[str, str]:
    lengths, effect = summary.lengths, summary.effect
    rate = f" ({100 * summary.rate:.1f} %)" if summary.rate is not None else ""
    patterns = sorted(summary.by_pattern.items(), key=lambda pair: -pair[1])
    without = f"; {summary.num_without_text:,} more without a text" if summary.num_without_text else ""
    found = {
        "responses": f"{summary.num_responses:,}{without}",
        "that reflect": f"{summary.num_reflecting:,}{rate}",
        "reflections": f"{summary.reflections:,}; {summary.reflections_raw:,} with code and quoted questions",
        "per 1,000 tokens": "–" if summary.per_1000_tokens is None else f"{summary.per_1000_tokens:.2f}",
        "by pattern": ", ".join(f"{name} {count:,}" for name, count in patterns if count) or "–",
        "by tenth of the response": " ".join(f"{count:,}" for count in summary.by_position),
    }
    for called, kind in (
        ("mean length", lengths.overall),
        ("mean length, correct and reflecting", lengths.correct_reflecting),
    ):
        found[called] = "–" if kind is None else f"{kind.mean:,.1f} {lengths.unit}"
    accuracies = f"{_share(effect.accuracy_reflecting)}, {_share(effect.accuracy_other)}"
    found["correct if it reflects, if not"] = accuracies
    found["difference"] = _difference(effect.raw)
    found["same question and length bin"] = (
        f"{_difference(effect.matched)}, {counted(effect.num_matched_responses, 'response')}"
    )
    changes = (f"{name.replace('_', ' ')} {count:,}" for name, count in summary.answer_changes.items())
    return found | {"answers after reflecting": ", ".join(changes)}


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _difference(value: Difference | None) -> str:
    if value is None:
        return "–"
    interval = (
        "" if value.low is None or value.high is None else f" ({100 * value.low:+.1f} to {100 * value.high:+.1f})"
    )
    return f"{100 * value.estimate:+.1f} points{interval}"
