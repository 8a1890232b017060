"""Rows as one HTML page that opens offline: no script, no address, nothing that a text could become.

The page forbids itself everything but its own style sheet, and every text in it is escaped, with characters that hide
or reorder their neighbours made visible. One row in memory at a time.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from app.reader.markup import escape

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
details { border: 1px solid color-mix(in srgb, currentColor 25%, transparent); border-radius: .4rem; margin: .4rem 0; }
summary { padding: .35rem .7rem; cursor: pointer; overflow-wrap: anywhere; }
table { border-collapse: collapse; margin: 0 .7rem .7rem; }
th { text-align: left; font-weight: 600; vertical-align: top; padding: .1rem 1rem .1rem 0; white-space: nowrap; }
td { overflow-wrap: anywhere; }
h3 { margin: .7rem .7rem .2rem; font-size: 1rem; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: 0 .7rem .7rem; padding: .6rem; max-height: 60vh;
  overflow: auto; background: color-mix(in srgb, currentColor 7%, transparent); }
.hidden-char { font-style: normal; outline: 1px dotted; font-size: .8em; }
@media print { details > * { display: block; } pre { max-height: none; } }
"""
_HEAD = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="referrer" content="no-referrer"><meta name="viewport" content="width=device-width">
<title>Exported rows</title><style>{_STYLE}</style></head><body><h1>Exported rows</h1>
"""
_TITLE = ("verdict", "benchmark", "problem_id", "sample_index", "step", "extracted", "gold")
"""Columns in the line of a row that is closed."""
_SHORT_CHARS = 80
_TITLE_CHARS = 40


def html_of(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The page, one closed section for each row; unknown values are left out."""
    head, number = _HEAD, 0
    for number, row in enumerate(rows, start=1):
        known = {name: _text(value) for name, value in row.items() if not _is_unknown(value)}
        short = {name: text for name, text in known.items() if len(text) <= _SHORT_CHARS and "\n" not in text}
        lines = "".join(f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in short.items())
        yield f"{head}<details{' open' if number == 1 else ''}><summary>{number:,}. {_title(row)}</summary>"
        yield f"<table>{lines}</table>"
        for name in [name for name in known if name not in short]:
            yield f'<h3>{escape(name)}</h3><pre tabindex="0">\n{escape(known[name])}</pre>'
        yield "</details>\n"
        head = ""
    yield f"{head}<p>{number:,} rows.</p></body></html>\n"


def _is_unknown(value: Any) -> bool:
    return value is None or (isinstance(value, float) and not math.isfinite(value))


def _title(row: Mapping[str, Any]) -> str:
    """What tells the row from others; in a table without these columns its first values."""
    names = [name for name in _TITLE if row.get(name) is not None] or [name for name in row if row[name] is not None][
        :4
    ]
    parts = [(name.removesuffix("_id").removesuffix("_index"), " ".join(_text(row[name]).split())) for name in names]
    return escape(" · ".join(f"{name} {text[:_TITLE_CHARS]}" for name, text in parts))


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, Mapping | list | tuple) else str(value)
