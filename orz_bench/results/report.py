"""Results as a terminal table, Markdown, JSON; HTML is in html.py. Percent in text, fractions in JSON."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from orz_bench.errors import counted
from orz_bench.records.intervals import percent_spread
from orz_bench.records.summary import SECOND_EXTRACTOR, EvalResult
from orz_bench.results.baselines import baselines_for, published_on
from orz_bench.results.breakdown_tables import BreakdownTable, breakdowns_of, percent
from orz_bench.results.comparison import Comparison
from orz_bench.results.lookup import ComparedBenchmark
from orz_bench.results.suite_table import SuiteTable
from orz_bench.results.usage import has_costs, shown_cost, thoughts_note, usage_note
from orz_bench.terminal import shortened

_LOW_EXTRACTION = 0.8
_FORMAT_GAP = 0.05
_HIGH_CLIP = 0.05
_MAX_ROWS = 500
"""Row limit of a table on the terminal, whose layout time grows with its rows."""
_TEXTS = ("source", "its questions", "questions public", "model's data")
"""Headings of columns that hold text."""
_MAX_NAMED = 10
"""Flipped questions named in text; JSON has them all."""


def render_json(results: Sequence[EvalResult], *, suites: Sequence[SuiteTable] = ()) -> dict[str, Any]:
    """{"run", "results": [...]}, and "suites": [...] if there are any: what `--json` prints."""
    found = {"run": results[0].run if results else None, "results": [result.to_json() for result in results]}
    return found | ({"suites": [suite.to_json() for suite in suites]} if suites else {})


@dataclass(frozen=True, slots=True)
class Layout:
    """Which columns a table of results has; computed once for all of its rows."""

    n: int | None
    """The n of all rows; None if they differ, and then n is a column."""
    names_models: bool
    """True if rows are of several checkpoints."""
    baseline: str | None = None
    """The model whose published figures are shown; None: the same model."""
    has_costs: bool = False
    """True if a price was given for some of them."""


def layout_of(results: Sequence[EvalResult], *, baseline: str | None = None) -> Layout:
    """The columns that these results need."""
    several = len({(result.model, result.step) for result in results}) > 1
    return Layout(common_n(results), several, baseline, has_costs([result.summary.usage for result in results]))


def columns_of(layout: Layout) -> list[str]:
    """The headings."""
    n = layout.n
    at = f"@{n}" if n is not None else "@n"
    heads = [
        "benchmark",
        f"avg{at}",
        "95 % sampling",
        "95 % questions",
        f"pass{at}",
        f"maj{at}",
        "clip",
        "no answer",
        "tokens",
    ]
    extra = [] if n is not None else ["n"]
    several = ["model", "step"] if layout.names_models else []
    return [*several, *heads, *extra, *(["cost"] if layout.has_costs else []), "published"]


def row_of(result: EvalResult, layout: Layout) -> list[str]:
    """The cells of one result, under columns_of(layout)."""
    summary = result.summary
    several = [result.model, str(result.step)] if layout.names_models else []
    extra = [] if layout.n is not None else [str(summary.n)]
    scores = [
        percent(summary.avg_at_n),
        percent_spread(summary.avg_at_n, summary.sampling),
        percent_spread(summary.avg_at_n, summary.question),
        percent(summary.pass_at[str(summary.n)]),
        percent(summary.maj_at_n),
    ]
    if not result.is_scored:
        scores = ["–"] * len(scores)
    return [
        *several,
        result.benchmark,
        *scores,
        "–" if summary.clip_rate is None else f"{percent(summary.clip_rate)}\u00a0%",
        f"{percent(summary.no_answer_rate)}\u00a0%",
        "–" if summary.mean_tokens is None else f"{summary.mean_tokens:,.0f}",
        *extra,
        *([shown_cost(summary.usage)] if layout.has_costs else []),
        _published(result, layout.baseline),
    ]


def _published(result: EvalResult, baseline: str | None) -> str:
    """Figures by every source, with their protocols; a dash for a model without any, and for later steps of a run."""
    if baseline is None and result.step:
        return "–"
    found = published_on(result.benchmark, baseline or result.model)
    name = f"{found[0].model}: " if baseline and found else ""
    return name + "; ".join(f"{one.figure} ({one.source}; {one.protocol})" for one in found) or "–"


def render_table(
    results: Sequence[EvalResult],
    *,
    max_parts: int | None = None,
    baseline: str | None = None,
    suites: Sequence[SuiteTable] = (),
    more: Sequence[BreakdownTable] = (),
) -> RenderableType:
    """The result table, warnings under it, the tables of suites, more tables, and the parts of the scores.

    `max_parts` leaves tables of more parts out.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    layout = layout_of(results, baseline=baseline)
    for heading in columns_of(layout):
        is_text = heading in ("benchmark", "model", "published")
        table.add_column(heading, justify="left" if is_text else "right", no_wrap=heading == "benchmark")
    for result in results[:_MAX_ROWS]:
        table.add_row(*(Text(shortened(cell)) for cell in row_of(result, layout)))
    notes = _first(notes_on(results), "notes")
    if len(results) > _MAX_ROWS:
        notes.insert(0, f"{len(results) - _MAX_ROWS:,} more rows: --format md and --format json have all")
    shown = [*more, *breakdowns_of(results, max_parts=max_parts)]
    parts = [item for breakdown in shown for item in ("", _part_table(breakdown))]
    asked: list[RenderableType] = []
    for suite in suites:
        asked += ["", _part_table(suite.as_text), *_marked(suite.notes)]
    return Group(table, *_marked(notes), *asked, *parts)


