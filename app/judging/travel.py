"""Judgements that travel: columns of an export, and their way back from the file into the annotations of a folder.

The column `judgements` holds the whole history of a rollout, each entry with its run, rollout, text, author and time:
it alone is read back; the columns before it say what holds now. Histories are united: an entry that is known
already is not added again, and the last by its time holds, wherever it was written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

from app.judging.annotations import (
    FILE_NAME,
    MAX_NOTE_CHARS,
    MAX_TAG_CHARS,
    Annotations,
    Entry,
    Field,
    RunIdentity,
    annotation_of,
)
from app.judging.blind import BLIND, is_value
from app.judging.pair_verdicts import PAIR, PAIRS
from app.judging.pair_verdicts import VERDICTS as PAIR_VERDICTS
from app.judging.tag_notes import TAG, TAGS
from app.queries.keys import Response, key_of, key_text
from app.runs.folder import RunEntry
from orz_bench.errors import DataError, OrzError, counted
from orz_bench.records.rollout import VERDICTS

COLUMN = "judgements"
OF_THE_FOLDER = {identity.id: identity for identity in (PAIRS, BLIND, TAGS)}
"""What belongs to no run: verdicts on pairs of texts, blind comparisons, and descriptions of tags."""
_HASH = re.compile(r"[0-9a-f]{16}|")
_CLOCKS_DIFFER = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Judgement:
    """One entry of a history, with what it is about."""

    run: str
    """The identity of the run (RunIdentity.id), and its name where it was judged."""
    run_name: str
    response: Response
    entry: Entry


def judgement_columns(run: RunIdentity, entries: Sequence[tuple[Response, Entry]]) -> dict[str, Any]:
    """The columns of one rollout: what holds now, by whom and since when, and the history to be read back."""
    if not entries:
        return dict.fromkeys(("seen", "tags", "note", "override", "reason", "author", "time", COLUMN))
    now = annotation_of(entries[0][0].key, [entry for _, entry in entries])
    last = entries[-1][1]
    return {
        "seen": now.is_seen or None,
        "tags": list(now.tags) or None,
        "note": now.note or None,
        "override": now.verdict,
        "reason": now.reason,
        "author": last.author,
        "time": last.time,
        COLUMN: [_written(run, at, entry=entry) for at, entry in entries],
    }


def _written(run: RunIdentity, at: Response, *, entry: Entry) -> dict[str, Any]:
    facts = {name: getattr(entry, name) for name in ("field", "name", "value", "reason", "author", "time")}
    return {"run": run.id, "run_name": run.name, "row": key_text(at.key), "text": at.text_hash} | facts


def judgements_in(rows: Iterable[Mapping[str, Any]]) -> list[Judgement]:
    """The judgements in the rows of an exported file. DataError for a file without the column, or with an invalid one.

    Nothing is taken from a file of which a part cannot be read.
    """
    found: list[Judgement] = []
    number = 0
    for number, row in enumerate(rows, start=1):
        if COLUMN not in row:
            if ("run" in row and "problem_id" in row) or PAIR in row:
                continue  # in Markdown, what is unknown is left out
            raise DataError(
                f"row {number} has no column {COLUMN!r}; wanted an export of selected rollouts or pairs, which has it."
            )
        try:
            found += [_read(one) for one in _listed(row[COLUMN])]
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(f"row {number}: {COLUMN} cannot be read ({error}); nothing was imported.") from error
    if not number:
        raise DataError("the file has no row; wanted an export of selected rollouts or pairs.")
    return found


def _listed(value: Any) -> list[Any]:
    if value in (None, ""):
        return []
    found = json.loads(value) if isinstance(value, str) else value
    if not isinstance(found, list):
        raise TypeError("wanted a list")
    return found


def _read(one: Any) -> Judgement:
    if not isinstance(one, dict):
        raise TypeError("wanted objects")
    run, run_name, text, author = (_text(one, name, most=200) for name in ("run", "run_name", "text", "author"))
    key = key_of(_text(one, "row", most=10_000))
    if key is None or _HASH.fullmatch(text) is None or not run:
        raise ValueError("no rollout under row, run and text")
    field: Field = one["field"]
    name, value, reason = _text(one, "name", most=MAX_TAG_CHARS), one.get("value"), one.get("reason")
    if field not in get_args(Field) or bool(name.strip()) != (field == "tag"):
        raise ValueError(f"unknown field {field!r}")
    if any(not (part is None or (isinstance(part, str) and len(part) <= MAX_NOTE_CHARS)) for part in (value, reason)):
        raise ValueError("a value or a reason is too long, or no text")
    if field == "verdict" and not _is_verdict(value, reason, run=run):
        raise ValueError(f"a verdict {value!r} because of {reason!r}")
    entry = Entry(
        time=_time(_text(one, "time", most=40)), author=author, key=key, field=field, name=name, value=value,
        reason=reason,
    )  # fmt: skip
    return Judgement(run, run_name, Response(key, text), entry)


def _is_verdict(value: str | None, reason: str | None, *, run: str) -> bool:
    """Whether somebody can have given it: an override needs a reason, a verdict on a pair does not."""
    if run == BLIND.id:
        return is_value(value)
    if run == PAIRS.id:
        return value is None or value in PAIR_VERDICTS
    return (value is None or value in VERDICTS) and bool((reason or "").strip())


def _text(one: Mapping[str, Any], name: str, *, most: int) -> str:
    value = one[name]
    if not isinstance(value, str) or len(value) > most:
        raise ValueError(f"{name} is no text of at most {most} characters")
    return value


def _time(text: str) -> str:
    """UTC with milliseconds. ValueError for one without a zone, or in the future: it would hold over all to come."""
    found = datetime.fromisoformat(text).astimezone(UTC)
    if datetime.fromisoformat(text).tzinfo is None or found > datetime.now(UTC) + _CLOCKS_DIFFER:
        raise ValueError(f"time {text!r} has no zone, or is in the future")
    return found.isoformat(timespec="milliseconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What became of the judgements of a file."""

    num_new: int
    num_known: int
    of_other_runs: Mapping[str, int]
    """Number by the run's name in the file: those of runs that are not in this folder, which are not taken in."""
    replaced: tuple[str, ...]
    """Notes and verdicts of this folder that are older than those of the file, which now hold instead."""
    outdated: tuple[str, ...]
    """Notes and verdicts of the file that are older than those of this folder, which still hold."""


