"""The data card as one HTML page that opens from disk: no script, no network, every text escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from orz_bench.records.curated import stages_in
from orz_bench.results.flow_picture import flow

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #5b6570; --line: #d8dee4; --page: #fff; --kept: #2f6fb2;
  --gone: #c2571a; --all: #c9d1d9 }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ed; --soft: #9aa5b1; --line: #363d46; --page: #15181c;
  --kept: #6aa5e0; --gone: #f0924f; --all: #4a535e } }
* { box-sizing: border-box }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); max-width: 76rem;
  margin: 0 auto; padding: 2rem 1rem }
h1 { font-size: 1.6rem; margin: 0 0 .25rem } h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem }
.soft, small { color: var(--soft) } .wide { overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: right; vertical-align: top }
th { font-weight: 600 } .left { text-align: left } code { overflow-wrap: anywhere }
.text { white-space: pre-wrap; overflow-wrap: anywhere; text-align: left; min-width: 18rem; max-width: 34rem;
  font-size: .9rem }
.bars { text-align: left; white-space: nowrap; font-size: 0 } th .bars { font-size: 1rem }
.bar { display: inline-block; height: .7rem; background: var(--kept) } .bar.all { background: var(--all) }
details { margin: .5rem 0 } summary { cursor: pointer } svg text { fill: var(--ink); font-size: 13px }
"""
_SHOWN_PAIRS = 200


