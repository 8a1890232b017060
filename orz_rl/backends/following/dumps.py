"""Rollouts of a followed training: files of one step each, taken when they have stopped growing.

The events of the run say which file was taken, with its digest: a file that has changed since replaces what it became.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from orz_bench.errors import DataError
from orz_bench.exchange.grade_imported import has_verdicts, our_columns
from orz_bench.grading.grader import Grader, Submission, grader_version
from orz_bench.records.parquet import replace_table, storable, table_of
from orz_bench.records.run_dir import EvaluationDir, RolloutsDir, RunDir, to_json, write_text
from orz_rl.backends.following.texts import NotCompleteError, Stamp, stamp_of
from orz_rl.backends.following.tool import Dump, Row, Tool

TAKEN, WENT_BACK, LEFT_OUT, SKIPPED = "followed", "went_back", "left_out", "skipped"
FINGERPRINT = "followed"
_PROTOCOL = {"note": "followed: how these answers were generated and graded is not known here"}
_SHOWN = 200
"""Characters of a text in a message."""

Notice = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class _Taken:
    digest: str
    step: int
    benchmark: str | None


@dataclass(frozen=True, slots=True)
class _Gold:
    text: str
    place: str


class Rollouts:
    """What the run has of the dumps, and what it still has to get."""

    def __init__(self, tool: Tool, run: RunDir, *, root: Path, grader: Grader | None, notice: Notice) -> None:
        self._tool, self._run, self._root, self._grader, self._notice = tool, run, root, grader, notice
        self._stamps: dict[Path, Stamp] = {}
        """Size and time of a file in the last round."""
        self._done: dict[Path, Stamp] = {}
        """Of files that are in the run as they are."""
        self._golds: dict[str, _Gold] = {}
        self._taken: dict[str, _Taken] = {}
        self._left_out: set[str] = set()
        self._until: float = -1
        """Steps up to this one were taken back."""
        self._load()

    def _load(self) -> None:
        for event in self._run.events(TAKEN, WENT_BACK, LEFT_OUT):
            if event["event"] == TAKEN:
                self._taken[event["file"]] = _Taken(event["digest"], event["step"], event["benchmark"])
            elif event["event"] == WENT_BACK:
                self._take_back(event["to"], event["rollouts_until"])
            else:
                self._taken.pop(event["file"], None)
                self._left_out.add(event["file"])
        kept = {one.step for one in self._taken.values() if one.benchmark is None}
        for step, folder in self._run.sampled_steps():
            if step not in kept:
                _remove(folder)
            else:
                pairs = folder.read(["problem_id", "gold"]).group_by(["problem_id", "gold"]).aggregate([])
                for row in pairs.to_pylist():
                    self._check_gold(row["problem_id"], row["gold"], place=f"step {step}", prompt="")

    def go_back(self, to: float, until: float, *, is_known_already: bool) -> None:
        """Training was resumed: rollouts of the steps after `to` count only when they are written again.

        `is_known_already`: the run's events may have it, for the logs are read for the first time.
        """
        if is_known_already and any((one["to"], one["until"]) == (to, until) for one in self._run.events(WENT_BACK)):
            return
        ahead = max((one.step for one in self._taken.values() if one.benchmark is None), default=until)
        self._run.add_event(WENT_BACK, to=to, until=until, rollouts_until=max(until, ahead))
        for step in self._take_back(to, max(until, ahead)):
            _remove(self._run.rollouts(step))

    def leave_out(self, dumps: Iterable[Dump], steps: set[float]) -> None:
        """Files of these steps have been overwritten by an evaluation: they are not rollouts of training."""
        for dump in dumps:
            label = self._label(dump.path)
            if dump.step not in steps:
                self._left_out.discard(label)  # of an attempt that training went back before
            elif label not in self._left_out:
                self._left_out.add(label)
                self._notice(f"{dump.path}: the evaluation at this step has overwritten it; its rollouts are left out")
                self._run.add_event(LEFT_OUT, file=label)
                if self._taken.pop(label, None) is not None:
                    _remove(self._run.rollouts(dump.step))

    def _take_back(self, to: float, until: float) -> set[int]:
        self._until = max(self._until, until)
        gone = {name: one for name, one in self._taken.items() if one.benchmark is None and to < one.step <= until}
        for name in gone:
            del self._taken[name]
        self._done = {path: stamp for path, stamp in self._done.items() if self._label(path) not in gone}
        return {one.step for one in gone.values()}

    def take(self, dumps: Iterable[Dump], *, last_step: float | None, is_last: bool) -> int:
        """Bring what is complete into the run; the number of rollouts that are new or changed."""
        num_rows = 0
        for dump in self._chosen(dumps):
            stamp = stamp_of(dump.path)
            if stamp is None or self._done.get(dump.path) == stamp or self._label(dump.path) in self._left_out:
                continue
            is_quiet = self._stamps.get(dump.path) == stamp
            self._stamps[dump.path] = stamp
            is_of_before = dump.benchmark is None and last_step is not None and last_step < dump.step <= self._until
            if (is_quiet or is_last) and not is_of_before:
                num_rows += self._take(dump, stamp, is_last=is_last)
        return num_rows

    def _chosen(self, dumps: Iterable[Dump]) -> list[Dump]:
        """One file for each step of training, and of each evaluation. DataError where two say they are it."""
        found: dict[tuple[str, int], Dump] = {}
        for dump in sorted(dumps, key=lambda dump: (dump.rank, dump.path)):
            key = dump.benchmark or "", dump.step
            if key in found and found[key].rank == dump.rank:
                raise DataError(
                    f"two files hold the rollouts of step {dump.step}: {found[key].path} and {dump.path}; name the "
                    f"folder of one run."
                )
            found[key] = dump
        return sorted(found.values(), key=lambda dump: (dump.step, dump.benchmark or ""))

    def _take(self, dump: Dump, stamp: Stamp, *, is_last: bool) -> int:
        label, digest = self._label(dump.path), _digest(dump.path)
        before = self._taken.get(label)
        if before is None or before.digest != digest:
            try:
                rows, faults = self._read(dump, label, is_last=is_last)
            except NotCompleteError as error:
                if is_last:
                    self._notice(f"{error}; its rollouts are left out")
                return 0
            if stamp_of(dump.path) != stamp:  # it has grown while it was read
                return 0
            self._write(dump, rows, digest=digest)
            for fault in faults:
                self._notice(fault)
                self._run.add_event(SKIPPED, text=fault)
            facts = {"step": dump.step, "benchmark": dump.benchmark, "rows": len(rows)}
            self._run.add_event(TAKEN, file=label, digest=digest, **facts)
            self._taken[label] = _Taken(digest, dump.step, dump.benchmark)
            self._done[dump.path] = stamp
            return len(rows)
        self._done[dump.path] = stamp
        return 0

    def _read(self, dump: Dump, label: str, *, is_last: bool) -> tuple[list[Row], list[str]]:
        rows: list[Row] = []
        faults: list[str] = []
        indices: Counter[str] = Counter()
        for place, found in self._tool.rows(dump, is_last=is_last):
            if found is None:
                faults.append(f"{dump.path}, {place}: not a rollout; it is left out")
                continue
            row = self._completed(found, dump, label=label, place=place)
            row["sample_index"] = indices[row["problem_id"]]
            indices[row["problem_id"]] += 1
            rows.append(row)
        if self._grader is not None:
            _grade(rows, self._grader)
        return rows, faults

    def _completed(self, found: Row, dump: Dump, *, label: str, place: str) -> Row:
        prompt = found.get("prompt") or found.get("question") or ""
        problem = hashlib.sha256(prompt.encode("utf-8", errors="replace")).hexdigest()[:12]
        self._check_gold(problem, found.get("gold"), place=f"{dump.path}, {place}", prompt=prompt)
        origin = {"followed_from": label, "followed_row": place}
        return found | {
            "step": dump.step,
            "benchmark": dump.benchmark or found.get("benchmark") or "training",
            "problem_id": problem,
            "extra": origin | found.get("extra", {}),
        }

    def _check_gold(self, problem: str, gold: str | None, *, place: str, prompt: str) -> None:
        if gold is None:
            return
        first = self._golds.setdefault(problem, _Gold(gold, place))
        if first.text != gold:
            raise DataError(
                f"two golds for one prompt: {_short(first.text)!r} ({first.place}) and {_short(gold)!r} ({place}), "
                f"wanted one; the prompt is {_short(prompt)!r}. Correct the training data, or follow the logs alone "
                f"(--metrics-only)."
            )

    def _write(self, dump: Dump, rows: Sequence[Row], *, digest: str) -> None:
        folder = self._folder(dump)
        with folder.lock():
            if isinstance(folder, EvaluationDir) and not folder.protocol_path.exists():
                facts = {"benchmark": dump.benchmark, "step": dump.step}
                write_text(folder.protocol_path, to_json(facts | _PROTOCOL))
            replace_table(folder.path, _table(rows, digest=digest))

    def _folder(self, dump: Dump) -> RolloutsDir:
        if dump.benchmark is None:
            return self._run.rollouts(dump.step)
        return self._run.evaluation(benchmark=_as_name(dump.benchmark), step=dump.step, fingerprint=FINGERPRINT)

    def _label(self, path: Path) -> str:
        return str(path.relative_to(self._root)) if path.is_relative_to(self._root) else str(path)


def _grade(rows: Sequence[Row], grader: Grader) -> None:
    """Our verdict for rows with a gold: the second one where the file judged its rows."""
    with_gold = [row for row in rows if row.get("gold") is not None]
    is_second, version = has_verdicts(with_gold), grader_version("math")
    submissions = [
        Submission(gold=row["gold"], kind="math", num_choices=0, response=row["completion"]) for row in with_gold
    ]
    for row, grade in zip(with_gold, grader.grade(submissions), strict=True):
        row.update(our_columns(row, grade, version=version, is_second=is_second))


def _table(rows: Sequence[Row], *, digest: str) -> pa.Table:
    stored = [
        {name: storable(value) if isinstance(value, str) else value for name, value in row.items()}
        | {"extra": storable(json.dumps({"followed_digest": digest} | row["extra"], ensure_ascii=False, default=str))}
        for row in rows
    ]
    return table_of(stored)


def _remove(folder: RolloutsDir) -> None:
    """Remove the rollouts of a step that was taken back; the empty folder goes too."""
    for path in sorted(folder.path.glob("*")) + sorted(folder.path.glob(".*")):
        path.unlink(missing_ok=True)
    if folder.path.exists():
        folder.path.rmdir()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _as_name(benchmark: str) -> str:
    """A benchmark's name as the name of one folder."""
    return "".join(char if char.isalnum() or char in "._-" else "_" for char in benchmark).lstrip(".") or "validation"
