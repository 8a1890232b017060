"""The report as one HTML page that opens from disk: no scripts, no network, embedded pictures, all text escaped."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from string import Template

from analysis.report.examples import Example, Response
from analysis.report.finding import Finding
from analysis.report.tables import Table
from orz_bench.errors import counted

_SHOWN_CHARS = 6000


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A figure on the page."""

    name: str
    title: str
    caption: str
    png: bytes
    width_px: int
    """Natural width in CSS pixels; a narrower page shrinks the picture, none enlarges it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSection:
    """The part of the page about one run."""

    name: str
    about: str
    findings: tuple[Finding, ...]
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The content of the page."""

    title: str
    made_from: str
    runs: tuple[RunSection, ...]
    tables: tuple[Table, ...]
    pictures: tuple[Picture, ...]
    left_out: tuple[str, ...]
    """A sentence for each figure that lacks data, and for columns that no figure shows."""


def render(page: Page) -> str:
    """The page as HTML."""
    sections = [f"<h1>{_safe(page.title)}</h1>", f'<p class="soft">{_safe(page.made_from)}</p>', _contents(page)]
    sections += [_summary(run, is_only=len(page.runs) == 1) for run in page.runs]
    sections.append('<h2 id="figures">Figures</h2>')
    sections += [_picture(picture) for picture in page.pictures]
    sections += [_list("Not shown", page.left_out)]
    sections.append('<h2 id="tables">Tables</h2>' if page.tables else "")
    sections += [_table(table) for table in page.tables]
    shown = [run for run in page.runs if run.examples]
    sections.append('<h2 id="responses">Responses before and after</h2>' if shown else "")
    sections += [_example(example, run.name) for run in shown for example in run.examples]
    text = files("analysis.report").joinpath("page.html").read_text(encoding="utf-8")
    return Template(text).substitute(title=_safe(page.title), body="\n".join(part for part in sections if part))


def _safe(text: str) -> str:
    """Escaped, without characters that UTF-8 cannot hold or that a browser acts on (control, text direction)."""
    kept = "".join(char if char in "\n\t" or (char.isprintable() and char != "\ufeff") else "\ufffd" for char in text)
    return escape(kept.encode("utf-8", errors="replace").decode("utf-8"))


def _contents(page: Page) -> str:
    links = [("figures", "Figures"), ("tables", "Tables" if page.tables else "")]
    links.append(("responses", "Responses" if any(run.examples for run in page.runs) else ""))
    return "<nav>" + "".join(f'<a href="#{name}">{text}</a>' for name, text in links if text) + "</nav>"


def _summary(run: RunSection, *, is_only: bool) -> str:
    head = "" if is_only else f"<h2>{_safe(run.name)}</h2>"
    return (
        f'{head}<p class="soft">{_safe(run.about)}</p><div class="answers">{"".join(map(_answer, run.findings))}</div>'
    )


def _answer(finding: Finding) -> str:
    details = "".join(f"<li>{_safe(detail)}</li>" for detail in finding.details)
    return (
        f'<section class="answer {finding.news}"><h3>{_safe(finding.question)}</h3><p>{_safe(finding.headline)}</p>'
        f"{f'<ul>{details}</ul>' if details else ''}</section>"
    )


def _picture(picture: Picture) -> str:
    data = base64.b64encode(picture.png).decode("ascii")
    return (
        f'<figure id="figure-{_safe(picture.name)}"><h3>{_safe(picture.title)}</h3>'
        f'<img alt="{_safe(picture.title)}" width="{picture.width_px}" src="data:image/png;base64,{data}">'
        f"<figcaption>{_safe(picture.caption)}</figcaption></figure>"
    )


def _table(table: Table) -> str:
    head = "".join(f"<th>{_safe(heading)}</th>" for heading in table.headings)
    rows = "".join("<tr>" + "".join(f"<td>{_safe(cell)}</td>" for cell in row) + "</tr>" for row in table.rows)
    note = f"<caption>{_safe(table.note)}</caption>" if table.note else ""
    return (
        f'<h3>{_safe(table.title)}</h3><div class="wide"><table>{note}<thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _example(example: Example, run: str) -> str:
    gold = f' <span class="soft">(gold: {_safe(example.gold)})</span>' if example.gold else ""
    return (
        f"<h3>{_safe(run)}: {_safe(example.title)}</h3><p>{_safe(_cut(example.question))}{gold}</p>"
        f'<div class="pair">{_response(example.before)}{_response(example.after)}</div>'
    )


def _response(response: Response) -> str:
    tokens = f", {counted(response.num_tokens, 'token')}" if response.num_tokens is not None else ""
    head = f"step {response.step}: {_safe(response.verdict)}{tokens}"
    return f'<div><div class="soft">{head}</div><pre>{_safe(_cut(response.text))}</pre></div>'


def _cut(text: str) -> str:
    more = len(text) - _SHOWN_CHARS
    return text if more <= 0 else f"{text[:_SHOWN_CHARS]}\n… ({more:,} more characters)"


def _list(title: str, items: Sequence[str]) -> str:
    if not items:
        return ""
    return f"<h3>{_safe(title)}</h3><ul>" + "".join(f"<li>{_safe(item)}</li>" for item in items) + "</ul>"