def _marked(notes: Iterable[str]) -> list[Text]:
    return [Text(shortened(f"· {note}"), style="yellow") for note in notes]


def _part_table(breakdown: BreakdownTable) -> Table:
    table = Table(title=Text(breakdown.title), title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in breakdown.headings:
        table.add_column(
            heading, justify="left" if heading in (breakdown.headings[0], *_TEXTS) else "right", overflow="fold"
        )
    for row in breakdown.rows[:_MAX_ROWS]:
        table.add_row(*(Text(shortened(cell)) for cell in row))
    if len(breakdown.rows) > _MAX_ROWS:
        table.caption = f"{len(breakdown.rows) - _MAX_ROWS:,} more rows: --format md and --format json have all"
    return table


def _first(notes: list[str], what: str) -> list[str]:
    """At most so many as there may be rows."""
    more = len(notes) - _MAX_ROWS
    return [*notes[:_MAX_ROWS], f"{more:,} more {what}: --format md has all"] if more > 0 else notes


def render_markdown(
    results: Sequence[EvalResult],
    *,
    baseline: str | None = None,
    suites: Sequence[SuiteTable] = (),
    more: Sequence[BreakdownTable] = (),
) -> str:
    """A Markdown table with notes and the published figures, the tables of suites, and more tables."""
    layout = layout_of(results, baseline=baseline)
    lines = [_markdown_row(columns_of(layout)), _markdown_row(["---"] * len(columns_of(layout)))]
    lines += [_markdown_row(row_of(result, layout)) for result in results]
    lines += ["", *(f"- {_escape_markdown(note)}" for note in notes_on(results))]
    for benchmark in dict.fromkeys(result.benchmark for result in results):
        published = [f"{baseline} [{baseline.source}; {baseline.protocol}]" for baseline in baselines_for(benchmark)]
        lines += ["", f"Published on {benchmark}: {'; '.join(published)}"] if published else []
    for suite in suites:
        lines += [*_markdown_table(suite.as_text), "", *(f"- {_escape_markdown(note)}" for note in suite.notes)]
    for breakdown in (*more, *breakdowns_of(results)):
        lines += _markdown_table(breakdown)
    return "\n".join(lines) + "\n"


def _markdown_table(table: BreakdownTable) -> list[str]:
    head = ["", f"**{_escape_markdown(table.title)}**", "", _markdown_row(table.headings)]
    return [*head, _markdown_row(["---"] * len(table.headings)), *map(_markdown_row, table.rows)]


def notes_on(results: Sequence[EvalResult]) -> list[str]:
    """Warnings about these rows: differing protocols, parts of benchmarks, unusual rates, wrong gold answers."""
    notes = [note for result in results for note in _notes_on_one(result)]
    made = [f"{result.model}: {result.origin}" for result in results if result.origin]
    return list(dict.fromkeys([*_mixed_protocols(results), *made, *notes]))


def render_comparisons(
    compared: Sequence[ComparedBenchmark], *, format_: str, margin: float = 0.0
) -> RenderableType | str:
    """B against A: a rich table, or Markdown or JSON text. `margin`: a loss, as a fraction, that would not matter."""
    if format_ == "json":
        found = [_comparison_json(item, margin) for item in compared]
        return json.dumps({"comparisons": found, "margin": margin}, ensure_ascii=False)
    headings = ["benchmark", "A", "B", "B - A", "95 % interval", "B is", "p", "p (Holm)", "detectable"]
    headings += ["questions", "gained", "lost"]
    rows = [row for item in compared for row in _comparison_rows(item, margin)]
    notes = [note for item in compared for note in _comparison_notes(item)]
    if margin:
        notes.insert(0, f"no worse: the interval leaves no loss of {100 * margin:g} points or more")
    if format_ == "md":
        lines = [_markdown_row(headings), _markdown_row(["---"] * len(headings)), *map(_markdown_row, rows)]
        return "\n".join([*lines, "", *(f"- {_escape_markdown(note)}" for note in notes)])
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "benchmark" else "right", no_wrap=heading == "benchmark")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return Group(table, *(Text(f"· {note}") for note in notes))