def page(card: Mapping[str, Any]) -> str:
    """The page of a card."""
    body = [
        "<h1>Data card</h1>",
        f'<p class="soft">{card["num_kept"]:,} of {card["num_rows"]:,} rows are kept; seed {card["seed"]}. Every '
        f"row's fate is in fates.parquet, every pair in pairs.parquet.</p>",
        "<h2>From the sources to the training file</h2>",
        f'<div class="wide">{flow(stages_in(card))}</div>',
        _stages(card["stages"]),
        "<h2>Sources</h2>",
        _sources(card["sources"]),
        "<h2>Reasons</h2>",
        _reasons(card["stages"]),
        _changes(card["changes"]),
        "<h2>Lengths of questions</h2>",
        _lengths(card["lengths"]),
        *_values(card["values"]),
        "<h2>Benchmarks</h2>",
        _benchmarks(card["plan"]["benchmarks"]),
        _pairs("Overlap with benchmarks", card["contamination"]),
        _pairs("Similar rows", card["near_duplicates"]),
        _pairs("Equal rows", card["duplicates"]),
        "<h2>Examples</h2>",
        *(_examples(name, found) for name, found in card["examples"].items()),
        "<h2>Hashes and settings</h2>",
        _facts(card),
    ]
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Data card</title>'
    head += f"<style>{_STYLE}</style>"
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(body)}</body></html>\n'


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> str:
    """Cells are HTML already; the first `left` columns hold words."""

    def cells(tag: str, texts: Sequence[str]) -> str:
        return "".join(f"<{tag}{' class=left' if n < left else ''}>{text}</{tag}>" for n, text in enumerate(texts))

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return (
        f'<div class="wide"><table><thead><tr>{cells("th", headings)}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _stages(stages: Sequence[Mapping[str, Any]]) -> str:
    sources = list(stages[0]["by_source"])
    rows = [
        [
            escape(stage["name"]),
            f"{stage['in']:,}",
            f"{stage['in'] - stage['kept']:,}",
            f"{stage['kept']:,}",
            *(f"{stage['by_source'].get(source, {}).get('kept', 0):,}" for source in sources),
        ]
        for stage in stages
    ]
    return _table(["stage", "in", "dropped", "kept", *(f"kept of {escape(source)}" for source in sources)], rows)


def _sources(sources: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [
            escape(each["name"]),
            f"<code>{escape(each['path'])}</code>",
            escape(each["licence"]),
            f"<code>{each['sha256']}</code>",
            f"{each['rows']:,}",
            f"{each['kept']:,}",
        ]
        for each in sources
    ]
    return _table(["source", "path", "licence", "SHA-256", "rows", "kept"], rows, left=4)


def _reasons(stages: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [escape(stage["name"]), escape(reason), f"{count:,}"]
        for stage in stages
        for reason, count in stage["reasons"].items()
    ]
    return _table(["stage", "reason", "rows"], rows, left=2) if rows else "<p>No row was dropped.</p>"


def _changes(changes: Mapping[str, int]) -> str:
    if not changes:
        return ""
    return (
        f"<p>Spelling changed: {', '.join(f'{escape(what)} in {rows:,} rows' for what, rows in changes.items())}.</p>"
    )


def _lengths(lengths: Mapping[str, Any]) -> str:
    limits = lengths["at_most_chars"]
    names = [f"up to {limit:,}" if limit is not None else f"above {limits[-2]:,}" for limit in limits]
    whole, kept = (dict(zip(names, lengths[which], strict=True)) for which in ("all", "kept"))
    return _bars("characters", whole, kept=kept)


def _values(values: Mapping[str, Any]) -> Iterable[str]:
    for column, found in values.items():
        yield f"<h2>Values of {escape(column)}, numbers rounded down</h2>"
        yield _bars(column, found["all"], kept=found["kept"])


def _bars(name: str, whole: Mapping[str, int], *, kept: Mapping[str, int]) -> str:
    most = max([*whole.values(), 1])
    rows = [
        [
            escape(label),
            f"{count:,}",
            f"{kept.get(label, 0):,}",
            f'<div class="bars"><span class="bar" style="width:{20 * kept.get(label, 0) / most:.2f}rem"></span>'
            f'<span class="bar all" style="width:{20 * (count - kept.get(label, 0)) / most:.2f}rem"></span></div>',
        ]
        for label, count in whole.items()
    ]
    return _table([escape(name), "rows", "kept", "<div class=bars>kept, dropped</div>"], rows)


def _benchmarks(benchmarks: Mapping[str, str]) -> str:
    if not benchmarks:
        return "<p>Not compared with any benchmark.</p>"
    rows = [[escape(name), f"<code>{digest}</code>"] for name, digest in benchmarks.items()]
    return _table(["compared with", "hash of its data"], rows, left=2)


def _pairs(title: str, found: Mapping[str, Any]) -> str:
    counts = ", ".join(f"{escape(verdict)} {count:,}" for verdict, count in found["counts"].items()) or "none"
    shown = found["pairs"][:_SHOWN_PAIRS]
    rows = [
        [
            f"{escape(pair['verdict'])}<br><small>{escape(pair['method'])} {pair['similarity']:.2f}</small>",
            _side(pair["source"], pair["id"], text=pair["question"], answer=pair["answer"]),
            _side(pair["other_source"], pair["other_id"], text=pair["other_question"], answer=pair["other_answer"]),
        ]
        for pair in shown
    ]
    table = _table(["verdict", "row", "like"], rows, left=3) if rows else ""
    return (
        f"<h2>{title}</h2><p>{counts}</p><details><summary>{len(shown):,} of {found['num_pairs']:,} pairs</summary>"
        f"{table}</details>"
    )


def _side(source: str, id_: str, *, text: str, answer: str) -> str:
    return (
        f'<div class="text"><small>{escape(source)} · {escape(id_)}</small>\n{escape(text)}\n'
        f"<small>answer</small> {escape(answer[:300])}</div>"
    )


def _examples(name: str, found: Sequence[Mapping[str, str]]) -> str:
    rows = [
        [
            _side(each["source"], f"{each['id']} · {each['row']}", text=each["question"], answer=each["answer"]),
            f'<div class="text">{escape(each["evidence"]) if each["evidence"] != "{}" else ""}</div>',
        ]
        for each in found
    ]
    return f"<details><summary>{escape(name)}</summary>{_table(['row', 'evidence'], rows, left=2)}</details>"


def _facts(card: Mapping[str, Any]) -> str:
    rows = [[escape(name), f"<code>{escape(str(digest))}</code>"] for name, digest in card["files"].items()]
    libraries = [[escape(name), escape(str(version))] for name, version in card["plan"]["libraries"].items()]
    settings = "\n".join(_lines(card["plan"]["settings"]))
    return (
        _table(["file", "SHA-256"], rows, left=2)
        + _table(["library", "version"], libraries, left=2)
        + f"<details><summary>settings</summary><pre>{escape(settings)}</pre></details>"
    )


def _lines(value: Any, name: str = "") -> Iterable[str]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _lines(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list) and value:
        for number, inner in enumerate(value):
            yield from _lines(inner, f"{name}.{number}")
    else:
        yield f"{name} = {value}"
