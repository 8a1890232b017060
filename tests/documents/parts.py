"""Parts of pages that are written from the code: `python -m tests.documents.parts` writes them, a guard compares.

A part stands between `<!-- from the code: NAME -->` and `<!-- end -->`; PARTS says what each holds.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from orz_bench.asking.protocol import ORZ_STOP, PROTOCOLS, Protocol
from orz_bench.benchmarks.registry import all_benchmarks
from orz_bench.extraction.rules import EXTRACTOR_NAMES, RULES
from orz_bench.records import summary
from orz_bench.records.summary import EvalResult
from orz_bench.results.model_data import known_models
from tests.documents.numbers import RECORDS, filled, record
from tests.guards.tree import PROJECT

_PART = re.compile(r"(<!-- from the code: ([a-z-]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |\n" for line in lines)


def documented_fields(kind: type[Any]) -> dict[str, str]:
    """The text below each field of a dataclass that has one."""
    found = {}
    body = next(
        node.body
        for node in ast.parse(inspect.getsource(summary)).body
        if isinstance(node, ast.ClassDef) and node.name == kind.__name__
    )
    for node, after in pairwise(body):
        is_text = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and is_text:
            found[node.target.id] = " ".join(str(after.value.value).split())  # type: ignore[attr-defined]
    return found


def _result_fields() -> str:
    texts = documented_fields(EvalResult)
    return table(
        ("field", "meaning"), ((f"`{f.name}`", texts[f.name]) for f in fields(EvalResult) if f.name != "summary")
    )


def _protocols() -> str:
    rows = (
        (f"`{one.name}`", f"`{one.template}`", _sampling(one), str(one.n), f"`{one.extractor}`", one.source)
        for one in PROTOCOLS.values()
    )
    return table(("`--protocol`", "template", "sampling", "n", "extractor", "source"), rows)


def _sampling(protocol: Protocol) -> str:
    sampling = protocol.sampling
    if protocol.extractor == "likelihood":
        return "none"
    parts = [f"T {sampling.temperature:g}"]
    parts += [f"top_p {sampling.top_p:g}"] if sampling.temperature else []
    parts += [f"{sampling.max_tokens:,} tokens"]
    if sampling.stop:
        parts += [
            "ORZ's stop strings" if sampling.stop == ORZ_STOP else f"stop {', '.join(f'`{s}`' for s in sampling.stop)}"
        ]
    return ", ".join(parts)


def _extractors() -> str:
    return table(("extractor", "reads", "the answer"), ((f"`{name}`", *RULES[name]) for name in EXTRACTOR_NAMES))


def _dates() -> str:
    dated = [(name, one.dates) for name, one in all_benchmarks().items() if one.dates is not None]
    rows = ((f"`{name}`", dates.shown, dates.source) for name, dates in sorted(dated, key=lambda item: item[1].last))
    return table(("`--bench`", "questions public", "source"), rows)


def _model_data() -> str:
    found = ((f"{one.owner}/{one.names.pattern}", one.data) for one in known_models())
    rows = ((f"`{name}`", str(data.until or "not stated"), str(data.released), data.source) for name, data in found)
    return table(("models (a pattern)", "data until", "released", "source"), rows)


def _figures() -> str:
    found = yaml.safe_load(Path(__file__).with_name("figures.yaml").read_text(encoding="utf-8"))
    return table(("measurement", "result"), ((filled(what), filled(result)) for what, result in found))


def _script_of(record_name: str) -> str:
    """The script of a record: of its name, or the one whose text has it behind --name; else that of the curves."""
    scripts = sorted((PROJECT / "benchmarks").glob("*.py"))
    named = [one.name for one in scripts if f"--name {record_name}" in one.read_text(encoding="utf-8")]
    return next((one.name for one in scripts if one.stem == record_name), None) or (named or ["training_curves.py"])[0]


def _records() -> str:
    rows = []
    for path in sorted(RECORDS.glob("*.json")):
        context = record(path.stem).get("context", {})
        where = f"{context['cores']} cores, Python {context['python']}" if context else "–"
        rows.append((f"`{path.name}`", f"`benchmarks/{_script_of(path.stem)}`", context.get("date", "–"), where))
    return table(("record", "made by", "on", "machine"), rows)


def _demo() -> str:
    """What `make demo` printed, without the lines of single steps and notices."""
    printed: list[str] = record("tiny_demo")["printed"]
    first = next(number for number, line in enumerate(printed) if re.match(r" +step 1 +step 40$", line))
    steps = printed[first : first + 5]
    start = next(number for number, line in enumerate(printed) if line.startswith("model  step"))
    rows = [line for line in printed[start + 1 :] if line.startswith(("demo", " "))]
    shown = [printed[start], *rows[: len(rows)]]
    return "```\n" + "\n".join([*steps, "", *shown]) + "\n```\n"


PARTS: Mapping[str, Callable[[], str]] = {
    "dates": _dates,
    "demo": _demo,
    "extractors": _extractors,
    "figures": _figures,
    "model-data": _model_data,
    "protocols": _protocols,
    "records": _records,
    "result-fields": _result_fields,
}


def pages() -> list[Path]:
    """Every page that may have parts."""
    return [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]


def with_parts(text: str) -> str:
    """The page with the parts of today's code."""
    return _PART.sub(lambda part: f"{part[1]}{PARTS[part[2]]()}{part[4]}", text)


def main() -> None:
    """Write all parts."""
    for page in pages():
        text = page.read_text(encoding="utf-8")
        if (new := with_parts(text)) != text:
            page.write_text(new, encoding="utf-8")
            print(json.dumps(str(page.relative_to(PROJECT))))


if __name__ == "__main__":
    main()