def common_n(results: Sequence[EvalResult]) -> int | None:
    """The n of all results, or None if they differ."""
    counts = {result.summary.n for result in results}
    return counts.pop() if len(counts) == 1 else None


def _notes_on_one(result: EvalResult) -> list[str]:
    summary, name = result.summary, result.benchmark
    if not result.is_scored:
        return [f"{name}: no metric of this task says right or wrong; its figures are in the table below"]
    if "imported" in result.protocol:
        return [_note_on_imported(result)]
    main, second = summary.avg_at_n, summary.accuracy_second_extractor
    num_errors = summary.verdicts.get("error", 0) - summary.num_failed
    checks = {
        f"{name}: {summary.num_problems:,} of its {counted(result.num_problems_total, 'question')} only (--limit)": (
            summary.num_problems < result.num_problems_total
        ),
        f"{name}: an answer was found in only {percent(summary.extraction_rate)} % of the responses": (
            summary.extraction_rate is not None and summary.extraction_rate < _LOW_EXTRACTION
        ),
        f"{name}: {percent(main)} under the extractor {result.protocol.get('extractor')!r} but {percent(second)} under "
        f"{summary.second_extractor!r}: format, not capability": (
            second is not None and abs(main - second) > _FORMAT_GAP
        ),
        f"{name}: {percent(summary.clip_rate)} % of the responses hit the token limit; finished ones score "
        f"{percent(summary.accuracy_finished)}": (summary.clip_rate or 0) > _HIGH_CLIP,
        f"{name}: {100 * (summary.duplicate_rate or 0):.2g} % of the samples repeat another one word for word": (
            (summary.duplicate_rate or 0) > 0 and result.protocol.get("temperature", 1) > 0
        ),
        f"{name}: {summary.verdicts.get('timeout', 0)} answers took too long to grade, "
        f"{num_errors} made the grader fail": (summary.verdicts.get("timeout", 0) + num_errors > 0),
        f"{name}: {counted(summary.num_failed, 'sample', verb=('has', 'have'))} no answer of the engine and count"
        f"{'s' if summary.num_failed == 1 else ''} as wrong (--continue-on-error)": summary.num_failed > 0,
    }
    checks[_note_on_other_rules(result)] = bool(summary.other_rules)
    by = "with another second rule" if SECOND_EXTRACTOR in result.protocol else "by another version of the grader"
    again = f"{name}: {result.fingerprint} is {result.regraded_from} graded again, {by}"
    checks[again] = result.regraded_from is not None
    of_server = [f"{name}: {note}" for note in (thoughts_note(summary.thoughts), usage_note(summary.usage)) if note]
    errata = [f"{name}: {erratum}" for erratum in result.errata]
    return [note for note, holds in checks.items() if holds] + of_server + errata


def _note_on_other_rules(result: EvalResult) -> str:
    """What the other rules would have given, best first."""
    summary, rule = result.summary, result.protocol.get("extractor")
    others = sorted(summary.other_rules.items(), key=lambda item: -item[1])
    scores = ", ".join(f"{percent(score)} by {name}" for name, score in others)
    gains = others[0][1] > summary.avg_at_n if others else False
    return (
        f"{result.benchmark}: {percent(summary.no_answer_rate)} % of the responses have no answer under {rule}; the "
        f"same responses score {scores} instead of {percent(summary.avg_at_n)}"
        + (": format, not ability alone" if gains else "")
    )


