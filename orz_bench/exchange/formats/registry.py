"""All formats, and which one a file has."""

from __future__ import annotations

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

_MODULES = (
    orz, inspect, evalscope, lm_eval, lighteval, livecodebench, qwen_math, nemo_skills, verifiers, verl, trl, skyrl,
    openrlhf, prime_rl, opencompass, wandb, tensorboard, table,
)  # fmt: skip
FORMATS: Mapping[str, Format] = {module.FORMAT.name: module.FORMAT for module in _MODULES}
"""By name, in the order in which they are tried: a table is what no tool claims."""


def read_file(path: Path, *, named: str | None = None) -> tuple[Format, Contents]:
    """The format of a file, and what it holds. `named`: only this format is tried.

    DataError for a file that is none of them, with what was found in it.
    """
    if named is not None and named not in FORMATS:
        raise ConfigError(f"format {named!r} is unknown{nearest(named, FORMATS)}; there are {', '.join(FORMATS)}.")
    head = Head(path)
    found = recognise(head, [FORMATS[named]] if named is not None else list(FORMATS.values()))
    if found is not None:
        return found
    if named is not None:
        raise DataError(
            f"{path}: found {_found(head)}, which is no file of {FORMATS[named].title}; leave --from out to have it "
            f"recognised, or see docs/importing.md."
        )
    raise DataError(
        f"{path}: found {_found(head)}: none holds a response (completion, response, output, ...) or a step with "
        f"numbers; rename the column that does, or see docs/importing.md for the formats that are recognised."
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


def read_of_tool(path: Path) -> tuple[Format, Contents] | None:
    """The same for a file that a tool wrote; None for a table that no tool claims. DataError if it cannot be read."""
    return recognise(Head(path), [format_ for name, format_ in FORMATS.items() if name not in ("orz", "jsonl")])


def _found(head: Head) -> str:
    fields = head.object if head.container == "object" else head.row
    if not fields:
        return f"{head.container} without fields" if head.container != "text" else "lines of text"
    names = list(map(str, fields))
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return f"the fields {shown}"
