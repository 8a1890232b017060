"""inspect: evaluation logs, as .eval (a zip of JSON files) or .json, version 2.

A sample's scores are C (correct), I (incorrect), P (partial), N (no answer), numbers or anything else. The first scorer
gives the verdict. `epoch` counts the samples of a question from 1. Long texts are `attachment://` names.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from orz_bench.errors import DataError, counted
from orz_bench.exchange.formats import cells
from orz_bench.exchange.formats.format import Contents, Format
from orz_bench.exchange.formats.head import Head
from orz_bench.exchange.formats.orz import KIND
from orz_bench.exchange.formats.sample import ForeignSample
from orz_bench.records.rollout import Verdict
from orz_bench.records.tables import parse_json

_VERSION = 2
_SCHEME = "attachment://"
_LETTERS: Mapping[str, Verdict] = {"C": "correct", "I": "wrong", "N": "no_answer"}
_USED = ("id", "epoch", "input", "target", "messages", "output", "scores", "attachments", "events", "store", "uuid")
_NOT_FACTS = ("working_time", "total_time", "started_at", "completed_at", "error_retries", "model_usage")
_ZSTD = 93


def read(head: Head) -> Contents | None:
    """A log."""
    if head.container == "zip" and any(name.startswith("samples/") for name in head.members):
        log = _member(head, "header.json") if "header.json" in head.members else _start(head)
        names = [name for name in head.members if name.startswith("samples/") and name.endswith(".json")]
        return _log(head, log, samples=partial(_zipped, head, sorted(names)), num=len(names))
    if head.container == "object" and head.has("version", "status", "eval"):
        samples = head.object.get("samples") or []
        return _log(head, head.object, samples=lambda: iter(samples), num=len(samples))
    return None


def _log(head: Head, log: Mapping[str, Any], *, samples: Any, num: int) -> Contents:
    version = log.get("version", _VERSION)
    if version != _VERSION:
        raise DataError(
            f"{head.path}: an inspect log of version {version}, wanted {_VERSION}; convert it with inspect's own tools."
        )
    about = log.get("eval") or {}
    task = str(about.get("task", head.path.stem)).rpartition("/")[2]
    status = log.get("status", "success")
    if num == 0:
        return Contents(what=f"an inspect log of {task} without samples", kind="nothing", instead="a log with samples")
    return Contents(
        what=f"an inspect log of {counted(num, 'sample')} of {task}",
        kind="samples",
        samples=partial(_samples, samples, task=task),
        trains=(about.get("metadata") or {}).get(KIND) == "rollouts",
        notes=() if status == "success" else (f"the evaluation's status is {status}: it did not run to its end",),
        facts={"model": about.get("model"), "task": about.get("task")},
    )


def _samples(samples: Any, *, task: str) -> Iterator[ForeignSample]:
    for number, raw in cells.numbered(samples()):
        row = _resolved(raw, raw.get("attachments") or {})
        output = row.get("output") or {}
        choice: dict[str, Any] = next(iter(output.get("choices") or ()), {})
        message = choice.get("message") or {}
        scores = row.get("scores") or {}
        scorer = next(iter(scores), "")
        score: dict[str, Any] = scores.get(scorer) or {}
        usage = output.get("usage") or {}
        asked = row.get("input")
        extra = cells.rest_of(row, (*_USED, *_NOT_FACTS)) | _further(message, scores)
        ours = (row.get("metadata") or {}).get("orz") or {}
        if ours:
            extra = {name: value for name, value in row["metadata"].items() if name != "orz"}
        yield ForeignSample(
            row=number,
            completion=cells.text_of(message.get("content")) if choice else None,
            problem_id=cells.plain(row.get("id")),
            sample_index=(cells.whole_of(row.get("epoch")) or 1) - 1,
            benchmark=task,
            question=cells.asked_in(asked) if cells.is_messages(asked) else cells.text_of(asked),
            gold=cells.plain(row.get("target")),
            extracted=cells.plain(score.get("answer")),
            verdict=_verdict(score.get("value")),
            judge=f"inspect: {scorer}" if scorer else "",
            num_tokens=cells.whole_of(usage.get("output_tokens")),
            stop_reason="length"
            if choice.get("stop_reason") in ("max_tokens", "model_length")
            else choice.get("stop_reason"),
            prompt=cells.text_of(row["messages"][0].get("content")) if ours and row.get("messages") else None,
            extra=extra | ({"messages": row["messages"]} if len(row.get("messages") or ()) > 2 else {}),
            columns=ours,
        )


def _further(message: Mapping[str, Any], scores: Mapping[str, Any]) -> dict[str, Any]:
    """Reasoning, which is no part of the answer, and the values of all scorers where there are several."""
    parts = message.get("content")
    thoughts = [part.get("reasoning") for part in parts if isinstance(part, Mapping)] if isinstance(parts, list) else []
    reasoning = "\n".join(filter(None, thoughts))
    values = {name: score.get("value") for name, score in scores.items()}
    return ({"reasoning": reasoning} if reasoning else {}) | ({"scores": values} if len(values) > 1 else {})


def _verdict(value: Any) -> Verdict | None:
    if isinstance(value, str):
        return _LETTERS.get(value)
    return cells.verdict_of(value) if cells.number_of(value) is not None or isinstance(value, bool) else None


def _resolved(value: Any, attachments: Mapping[str, str]) -> Any:
    """The value with the attachments that it names."""
    if isinstance(value, str) and value.startswith(_SCHEME):
        return attachments.get(value.removeprefix(_SCHEME), value)
    if isinstance(value, list):
        return [_resolved(item, attachments) for item in value]
    if isinstance(value, dict):
        return {name: item if name == "events" else _resolved(item, attachments) for name, item in value.items()}
    return value


def _start(head: Head) -> Mapping[str, Any]:
    """The beginning of a log that was never finished."""
    if "_journal/start.json" not in head.members:
        return {}
    return {**_member(head, "_journal/start.json"), "status": "started"}


def _zipped(head: Head, names: list[str]) -> Iterator[dict[str, Any]]:
    for name in names:
        yield _member(head, name)


def _member(head: Head, name: str) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(head.path) as archive:
            if archive.getinfo(name).compress_type == _ZSTD:
                text = _zstd_member(head, archive.getinfo(name))
            else:
                text = archive.read(name)
        found = parse_json(text.decode("utf-8", errors="replace"), strict=False)
    except (zipfile.BadZipFile, KeyError, ValueError, NotImplementedError, OSError) as error:
        raise DataError(f"{head.path}: {name} in it cannot be read ({error}); restore the whole log.") from error
    if not isinstance(found, dict):
        raise DataError(f"{head.path}: {name} is a JSON {type(found).__name__}, wanted an object.")
    return found


def _zstd_member(head: Head, member: zipfile.ZipInfo) -> bytes:
    """A member compressed with zstd, which Python's zipfile does not know before 3.14: by pyarrow."""
    import pyarrow as pa

    with head.path.open("rb") as file:
        file.seek(member.header_offset + 26)
        lengths = file.read(4)
        start = (
            member.header_offset + 30 + int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little")
        )
        file.seek(start)
        packed = file.read(member.compress_size)
    return bytes(pa.input_stream(io.BytesIO(packed), compression="zstd").read())


FORMAT = Format(name="inspect", title="inspect", read=read)