def _note_on_imported(result: EvalResult) -> str:
    """Whose verdicts they are, and what our grader says where it was asked."""
    summary, protocol = result.summary, result.protocol
    whose = f"{result.benchmark}: imported from {protocol['imported']}, and judged by it ({protocol['judged_by']})"
    if summary.accuracy_second_extractor is None:
        return f"{whose}, not by us: orz-bench import --grade adds our verdicts"
    differing = (
        f"{counted(summary.num_disagreements, 'verdict')} of {summary.num_samples:,} differ"
        if summary.num_disagreements
        else "no verdict differs"
    )
    return f"{whose}; {percent(summary.accuracy_second_extractor)} by {summary.second_extractor}; {differing}"


def _mixed_protocols(results: Sequence[EvalResult]) -> list[str]:
    by_benchmark: dict[str, list[EvalResult]] = defaultdict(list)
    for result in results:
        by_benchmark[result.benchmark].append(result)
    notes = []
    for name, group in by_benchmark.items():
        if len({result.fingerprint for result in group}) > 1:
            keys = sorted({key for result in group for key in result.protocol})
            differing = [key for key in keys if len({json.dumps(r.protocol.get(key)) for r in group}) > 1]
            if differing != [SECOND_EXTRACTOR]:
                notes.append(
                    f"{name}: rows of different protocols, not to be compared: they differ in {', '.join(differing)}"
                )
    return notes


def _comparison_rows(item: ComparedBenchmark, margin: float) -> list[list[str]]:
    """The benchmark's row, then one for each other measure. Only the first is adjusted for several benchmarks."""
    first = _comparison_row(item.benchmark, item.comparison, margin=margin, p_holm=_p_value(item.p_holm))
    others = [
        _comparison_row(f"{item.benchmark} {name}", found, margin=margin, p_holm="–")
        for name, found in item.measures.items()
    ]
    return [first, *others]


def _comparison_row(name: str, found: Comparison, *, margin: float, p_holm: str) -> list[str]:
    return [
        name,
        percent(found.average_a),
        percent(found.average_b),
        f"{100 * found.difference:+.1f}",
        f"{100 * found.low:+.1f} … {100 * found.high:+.1f}",
        found.outcome(margin),
        _p_value(found.p_value),
        p_holm,
        percent(found.minimum_detectable_effect),
        f"{found.num_questions:,}",
        str(len(found.gained)),
        str(len(found.lost)),
    ]


def _comparison_notes(item: ComparedBenchmark) -> list[str]:
    found, name = item.comparison, item.benchmark
    notes = [
        f"{name}: {side} is {result.model} step {result.step} ({result.run})"
        for side, result in (("A", item.a), ("B", item.b))
    ]
    notes += [f"{result.model}: {result.origin}" for result in (item.a, item.b) if result.origin]
    notes += [f"{name}: PROTOCOLS DIFFER in {'; '.join(item.differing)}"] if item.differing else []
    notes += [f"{name}: solved by B only: {_named(found.gained)}"] if found.gained else []
    notes += [f"{name}: solved by A only: {_named(found.lost)}"] if found.lost else []
    left_out = found.num_only_a + found.num_only_b
    return notes + ([f"{name}: {left_out} questions that only one side has are left out"] if left_out else [])


def _named(problem_ids: Sequence[str]) -> str:
    more = len(problem_ids) - _MAX_NAMED
    return ", ".join(problem_ids[:_MAX_NAMED]) + (f" and {more} more (all in --format json)" if more > 0 else "")


def _p_value(value: float) -> str:
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def _comparison_json(item: ComparedBenchmark, margin: float) -> dict[str, Any]:
    sides = {
        side: {"run": result.run, "model": result.model, "step": result.step, "fingerprint": result.fingerprint}
        for side, result in (("a", item.a), ("b", item.b))
    }
    facts = {"benchmark": item.benchmark} | sides | asdict(item.comparison)
    measures = {name: asdict(found) | {"outcome": found.outcome(margin)} for name, found in item.measures.items()}
    verdict = {"outcome": item.comparison.outcome(margin), "measures": measures}
    return facts | {"p_holm": item.p_holm, "differing": list(item.differing)} | verdict


def _markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_escape_markdown(cell) for cell in cells) + " |"


def _escape_markdown(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
