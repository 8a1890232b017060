"""Problems from a user's own table, of any kind of answer: the one reader for benchmarks and for training data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from orz_bench.benchmarks.digests import question_sha256
from orz_bench.benchmarks.own.address import HUB, TableAddress, TableOptions
from orz_bench.benchmarks.own.choices import Choice, choices_of, golds_of, has_options, with_options_shown
from orz_bench.benchmarks.own.columns import (
    ANSWER,
    IDS,
    QUESTION,
    TESTS,
    Table,
    at,
    normal,
    question_text,
    read_each,
    scalar,
)
from orz_bench.benchmarks.own.hub import hub_table
from orz_bench.benchmarks.own.programs import tests_of
from orz_bench.benchmarks.rows import after_hashes
from orz_bench.errors import DataError, RecordError
from orz_bench.records.program_tests import PackedTests
from orz_bench.records.rollout import Problem
from orz_bench.records.tables import read_table

_EXTRA = ("subject", "category", "level", "difficulty", "url", "contest", "answer_type", "unit", "starter_code")
"""Columns that are kept beside the problem."""
_UNUSED: Mapping[str, tuple[str, ...]] = {
    "math": ("options", "num_choices", "gold", "tests"),
    "choice": ("tests",),
    "code": ("answer", "options", "num_choices", "gold"),
}
"""Options that have no effect on a kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnProblems:
    """The problems of a table."""

    problems: tuple[Problem, ...]
    places: tuple[str, ...]
    """Where each stands, such as `line 7`."""
    tests: Mapping[str, PackedTests] = field(default_factory=dict)
    """Of problems that ask for a program, by gold."""


def files_of(address: TableAddress) -> list[Path]:
    """The files of a table, in order. DataError if there are none."""
    if address.place.startswith(HUB):
        return hub_table(address.place)
    path = Path(address.place)
    if not path.is_file():
        what = "a folder" if path.is_dir() else "no such file"
        raise DataError(f"{address.place}: {what}; name a file, or hub:OWNER/NAME for a dataset of the hub.")
    return [path]


def read_own(address: TableAddress, files: Sequence[Path], *, name: str, benchmark: str) -> OwnProblems:
    """The problems of the files of a table; ids are those of the rows, or made of `name` and the position.

    DataError for a column that is missing or could be two, a row without a question or a gold, two rows with one id.
    """
    table = Table.of(address.place, _rows(files))
    options = address.options
    kind = options.kind or "math"
    _refuse_unused(table, options, kind=kind)
    questions = read_each(table, table.require(options.question, QUESTION, option="question"), read=question_text)
    tests: dict[str, PackedTests] = {}
    choices: list[Choice] = [Choice(0)] * len(questions)
    if kind == "code":
        packed = tests_of(table, options)
        tests = {each.digest: each for each in packed}
        golds = [each.digest for each in packed]
    else:
        if kind == "math" and options.kind is None:
            _refuse_other_kinds(table)
        golds = read_each(table, table.require(options.answer, ANSWER, option="answer"), read=scalar)
        golds = [after_hashes(gold) for gold in golds]
    if kind == "choice":
        choices = choices_of(table, options)
        golds = golds_of(table, choices, golds=golds, form=options.gold)
        questions = [with_options_shown(*pair) for pair in zip(questions, choices, strict=True)]
    problems = []
    for number, id_ in enumerate(_ids(table, options, name=name)):
        where, row = table.rows[number]
        try:
            problem = Problem(
                benchmark=benchmark,
                problem_id=id_,
                question=questions[number],
                gold=golds[number],
                kind=kind,
                num_choices=choices[number].num,
                extra={key: row[key] for key in _EXTRA if row.get(key)},
            )
        except RecordError as error:
            raise table.fault(where, error) from error
        problems.append(problem)
    return OwnProblems(problems=tuple(problems), places=tuple(where for where, _ in table.rows), tests=tests)


def refuse_contradictions(own: OwnProblems, *, name: str) -> None:
    """Raise DataError if one question has two golds: no answer could be right for both."""
    first: dict[str, int] = {}
    for number, problem in enumerate(own.problems):
        before = first.setdefault(question_sha256(problem.question), number)
        other = own.problems[before]
        if (other.gold, other.num_choices) != (problem.gold, problem.num_choices):
            raise DataError(
                f"{name}: {own.places[before]} and {own.places[number]} ask the same question "
                f"({problem.question[:60]!r}) with the golds {other.gold!r} and {problem.gold!r}; correct or remove "
                f"one."
            )


def _rows(files: Sequence[Path]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for path in files:
        for where, row in read_table(path):
            place = where if len(files) == 1 else f"{path.name}, {where}"
            if isinstance(row, Mapping):
                yield place, row
                continue
            try:
                yield place, from_conversation(row)
            except DataError as error:
                raise DataError(f"{path}, {where}: {error}. Fix or remove this row.") from error


def from_conversation(turns: list[Any]) -> dict[str, Any]:
    """A row of the published Open-Reasoner-Zero files."""
    try:
        question, answer = turns
        return {"problem": question["value"], "answer": answer["ground_truth"]["value"]}
    except (ValueError, KeyError, TypeError) as error:
        raise DataError("wanted two turns, a question with 'value' and an answer with 'ground_truth'") from error


def _ids(table: Table, options: TableOptions, *, name: str) -> list[str]:
    columns = [column for wanted in IDS for column in table.columns if normal(column) == wanted]
    columns = [table.named(options.id, option="id")] if options.id else columns
    seen: dict[str, str] = {}
    for number, (where, row) in enumerate(table.rows):
        values = (at(row, column) for column in columns)
        given = next((str(v).strip() for v in values if isinstance(v, str | int) and str(v).strip()), None)
        id_ = given or f"{name}-{number}"
        if id_ in seen:
            raise DataError(
                f"{table.name}: duplicate id {id_!r} in {seen[id_]} and {where}; every problem needs its own id."
            )
        seen[id_] = where
    return list(seen)


def _refuse_unused(table: Table, options: TableOptions, *, kind: str) -> None:
    given = [name for name in _UNUSED[kind] if getattr(options, name) is not None]
    if given:
        raise DataError(f"{table.name}: {given[0]} has no effect on kind={kind}; leave it out, or give another kind.")


def _refuse_other_kinds(table: Table) -> None:
    """Raise DataError for a table that looks like another kind than mathematics, where no kind is said."""
    kinds = []
    if has_options(table):
        kinds.append("choice")
    elif any(normal(column) in (*TESTS, "public_test_cases") for column in table.columns):
        kinds.append("code")
    for kind in kinds:
        raise DataError(
            f"{table.name}: its columns ({table.shown}) look like kind={kind}, and none is given; say which behind the "
            f"table: {table.example('kind', kind)}, or kind=math to compare answers as mathematics."
        )


def with_benchmark(own: OwnProblems, name: str) -> list[Problem]:
    """The problems under the name of their benchmark."""
    return [replace(problem, benchmark=name) for problem in own.problems]
