"""Parts of scores as rows of text, results side by side: what the terminal, Markdown and HTML show alike."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from orz_bench.records.intervals import Interval, percent_spread
from orz_bench.records.summary import EvalResult, Part


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakdownTable:
    """One breakdown of one benchmark."""

    title: str
    headings: list[str]
    rows: list[list[str]]


def breakdowns_of(results: Sequence[EvalResult], *, max_parts: int | None = None) -> Iterator[BreakdownTable]:
    """Where another tool's verdicts and ours differ; then each benchmark's parts, its results as columns of a table."""
    if differing := _disagreements(results):
        yield differing
    groups: dict[str, list[EvalResult]] = defaultdict(list)
    for result in results:
        groups[result.benchmark].append(result)
    for benchmark, group in groups.items():
        for key in dict.fromkeys(key for result in group for key in result.summary.breakdown):
            having = [result for result in group if key in result.summary.breakdown]
            table = _table(benchmark, key, results=having)
            if max_parts is None or len(table.rows) <= max_parts:
                yield table


def _disagreements(results: Sequence[EvalResult]) -> BreakdownTable | None:
    """None where no imported sample was judged differently by our grader."""
    rows = [
        [result.benchmark, str(result.step), theirs, ours, f"{count:,}", f"{result.summary.num_samples:,}"]
        for result in results
        for theirs, by_ours in result.summary.disagreements.items()
        for ours, count in by_ours.items()
    ]
    headings = ["benchmark", "step", "by the other tool", "by our grader", "samples", "of"]
    title = "Verdicts that differ; the app's page Suspicious shows these responses (extractors disagree)"
    return BreakdownTable(title=title, headings=headings, rows=rows) if rows else None


def percent(fraction: float | None) -> str:
    """One decimal; a dash for what is undefined."""
    return "–" if fraction is None else f"{100 * fraction:.1f}"


def _table(benchmark: str, key: str, *, results: Sequence[EvalResult]) -> BreakdownTable:
    names = list(dict.fromkeys(name for result in results for name in result.summary.breakdown[key]))
    found = [[result.summary.breakdown[key].get(name) for result in results] for name in names]
    counts = [str(max(part.num for part in parts if part is not None)) for parts in found]
    scores = [result.model if result.step == 0 else f"{result.model} step {result.step}" for result in results]
    headings = [key, "number", *(scores if len(results) > 1 else ["score"])]
    rows = [[name, count, *map(_cell, parts)] for name, count, parts in zip(names, counts, found, strict=True)]
    return BreakdownTable(title=f"{benchmark} by {key}", headings=headings, rows=rows)


def _cell(part: Part | None) -> str:
    """`43.2 ± 2.1` or `0.0 (0.0 to 0.7)`: the score with its 95 % interval over questions."""
    if part is None:
        return "–"
    if part.interval is None:
        return percent(part.value) if part.is_share else _number(part.value)
    if not part.is_share:
        return f"{_number(part.value)} ({_number(part.low)} to {_number(part.high)})"
    return with_spread(part.value, part.interval)


def with_spread(share: float, interval: Interval | None) -> str:
    """`43.2 ± 2.1`, `0.0 (0.0 to 0.7)`, or the share alone where its interval is undefined; percent."""
    if interval is None:
        return percent(share)
    spread = percent_spread(share, interval)
    return f"{percent(share)} {spread if spread.startswith('±') else f'({spread})'}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"
