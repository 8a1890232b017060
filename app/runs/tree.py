"""The tree of runs: which run was made from which, as lines of text; runs that belong to no tree are left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.runs.folder import RunEntry

MOST_LINES = 200


@dataclass(frozen=True, slots=True)
class Line:
    """A run in the tree."""

    branch: str
    """What is drawn before its name."""
    name: str
    """Its name for people; of a parent that is not in the folder, that of its folder then."""
    told: str
    """Where it comes from; empty for the root of a tree."""


def tree_of(entries: Sequence[RunEntry]) -> list[Line]:
    """The runs that have a parent or a child, parents first, each above those that were made from it."""
    parents = {entry.name: parent for entry in entries if (parent := _parent_of(entry, entries)) is not None}
    children: dict[str, list[RunEntry]] = {}
    for entry in entries:
        if entry.name in parents:
            children.setdefault(parents[entry.name], []).append(entry)
    titles = {entry.name: entry.title for entry in entries}
    roots = [entry.name for entry in entries if entry.name in children and entry.name not in parents]
    roots += [name for name in children if name not in titles]  # parents that are not here
    lines: list[Line] = []
    for root in roots:
        lines.append(Line("", titles.get(root, _without_mark(root)), "" if root in titles else "not in this folder"))
        lines += _below(root, children, indent="", seen={root})
    return lines[:MOST_LINES]


def _below(name: str, children: Mapping[str, Sequence[RunEntry]], *, indent: str, seen: set[str]) -> list[Line]:
    lines = []
    found = sorted(children.get(name, ()), key=lambda entry: (_step_of(entry), entry.name))
    for place, entry in enumerate(found, start=1):
        if entry.name in seen:  # run.json was edited: a run is its own ancestor
            continue
        is_last = place == len(found)
        lines.append(Line(f"{indent}{'└─' if is_last else '├─'} ", entry.title, entry.origin.told))
        deeper = indent + ("   " if is_last else "│  ")
        lines += _below(entry.name, children, indent=deeper, seen=seen | {entry.name})
    return lines


_GONE = "\0"
"""Begins the key of a parent that is not in the folder: no run has such a name."""


def _parent_of(entry: RunEntry, entries: Sequence[RunEntry]) -> str | None:
    """The name of the run that it was made from; None for a run from a base model."""
    source = entry.origin.parent or entry.origin.replays
    if source is None:
        return None
    known = [one.name for one in entries if source.run_id and one.origin.run_id == source.run_id]
    known += [one.name for one in entries if not source.run_id and str(one.path) == source.run]
    return known[0] if known else f"{_GONE}{source.name}"


def _without_mark(name: str) -> str:
    return name.removeprefix(_GONE)


def _step_of(entry: RunEntry) -> int:
    return entry.origin.parent.step if entry.origin.parent else 0
