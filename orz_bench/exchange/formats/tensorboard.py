"""TensorBoard: event files of any program, and the CSV and JSON files that its page offers for download.

Tags are a tool's own names: a tool is recognised by tags that no other one uses. Where none is, nothing is known of
resumed trainings, so two files that contradict each other are refused. A downloaded file has one tag, in its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from orz_bench.errors import counted
from orz_bench.exchange.formats.format import Contents, Curve, Format, LogFile
from orz_bench.exchange.formats.head import Head
from orz_bench.exchange.logs.event_files import line_of, scalars
from orz_bench.exchange.logs.line import Line
from orz_bench.records.foreign_metrics import TABLE, logged_by, tool_of

_DOWNLOADED = ("Wall time", "Step", "Value")
_TAG = re.compile(r"(?:run-(?P<run>.*?)-)?tag-(?P<tag>.+)\Z")


def read(head: Head) -> Contents | None:
    """Event files, and downloaded curves."""
    if head.container == "events":
        return _events(head)
    if head.container == "csv" and head.has(*_DOWNLOADED):
        tag = _tag(head)
        return Contents(what=f"a curve of {tag} from TensorBoard", kind="curves", curves=partial(_csv, head, tag))
    if head.container == "list" and _is_points(head.document):
        tag = _tag(head)
        return Contents(what=f"a curve of {tag} from TensorBoard", kind="curves", curves=partial(_json, head, tag))
    return None


def _events(head: Head) -> Contents:
    content = bytearray(head.path.read_bytes())
    lines = [line_of(scalar) for scalar in scalars(content)]
    tags = {name for line in lines for name in line.values}
    rest = (f"its last {counted(len(content), 'byte')} are not a whole record: left out",) if content else ()
    if not lines:
        found = "no scalars" if not content else "no whole record"
        return Contents(
            what=f"TensorBoard's events with {found}", kind="nothing", instead="another events.out.tfevents.*"
        )
    tool = tool_of(tags)
    log = LogFile(
        lines=partial(_lines, lines, is_known=tool != TABLE),
        key=head.path.parent,
        kind="events",
        is_rounded=True,
        has_whole_steps=False,
        is_of_one_training=tool != TABLE,
    )
    return Contents(
        what=f"TensorBoard's events{logged_by(tags)} with {counted(len(tags), 'curve')}",
        kind="curves",
        log=log,
        tool=tool,
        notes=rest,
    )


def _lines(lines: list[Line], *, is_known: bool) -> Iterator[Line]:
    """Programs that are not known may count the steps of each tag for itself: then no step goes back."""
    for line in lines:
        yield line if is_known else Line(line.step, line.values, is_side=True)


def _tag(head: Head) -> str:
    match = _TAG.fullmatch(head.path.stem)
    return match["tag"] if match else head.path.stem


def _csv(head: Head, tag: str) -> Iterator[Curve]:
    for row in head.all_rows():
        yield {"step": row.get("Step"), tag: row.get("Value")}


def _is_points(document: object) -> bool:
    """[[wall time, step, value], ...]"""
    return (
        isinstance(document, list)
        and bool(document)
        and all(isinstance(one, list) and len(one) == 3 and not isinstance(one[0], str) for one in document)
    )


def _json(head: Head, tag: str) -> Iterator[Curve]:
    for _, step, value in head.document:
        yield {"step": step, tag: value}


FORMAT = Format(name="tensorboard", title="TensorBoard", read=read)
