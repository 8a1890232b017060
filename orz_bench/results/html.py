"""Results as one HTML page that opens from disk: no script, no network, every text escaped."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape

from orz_bench.records.intervals import Interval
from orz_bench.records.summary import EvalResult
from orz_bench.results.baselines import Baseline, baselines_for
from orz_bench.results.breakdown_tables import BreakdownTable, breakdowns_of, percent
from orz_bench.results.report import columns_of, layout_of, notes_on, row_of
from orz_bench.results.suite_table import SuiteTable

_STYLE = """
:root { color-scheme: light dark;
  --ink: #1b1f24; --soft: #5b6570; --line: #d8dee4; --page: #fff; --bar: #2f6fb2; --us: #c2571a }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ed; --soft: #9aa5b1; --line: #363d46; --page: #15181c; --bar: #6aa5e0; --us: #f0924f } }
* { box-sizing: border-box }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); max-width: 72rem;
  margin: 0 auto; padding: 2rem 1rem }
h1 { font-size: 1.6rem; margin: 0 0 .25rem } h2 { font-size: 1.15rem; margin: 2.5rem 0 .5rem }
.soft, caption { color: var(--soft); text-align: left }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; width: 100% }
th, td { padding: .4rem .7rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap }
th { font-weight: 600 } th:first-child, td:first-child, .left { text-align: left }
td.left { white-space: normal; min-width: 16rem; color: var(--soft) }
.scale { position: relative; height: 1.1rem; min-width: 12rem }
.scale span { position: absolute; top: 50%; transform: translateY(-50%) }
.range { height: 3px; background: var(--bar) } .inner { height: 7px; background: var(--bar) }
.dot { width: 9px; height: 9px; border-radius: 50%; background: var(--bar); margin-left: -4px }
tr.us td:first-child { font-weight: 600 }
.us .range, .us .inner, .us .dot { background: var(--us) }
details { margin: .5rem 0 } pre { overflow-x: auto; font-size: .85rem }
li { margin: .25rem 0 }
"""


def render_html(
    results: Sequence[EvalResult],
    *,
    baseline: str | None = None,
    suites: Sequence[SuiteTable] = (),
    more: Sequence[BreakdownTable] = (),
) -> str:
    """The page."""
    layout = layout_of(results, baseline=baseline)
    models = ", ".join(dict.fromkeys(result.model for result in results))
    body = [
        f"<h1>Evaluation of {escape(models)}</h1>",
        f'<p class="soft">{escape(", ".join(dict.fromkeys(result.run for result in results)))}</p>',
        html_table(columns_of(layout), [row_of(result, layout) for result in results]),
        '<p class="soft">95 % sampling: range of the score if these n answers were generated again. 95 % questions: '
        "if other questions of the same kind were asked. Both are 95 % intervals, in points.</p>",
        html_list("What to know before quoting these numbers", notes_on(results)),
        *(_suite(suite) for suite in suites),
        *(_beside_published(name, results) for name in dict.fromkeys(result.benchmark for result in results)),
        *(_parts(breakdown) for breakdown in (*more, *breakdowns_of(results))),
        "<h2>Protocols</h2>",
        *(_protocol(result) for result in _one_each(results)),
    ]
    return html_page(models, body)


def html_page(title: str, body: Sequence[str]) -> str:
    """A page of parts that are HTML already."""
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    head = f'<!doctype html><html lang="en"><head>{head}<style>{_STYLE}</style></head>'
    return f"{head}<body>{''.join(body)}</body></html>\n"


def _suite(suite: SuiteTable) -> str:
    shown, num_ours = suite.as_text, sum(row.is_ours for row in suite.rows)
    table = html_table(shown.headings, shown.rows, num_ours=num_ours)
    return f"<h2>{escape(shown.title)}</h2>{table}" + _items(suite.notes)


def _parts(breakdown: BreakdownTable) -> str:
    table = html_table(breakdown.headings, breakdown.rows)
    return f"<details open><summary>{escape(breakdown.title)}</summary>{table}</details>"


def html_table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, num_ours: int = 0) -> str:
    """A table of texts. The first rows, those of ours, are set off from published ones."""
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    starts = ['<tr class="us">'] * num_ours + ["<tr>"] * (len(rows) - num_ours)
    cells = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows)
    body = "".join(f"{start}{row}</tr>" for start, row in zip(starts, cells, strict=True))
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def html_list(title: str, items: Sequence[str]) -> str:
    """A heading with a list of texts; empty without items."""
    if not items:
        return ""
    return f"<h2>{escape(title)}</h2>" + _items(items)


def _items(items: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>" if items else ""


def _beside_published(benchmark: str, results: Sequence[EvalResult]) -> str:
    """Our scores with both error bars and the published ones on one scale from 0 to 100."""
    known = baselines_for(benchmark)
    if not known:
        return ""
    ours = [
        _scale_row(
            f"{result.model}, step {result.step}",
            100 * result.summary.avg_at_n,
            note=f"avg@{result.summary.n}, this run",
            intervals=(result.summary.sampling, result.summary.question),
        )
        for result in results
        if result.benchmark == benchmark
    ]
    published = [
        _scale_row(
            baseline.model,
            baseline.percent,
            note=f"{baseline.source}; {baseline.protocol}",
            intervals=(None, _given(baseline)),
            is_ours=False,
        )
        for baseline in sorted(known, key=lambda baseline: -baseline.percent)
    ]
    head = '<tr><th>model</th><th>score</th><th class="left">0 … 100</th><th class="left">how</th></tr>'
    return f'<h2>{escape(benchmark)}</h2><div class="wide"><table>{head}{"".join(ours + published)}</table></div>'


def _given(baseline: Baseline) -> Interval | None:
    """The spread that a source gives, each way."""
    if baseline.plus_minus is None:
        return None
    return Interval(
        max(0.0, baseline.percent - baseline.plus_minus) / 100, min(100.0, baseline.percent + baseline.plus_minus) / 100
    )


def _scale_row(
    model: str, score: float, *, note: str, intervals: tuple[Interval | None, Interval | None], is_ours: bool = True
) -> str:
    spans = []
    for found, kind in ((intervals[1], "range"), (intervals[0], "inner")):
        if found is not None:
            low, high = 100 * found.low, 100 * found.high
            spans.append(f'<span class="{kind}" style="left:{low:.1f}%;width:{high - low:.1f}%"></span>')
    spans.append(f'<span class="dot" style="left:{score:.1f}%"></span>')
    side = ' class="us"' if is_ours else ""
    return (
        f'<tr{side}><td>{escape(model)}</td><td>{score:.1f}</td><td><div class="scale">{"".join(spans)}</div></td>'
        f'<td class="left">{escape(note)}</td></tr>'
    )


def _protocol(result: EvalResult) -> str:
    summary = result.summary
    card = escape(json.dumps(dict(result.protocol), indent=2, ensure_ascii=False))
    passed = ", ".join(f"pass@{k} {percent(value)}" for k, value in summary.pass_at.items())
    stable = ", ".join(f"G-Pass@{k} {percent(value)}" for k, value in summary.g_pass_at.items())
    verdicts = ", ".join(f"{verdict} {count:,}" for verdict, count in summary.verdicts.items())
    return (
        f"<details><summary>{escape(result.benchmark)}, {escape(result.model)}, step {result.step}, "
        f"fingerprint {escape(result.fingerprint)}</summary>"
        f"<p>{escape(passed)}<br>{escape(stable)}<br>{escape(verdicts)}</p><pre>{card}</pre></details>"
    )


def _one_each(results: Sequence[EvalResult]) -> list[EvalResult]:
    return list(
        {(result.benchmark, result.model, result.step, result.fingerprint): result for result in results}.values()
    )
