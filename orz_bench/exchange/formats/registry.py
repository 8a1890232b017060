"""All formats, and which one a file has."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from orz_bench.errors import ConfigError, DataError, nearest
from orz_bench.exchange.formats import (
    evalscope,
    inspect,
    lighteval,
    livecodebench,
    lm_eval,
    nemo_skills,
    opencompass,
    openrlhf,
    orz,
    prime_rl,
    qwen_math,
    skyrl,
    table,
    tensorboard,
    trl,
    verifiers,
    verl,
    wandb,
)
from orz_bench.exchange.formats.format import Contents, Format
from orz_bench.exchange.formats.head import Head
from orz_bench.exchange.formats.sample import ForeignSample
from orz_bench.records.tables import SUFFIXES, read_table

_MODULES = (
    orz, inspect, evalscope, lm_eval, lighteval, livecodebench, qwen_math, nemo_skills, verifiers, verl, trl, skyrl,
    openrlhf, prime_rl, opencompass, wandb, tensorboard, table,
)  # fmt: skip
FORMATS: Mapping[str, Format] = {module.FORMAT.name: module.FORMAT for module in _MODULES}
"""By name, in the order in which they are tried: a table is what no tool claims."""


class UnrecognisedError(DataError):
    """A file that can be read and is of no format."""


def read_file(path: Path, *, named: str | None = None, step_column: str | None = None) -> tuple[Format, Contents]:
    """The format of a file, and what it holds. `named`: only this format is tried.

    `step_column`: the column with the step, for a table. UnrecognisedError for a file that is none of them, with what
    was found in it.
    """
    if named is not None and named not in FORMATS:
        raise ConfigError(f"format {named!r} is unknown{nearest(named, FORMATS)}; there are {', '.join(FORMATS)}.")
    head = Head(path, step_column)
    found = recognise(head, [FORMATS[named]] if named is not None else list(FORMATS.values()))
    if found is not None:
        return found
    if named is not None:
        raise UnrecognisedError(
            f"{path}: found {_found(head)}, which is no file of {FORMATS[named].title}; leave --from out to have it "
            f"recognised, or see docs/importing.md."
        )
    _require_table(head)
    raise UnrecognisedError(
        f"{path}: found {_found(head)}: neither responses (a column completion, response, output, ...) nor curves (a "
        f"column step and numbers); rename the columns, or name the step with --step-column. Of scores or settings "
        f"alone nothing can be imported: name the answers behind them (formats: docs/importing.md)."
    )


def recognise(head: Head, formats: Sequence[Format]) -> tuple[Format, Contents] | None:
    """The first of the formats that a file has, and what it holds."""
    for format_ in formats:
        with _shape(head, format_, where="its values"):
            contents = format_.read(head)
        if contents is not None:
            found = contents.samples
            samples = partial(_whole_rows, head, format_, samples=found) if found is not None else None
            return format_, replace(contents, samples=samples)
    return None


@contextmanager
def _shape(head: Head, format_: Format, *, where: str) -> Iterator[None]:
    """Values of another kind than the tool writes are the file's fault: DataError instead of whatever they cause."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, IndexError, ValueError, OverflowError) as error:
        raise DataError(
            f"{head.path}: begins like a file of {format_.title}, but {where} are not what it writes "
            f"({type(error).__name__}: {str(error)[:100]}); restore it, or name its format with --from."
        ) from error


def _whole_rows(
    head: Head, format_: Format, *, samples: Callable[[], Iterator[ForeignSample]]
) -> Iterator[ForeignSample]:
    last = 0
    found = samples()
    while True:
        with _shape(head, format_, where=f"values behind row {last}"):
            sample = next(found, None)
        if sample is None:
            return
        last = sample.row
        yield sample


def _require_table(head: Head) -> None:
    """DataError where a file is called as a table and is none, with what is wrong with it."""
    if head.container in ("text", "list") and head.path.suffix.lower() in SUFFIXES:
        for where, row in itertools.islice(read_table(head.path, strict=False), 1):
            if not isinstance(row, dict):
                raise DataError(f"{head.path}, {where}: found a {type(row).__name__}, wanted an array of objects.")


def _found(head: Head) -> str:
    fields = head.object if head.container == "object" else head.row
    if not fields:
        return f"{head.container} without fields" if head.container != "text" else "lines of text"
    names = list(map(str, fields))
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return f"the fields {shown}"
