"""Tables that no tool claims: rows with a response, under the names that people use for it, or with a step and numbers.

A row may hold several responses: a list of texts under the response's name, with parallel lists, or a list of
objects (`rollouts`, `samples`, `generations`) with a response each. An object with the columns and the data of a
table, as Weights & Biases exports them, is one; an object of objects has a row for each.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from orz_bench.errors import DataError, counted
from orz_bench.exchange.formats import cells
from orz_bench.exchange.formats.format import Contents, Curve, Format
from orz_bench.exchange.formats.head import Head
from orz_bench.exchange.formats.sample import ForeignSample, Row
from orz_bench.records.curve_tables import PLOTTED, is_step_name
from orz_bench.records.foreign import canonical, flat, run_column, source_columns
from orz_bench.records.foreign_metrics import logged_by, tool_of

_HEAD_ROWS = 50
"""Rows of curves may be sparse: the first ones together have the names."""
_NESTED = ("rollouts", "samples", "generations", "outputs", "responses", "completions")
_SEVERAL = ("responses", "outputs", "generations", "completions", "answers")
"""Names of a list of responses."""
_PARALLEL = ("verdict", "correct", "is_correct", "extracted", "prediction", "pred", "reward", "score")
"""Lists under these names belong to the responses, one value each."""


def read(head: Head) -> Contents | None:
    """Samples, if the first row has a response; curves, if it has a step and numbers."""
    rows = _rows(head)
    first = next(iter(rows), None)
    if not isinstance(first, dict):
        return None
    if has_response(first):
        columns = source_columns(flat(first))
        return Contents(
            what=f"a table of responses ({_size(head)})",
            kind="samples",
            samples=partial(samples_of, head),
            trains=flat(first).get(columns.get("reward", "")) is not None and head.container != "object",
        )
    names = {name for row in _head_rows(head) for name in flat(row)}
    if any(map(is_step_name, names)) or set(PLOTTED) <= names or head.step_column in names:
        names = {name for row in _rows(head) if isinstance(row, dict) for name in flat(row)}
        return Contents(
            what=f"a table of curves{logged_by(names)}",
            kind="curves",
            curves=partial(_curves, head),
            tool=tool_of(names),
        )
    return None


def _head_rows(head: Head) -> Iterator[Row]:
    return (row for row in itertools.islice(_rows(head), _HEAD_ROWS) if isinstance(row, dict))


def _size(head: Head) -> str:
    return head.container if head.container == "parquet" else counted(sum(1 for _ in _rows(head)), "row")


def has_response(row: Row) -> bool:
    """Whether a row has one response or several."""
    return "completion" in source_columns(flat(dict(row))) or any(name in row for name in _NESTED + _SEVERAL)


def _rows(head: Head) -> Iterator[Any]:
    if head.container != "object" or head.is_columnar:
        yield from head.all_rows()
        return
    found = head.object
    if found and all(isinstance(value, dict) for value in found.values()) and has_response(next(iter(found.values()))):
        yield from ({"id": key} | value for key, value in found.items())
    else:
        yield found


def _curves(head: Head) -> Iterator[Curve]:
    for row in _rows(head):
        yield flat(row)


def samples_of(head: Head, *, step: int | None = None, benchmark: str | None = None) -> Iterator[ForeignSample]:
    """The samples of every row. DataError for lists that do not belong together."""
    for number, row in cells.numbered(_rows(head)):
        if not isinstance(row, dict):
            raise DataError(f"{head.path}, row {number}: found a {type(row).__name__}, wanted an object.")
        for place, one in enumerate(_expanded(row, head=head, number=number)):
            sample = replace(_sample(one, where=f"{head.path}, row {number}"), row=number, place=place)
            if sample.question is None and sample.problem_id is None and head.container == "object":
                sample = replace(sample, problem_id=f"response-{place}")  # one list of answers to as many questions
            yield sample if step is None else replace(sample, step=step, benchmark=benchmark)


def _expanded(row: Row, *, head: Head, number: int) -> list[Row]:
    """A row for each response."""
    for name in _NESTED:
        inner = row.get(name)
        if (
            isinstance(inner, list)
            and inner
            and all(isinstance(each, Mapping) and not _is_turn(each) for each in inner)
        ):
            outer = {key: value for key, value in row.items() if key != name}
            return [outer | _named(each) for each in inner]
    flattened = flat(dict(row))
    several = next((each for each in _SEVERAL if each in row), None)
    response = source_columns(flattened).get("completion", several)
    texts = flattened.get(response) if response is not None else None
    if not isinstance(texts, list) or not texts or cells.is_messages(texts) or _are_parts(texts):
        return [flattened]
    parallel = {
        key: values for key, values in flattened.items() if isinstance(values, list) and len(values) == len(texts)
    }
    lengths = {key: len(values) for key, values in flattened.items() if key in _PARALLEL and isinstance(values, list)}
    wrong = [key for key, length in lengths.items() if length != len(texts)]
    if wrong:
        raise DataError(
            f"{head.path}, row {number}: {counted(len(texts), 'text')} in {response}, but "
            f"{counted(lengths[wrong[0]], 'value')} in {wrong[0]}; the lists belong together, so restore the row."
        )
    outer = {key: value for key, value in flattened.items() if key not in parallel and key != response}
    return [
        outer | {key: values[place] for key, values in parallel.items() if key != response} | {"completion": text}
        for place, text in enumerate(texts)
    ]


def _is_turn(value: Mapping[str, Any]) -> bool:
    return "role" in value


def _are_parts(texts: list[Any]) -> bool:
    return all(isinstance(part, Mapping) and "type" in part for part in texts)


def _named(inner: Mapping[str, Any]) -> dict[str, Any]:
    """An object with a response under `text`, where it has none of the other names."""
    found = dict(inner)
    if "completion" not in source_columns(found) and "text" in found:
        found["completion"] = found.pop("text")
    return found


def _sample(row: Row, *, where: str) -> ForeignSample:
    columns = source_columns(row)
    messages: dict[str, Any] = {}
    texts = dict(row)
    for name in ("completion", "question"):
        theirs = columns.get(name)
        if theirs is not None and isinstance(row[theirs], list | dict):
            found = row[theirs]
            if cells.is_messages(found) and len(found) > 1:
                messages[theirs] = found
            texts[theirs] = (
                cells.asked_in(found) if name == "question" and cells.is_messages(found) else cells.text_of(found)
            )
    ours = canonical(texts)
    column = run_column(dict(row))
    asked = columns.get("question")
    return ForeignSample(
        row=0,
        completion=ours["completion"] if texts.get(columns.get("completion", "")) is not None else None,
        problem_id=ours.get("problem_id") if "problem_id" in columns else None,
        sample_index=cells.whole_in(ours.get("sample_index"), "sample_index", where=where),
        benchmark=ours.get("benchmark"),
        step=cells.whole_in(ours.get("step"), "step", where=where),
        question=ours.get("question"),
        prompt=ours.get("question") if asked == "prompt" else None,
        gold=ours.get("gold"),
        extracted=cells.plain(ours.get("extracted")),
        verdict=ours.get("verdict") if "verdict" in columns else None,
        reward=cells.number_in(ours.get("reward"), where=where),
        num_tokens=cells.whole_in(ours.get("num_tokens"), "num_tokens", where=where),
        stop_reason=ours.get("stop_reason"),
        run=str(row[column]) if column not in (None, "model") else None,
        extra={name: value for name, value in row.items() if name not in columns.values() and value is not None}
        | messages,
    )


FORMAT = Format(name="jsonl", title="a table", read=read)
