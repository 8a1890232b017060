"""lm-eval: samples_{task}_{time}.jsonl and results_{time}.json, versions 0.4 and the list-shaped ones before.

There is one row per filter, so a document occurs once for each (strict-match, flexible-extract): filters are
extractors, and the first two become the extractor and the second extractor of one sample. `resps` holds the repeats
of a request. Rows of multiple choice hold log-likelihoods and no text: they are no responses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

from orz_bench.errors import counted
from orz_bench.exchange.formats import cells
from orz_bench.exchange.formats.format import Contents, Format, Score
from orz_bench.exchange.formats.head import Head
from orz_bench.exchange.formats.orz import KIND
from orz_bench.exchange.formats.sample import ForeignSample
from orz_bench.exchange.logs import values
from orz_bench.records.tables import parse_json

_NAME = re.compile(r"(?:samples)?_(?P<task>.+?)(?:_\d{4}-\d\d-\d\dT.*)?\Z")
_KNOWN = (
    "doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics", "doc_hash", "prompt_hash",
    "target_hash",
)  # fmt: skip
_QUESTIONS = ("question", "problem", "Problem", "query", "prompt", "input")


def read(head: Head) -> Contents | None:
    """Samples, or results without answers."""
    if head.container == "object" and head.has("results", "configs", "versions"):
        return _results(head)
    if head.container not in ("lines", "list") or not head.has("doc_id", "doc", "resps"):
        return None
    rows = list(head.all_rows())
    task = _task(head)
    if all(_is_likelihood(row) for row in rows):
        return Contents(
            what=f"lm-eval samples of {counted(len(rows), 'question')} answered by log-likelihood: they hold no text",
            kind="nothing",
            instead="results_*.json beside it, which has the scores",
        )
    documents: dict[Any, list[tuple[int, dict[str, Any]]]] = {}
    for number, row in enumerate(rows, start=1):
        documents.setdefault(row["doc_id"], []).append((number, row))
    filters = list(dict.fromkeys(str(row.get("filter", "none")) for row in rows))
    repeats = max(len(_texts(row)) for row in rows)
    notes = [] if len(filters) < 2 else [f"extractors: {filters[0]}, second {filters[1]}" + _left_out(filters[2:])]
    if repeats > 1 and not _ours(rows[0]):
        notes.append("no verdict for repeated samples: lm-eval scores only what its filter makes of them together")
    return Contents(
        what=f"lm-eval samples of {counted(len(documents), 'question')} of {task}",
        kind="samples",
        samples=partial(_samples, documents, filters=filters, task=task),
        trains=isinstance(rows[0]["doc"], dict) and (rows[0]["doc"].get("orz") or {}).get(KIND) == "rollouts",
        notes=tuple(notes),
    )


def _ours(row: dict[str, Any]) -> list[dict[str, Any]]:
    """Columns that our export keeps of each sample; empty in files of lm-eval itself."""
    found = row["doc"].get("orz") if isinstance(row["doc"], dict) else None
    samples = found.get("samples") if isinstance(found, dict) else None
    return [one for one in samples if isinstance(one, dict)] if isinstance(samples, list) else []


def _others(doc: Any) -> Any:
    return {name: value for name, value in doc.items() if name != "orz"} if isinstance(doc, dict) else doc


def _left_out(names: list[str]) -> str:
    return f"; left out: {', '.join(names)}" if names else ""


def _task(head: Head) -> str:
    match = _NAME.fullmatch(head.path.stem)
    return match["task"] if match else head.path.stem


def _is_likelihood(row: dict[str, Any]) -> bool:
    """Whether its responses are pairs of a number and a flag, or numbers alone; since 0.4 both are written as text."""
    first, inner = row["resps"], None
    while isinstance(first, list) and first:
        first, inner = first[0], first
    if not isinstance(first, str):
        return True
    is_pair = inner is not None and len(inner) == 2 and inner[1] in ("True", "False")
    return values.number(first) is not None and (is_pair or not _generates(row.get("arguments")))


def _generates(arguments: Any) -> bool:
    """Whether the requests ask for a text: then the prompt is followed by settings of generation."""
    requests = arguments.values() if isinstance(arguments, dict) else arguments if isinstance(arguments, list) else ()
    parts = (one.values() if isinstance(one, dict) else one if isinstance(one, list) else () for one in requests)
    return any(isinstance(part, dict) for one in parts for part in one)


def _texts(row: dict[str, Any]) -> list[Any]:
    """The repeats of the first request."""
    first = row["resps"][0] if row["resps"] else []
    return first if isinstance(first, list) else [first]


def _samples(
    documents: dict[Any, list[tuple[int, dict[str, Any]]]], *, filters: list[str], task: str
) -> Iterator[ForeignSample]:
    for doc_id, found in documents.items():
        number, row = found[0]
        by_filter = {str(each.get("filter", "none")): each for _, each in found}
        second = by_filter.get(filters[1]) if len(filters) > 1 else None
        first = by_filter.get(filters[0], row)
        texts = _texts(row)
        prompt = _prompt(row.get("arguments"))
        ours = _ours(row)
        for place, text in enumerate(texts):
            is_judged = len(texts) == 1
            metric, value = _judged(first) if is_judged else ("", None)
            yield ForeignSample(
                row=number,
                place=place,
                completion=cells.text_of(text),
                problem_id=str(doc_id),
                sample_index=place,
                benchmark=task,
                question=_question(row["doc"]) or prompt,
                prompt=prompt,
                gold=cells.plain(row.get("target")),
                extracted=_extracted(first) if is_judged else None,
                verdict=value,
                judge=f"lm-eval: {metric}, {filters[0]}" if metric else "",
                second_extractor=filters[1] if second is not None and is_judged else None,
                second_extracted=_extracted(second) if second is not None and is_judged else None,
                second_verdict=_judged(second)[1] if second is not None and is_judged else None,
                extra=cells.rest_of(row, (*_KNOWN, metric)) | {"doc": _others(row["doc"])},
                columns=ours[place] if len(ours) == len(texts) else {},
            )


def _judged(row: dict[str, Any]) -> tuple[str, Any]:
    """The first metric that is 0 or 1, and its verdict."""
    names = row.get("metrics") or [name for name in row if name not in _KNOWN]
    verdicts = ((name, cells.verdict_of(row.get(name))) for name in names)
    return next(((name, verdict) for name, verdict in verdicts if verdict), ("", None))


def _extracted(row: dict[str, Any]) -> str | None:
    found = row.get("filtered_resps")
    text = cells.plain(found[0] if isinstance(found, list) and found else found)
    return None if text in (None, "[invalid]") else text


def _question(doc: Any) -> str | None:
    return next((cells.plain(doc[name]) for name in _QUESTIONS if name in doc), None) if isinstance(doc, dict) else None


def _prompt(arguments: Any) -> str | None:
    """The text of the first request: in gen_args_0 as arg_0, or first in nested lists; messages as JSON text."""
    if isinstance(arguments, dict):
        first = next(iter(arguments.values()), None)
        return _prompt(first.get("arg_0") if isinstance(first, dict) else first)
    while isinstance(arguments, list) and arguments:
        arguments = arguments[0]
    if not isinstance(arguments, str):
        return None
    try:
        messages = parse_json(arguments, strict=False) if arguments.startswith('[{"role"') else None
    except ValueError:
        messages = None
    return cells.asked_in(messages) if isinstance(messages, list) else arguments


def _results(head: Head) -> Contents:
    found = head.object
    scores = []
    for task, figures in found["results"].items():
        for name, value in figures.items():
            metric, _, of_filter = name.partition(",")
            figure = cells.number_of(value)
            if figure is not None and not metric.endswith("_stderr") and metric not in ("alias", "sample_len"):
                label = metric if of_filter in ("", "none") else f"{metric}, {of_filter}"
                num = found.get("n-samples", {}).get(task, {}).get("effective")
                scores.append(Score(benchmark=task, metric=label, value=figure, num=num))
    return Contents(
        what=f"lm-eval results of {counted(len(found['results']), 'task')}",
        kind="scores",
        scores=tuple(scores),
        instead="samples_*.jsonl beside it (--log_samples)",
        facts={"model": found.get("model_name")},
    )


FORMAT = Format(name="lm-eval", title="lm-eval", read=read)