def take_in(found: Sequence[Judgement], *, runs: Sequence[RunEntry], side: Path, author: str) -> Taken:
    """Unite the judgements with the annotations of these runs and of the folder; `author` is who imports them."""
    by_id = {identity.id: entry for entry in runs if (identity := _identity(entry)) is not None}
    num_new = 0
    replaced: list[str] = []
    outdated: list[str] = []
    of_other_runs: dict[str, int] = {}
    for run in dict.fromkeys(one.run for one in found):
        ours = [one for one in found if one.run == run]
        if run not in OF_THE_FOLDER and run not in by_id:
            of_other_runs[ours[0].run_name] = len(ours)
            continue
        if run in OF_THE_FOLDER:
            kept = Annotations(side / FILE_NAME, OF_THE_FOLDER[run], author=author)
        else:
            kept = Annotations.of_run_at(by_id[run].path, name=by_id[run].name, side=side, author=author)
        before = kept.of_run()
        new = kept.unite([(one.response, replace(one.entry, imported_by=author)) for one in ours])
        if run == BLIND.id:  # each judge has a word of his or her own: none replaces another
            num_new += len(new)
            continue
        after = kept.of_run()
        num_new += len(new)
        for response, entry in new:
            was, now = before.get(response), after.get(response)
            text = f"{entry.field} of {_named(entry)}"
            if entry.field in ("note", "verdict") and was is not None and getattr(was, entry.field) not in ("", None):
                holds = now is not None and getattr(now, entry.field) == entry.value
                (replaced if holds else outdated).append(text)
    num_other = sum(of_other_runs.values())
    return Taken(
        num_new=num_new, num_known=len(found) - num_new - num_other, of_other_runs=of_other_runs,
        replaced=tuple(dict.fromkeys(replaced)), outdated=tuple(dict.fromkeys(outdated)),
    )  # fmt: skip


def _named(entry: Entry) -> str:
    key = entry.key
    if key.benchmark == PAIR:
        return f"the pair {key.problem_id}"
    if key.benchmark == TAG:
        return f"the tag {key.problem_id}"
    return f"{key.problem_id}, sample {key.sample_index}, step {key.step}"


def _identity(entry: RunEntry) -> RunIdentity | None:
    try:
        return RunIdentity.of(entry.path, name=entry.name)
    except OrzError:  # an unreadable run has no annotations
        return None


def told(taken: Taken) -> list[str]:
    """What became of the file, in sentences."""
    found = [f"{counted(taken.num_new, 'judgement')} taken in; {taken.num_known:,} known already."]
    for name, number in list(taken.of_other_runs.items())[:10]:
        found.append(f"{number:,} of the run {name}, which is not in this folder: not taken in.")
    for what, texts in (
        ("now holds what the file says, which is newer; what was here is in the history", taken.replaced),
        ("is newer here and still holds; what the file says is in the history", taken.outdated),
    ):
        found += [f"{text}: {what}." for text in texts[:10]]
        if len(texts) > 10:
            found.append(f"and {len(texts) - 10:,} more.")
    return found


def folder_rows(side: Path) -> Iterator[dict[str, Any]]:
    """The judgements that belong to no run but to the folder (blind comparisons, descriptions of tags), for export."""
    for identity in (BLIND, TAGS):
        for response, entries in Annotations(side / FILE_NAME, identity).entries().items():
            yield {
                "about": identity.name,
                "name": response.key.problem_id,
                COLUMN: [_written(identity, response, entry=entry) for entry in entries],
            }
