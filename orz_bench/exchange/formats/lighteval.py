"""lighteval: details_{task}_{time}.parquet (version 0.11 and later: doc, model_response, metric) and
results_{time}.json.
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
from orz_bench.exchange.formats.sample import ForeignSample

_SUITES = (
    "helm",
    "bigbench",
    "harness",
    "leaderboard",
    "lighteval",
    "original",
    "custom",
    "extended",
    "community",
    "multilingual",
)
_NAME = re.compile(r"details_(?P<task>.+?)_\d{4}-\d\d-\d\dT.*\Z")


def read(head: Head) -> Contents | None:
    """Details, or results without answers."""
    if head.container == "object" and head.has("config_general", "results"):
        return _results(head)
    if head.container != "parquet" or not head.has("doc", "model_response", "metric"):
        return None
    rows = list(head.all_rows())
    match = _NAME.fullmatch(head.path.stem)
    task = _task(match["task"]) if match else None
    num = sum(len(row["model_response"].get("text") or ()) for row in rows)
    if num == 0:
        return Contents(what="lighteval details by log-likelihood: no texts", kind="nothing", instead="results_*.json")
    return Contents(
        what=f"lighteval details of {counted(num, 'response')}",
        kind="samples",
        samples=partial(_samples, rows, task=task),
        notes=("no verdict for several samples: the metric is of all of them together",) if num > len(rows) else (),
    )


def _samples(rows: list[dict[str, Any]], *, task: str | None) -> Iterator[ForeignSample]:
    for number, row in cells.numbered(rows):
        doc, response, metric = row["doc"], row["model_response"], row["metric"] or {}
        texts = response.get("text") or [None]
        judged = [name for name, value in metric.items() if cells.verdict_of(value)]
        judge = judged[0] if len(judged) == 1 and len(texts) == 1 else None
        for place, text in enumerate(texts):
            yield ForeignSample(
                row=number,
                place=place,
                completion=cells.text_of(text),
                problem_id=cells.plain(doc.get("id")) or f"row-{number}",
                sample_index=place,
                benchmark=task or cells.plain(doc.get("task_name")),
                question=cells.plain(doc.get("original_query") or doc.get("query")),
                prompt=cells.plain(response.get("input")) if isinstance(response.get("input"), str) else None,
                gold=_gold(doc),
                verdict=cells.verdict_of(metric.get(judge)) if judge else None,
                num_tokens=_num_tokens(response, place, num=len(texts)),
                judge=f"lighteval: {judge}" if judge else "",
                extra={"metric": metric} | cells.rest_of({"specific": doc.get("specific")}, ()),
            )


def _gold(doc: dict[str, Any]) -> str | None:
    index, choices = doc.get("gold_index"), doc.get("choices") or []
    indices = index if isinstance(index, list) else [index]
    if len(indices) == 1 and isinstance(indices[0], int) and 0 <= indices[0] < len(choices):
        return cells.plain(choices[indices[0]])
    return None


def _task(name: str) -> str:
    """The task in `suite|task|shots` or, without suites (0.12), `task|shots`; the separators differ with the version.

    A task may have a colon itself (`mmlu:algebra`), so where colons separate, only a known suite is taken off.
    """
    separator = next((one for one in ("|", "__") if one in name), ":")
    parts = [part for part in name.split(separator) if part]
    while len(parts) > 1 and parts[-1].isdecimal():
        parts.pop()
    if len(parts) > 1 and (separator != ":" or parts[0] in _SUITES):
        parts.pop(0)
    return separator.join(parts)


def _num_tokens(response: dict[str, Any], place: int, *, num: int) -> int | None:
    tokens = response.get("output_tokens")
    is_whole = isinstance(tokens, list) and len(tokens) == num and all(isinstance(one, list) for one in tokens)
    return len(tokens[place]) if is_whole and tokens is not None else None


def _results(head: Head) -> Contents:
    found = head.object
    scores = [
        Score(benchmark=_task(task), metric=metric, value=number)
        for task, values in found["results"].items()
        if isinstance(values, dict) and task != "all"
        for metric, value in values.items()
        if not metric.endswith("_stderr") and (number := cells.number_of(value)) is not None
    ]
    return Contents(
        what=f"lighteval results of {counted(len(found['results'].keys() - {'all'}), 'task')}",
        kind="scores",
        scores=tuple(scores),
        instead="details_*.parquet beside it",
        facts={"model": (found["config_general"] or {}).get("model_name")},
    )


FORMAT = Format(name="lighteval", title="lighteval", read=read)
