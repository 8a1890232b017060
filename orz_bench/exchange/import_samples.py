"""The samples of files -> parts of a run's folders, each sample once.

All files are read once without writing, so that whatever contradicts another row is refused before anything is there.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orz_bench.errors import DataError
from orz_bench.exchange.formats import cells
from orz_bench.exchange.formats.sample import ForeignSample
from orz_bench.exchange.sources import Source
from orz_bench.records.judged import NO_RESPONSE, NO_TEXT
from orz_bench.records.parquet import ROLLOUT_SCHEMA, storable, table_of, write_table
from orz_bench.records.run_dir import EvaluationDir, RolloutsDir, RunDir, to_json, write_text

PART_ROWS = 2048
FINGERPRINT = "imported"
"""Of evaluations whose protocol is unknown; those of a tool's own format have the tool's name behind it."""
_OWN_FORMATS = ("orz", "jsonl")
_MAX_EXTRA_CHARS = 2000
_SOURCE, _ROW, _PLACE = "imported_from", "imported_row", "imported_place"
_BEFORE = "imported_before"
"""Where a row came from that was imported, exported and imported again: the first origin."""
_NOTE = "imported: how these answers were generated and graded is not known here"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a user says about the samples of a file."""

    benchmark: str | None
    """For samples without one."""
    step: int | None
    run: str | None
    """Only the samples of this run."""
    trains: bool | None
    """None: as each file's format says."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a file added."""

    num_rows: int
    names: tuple[str, ...]
    """The folders, relative to the run."""


@dataclass
class _Folder:
    """One folder of the run that samples go into."""

    directory: RolloutsDir
    present: set[tuple[str, int, int]]
    """(digest of the file, row, place) of the samples that were there before."""
    keys: set[tuple[str, int]]
    golds: dict[str, str]
    next_index: Counter[str]
    waiting: list[dict[str, Any]] = field(default_factory=list)


class Targets:
    """The folders that samples go into, each written in parts."""

    def __init__(self, run: RunDir, *, facts: Facts, writes: bool = True) -> None:
        self._run, self._facts, self._writes = run, facts, writes
        self._folders: dict[tuple[bool, str, int, str], _Folder] = {}

    def take(self, source: Source) -> Taken:
        """Add a file's samples that are not there already. DataError where one contradicts another one."""
        assert source.contents.samples is not None
        used: dict[str, _Folder] = {}
        num_rows = 0
        for sample in self._wanted(source, source.contents.samples()):
            folder = self._add(sample, source)
            used[str(folder.directory.path.relative_to(self._run.path))] = folder
            num_rows += 1
        for folder in used.values():
            self._commit(folder)
        return Taken(num_rows, tuple(used))

    def _wanted(self, source: Source, samples: Iterable[ForeignSample]) -> Iterator[ForeignSample]:
        """The samples of the wanted run. DataError if a file holds none, or several and none is named."""
        wanted, path, found, is_empty = self._facts.run, source.path, None, True
        for sample in samples:
            if wanted is not None and sample.run != wanted:
                continue
            if not is_empty and sample.run != found:
                raise DataError(
                    f"{path}: holds the runs {found}, {sample.run} and maybe more; name one with --run, and import "
                    f"each into a run directory of its own."
                )
            found, is_empty = sample.run, False
            yield sample
        if is_empty and wanted is not None:
            raise DataError(f"{path}: holds no rows of a run {wanted!r}; look at its column run.")
        if is_empty:
            raise DataError(f"{path}: has no rows; name a file of rollouts.")

    def _add(self, sample: ForeignSample, source: Source) -> _Folder:
        ours = _row(sample, source=source, facts=self._facts)
        folder = self._folder(ours, source)
        if (source.digest, sample.row, sample.place) in folder.present:
            return folder
        problem, where = ours["problem_id"], f"{source.path}, row {sample.row}"
        self._check_gold(ours, folder, where=where)
        if ours["sample_index"] is None:
            ours["sample_index"] = folder.next_index[problem]
        key = (f"{ours['benchmark']}\0{problem}", ours["sample_index"])
        if key in folder.keys:
            raise DataError(
                f"{where}: sample {key[1]} of {problem} is in the run already, or in a row before; import this file "
                f"into a run directory of its own, or give its samples numbers of their own (a column sample_index)."
            )
        folder.keys.add(key)
        folder.next_index[problem] = max(folder.next_index[problem], ours["sample_index"] + 1)
        if self._writes:
            folder.waiting.append(ours)
        if len(folder.waiting) >= PART_ROWS:
            self._commit(folder)
        return folder

    def _commit(self, folder: _Folder) -> None:
        if folder.waiting:
            write_table(folder.directory.path, table_of(folder.waiting))
            folder.waiting = []

    def _check_gold(self, ours: Mapping[str, Any], folder: _Folder, *, where: str) -> None:
        gold = ours["gold"]
        if gold is None:
            return
        known = folder.golds.setdefault(f"{ours['benchmark']}\0{ours['problem_id']}", gold)
        if known != gold:
            raise DataError(
                f"{where}: problem {ours['problem_id']} has the gold {gold[:100]!r} here and {known[:100]!r} in a row "
                f"before; one problem has one gold: give every problem its own id (a column problem_id)."
            )

    def _folder(self, ours: Mapping[str, Any], source: Source) -> _Folder:
        trains = trains_of(source, self._facts)
        key = (trains, "" if trains else ours["benchmark"], ours["step"], "" if trains else source.format.name)
        if key not in self._folders:
            self._folders[key] = self._open(ours, source)
        return self._folders[key]

    def _open(self, ours: Mapping[str, Any], source: Source) -> _Folder:
        benchmark, step = ours["benchmark"], ours["step"]
        trains = trains_of(source, self._facts)
        directory = self._run.rollouts(step) if trains else self._evaluation(source, benchmark=benchmark, step=step)
        if self._writes:
            directory.path.mkdir(parents=True, exist_ok=True)
            if isinstance(directory, EvaluationDir) and not directory.protocol_path.exists():
                write_text(directory.protocol_path, to_json(_protocol(source, benchmark=benchmark, step=step)))
        columns = ["benchmark", "problem_id", "sample_index", "gold", "extra"]
        rows = directory.read(columns).to_pylist() if directory.path.is_dir() else []
        names = [f"{row['benchmark']}\0{row['problem_id']}" for row in rows]
        return _Folder(
            directory=directory,
            present={place for row in rows if (place := _place(row["extra"])) is not None},
            keys={(name, row["sample_index"]) for name, row in zip(names, rows, strict=True)},
            golds={name: row["gold"] for name, row in zip(names, rows, strict=True) if row["gold"] is not None},
            next_index=_next_indices(rows),
        )

    def _evaluation(self, source: Source, *, benchmark: str, step: int) -> EvaluationDir:
        name = source.format.name
        fingerprint = FINGERPRINT if name in _OWN_FORMATS else f"{FINGERPRINT}-{name}"
        return self._run.evaluation(benchmark=_file_name(benchmark), step=step, fingerprint=fingerprint)


def trains_of(source: Source, facts: Facts) -> bool:
    """Whether a file's samples are of training: as the user says, else as its format does."""
    return source.contents.trains if facts.trains is None else facts.trains


def _protocol(source: Source, *, benchmark: str, step: int) -> dict[str, Any]:
    tool = source.format
    known = {"tool": tool.title} | dict(source.contents.facts) if tool.name not in _OWN_FORMATS else {}
    return {"benchmark": benchmark, "step": step, "note": _NOTE} | ({"imported": known} if known else {})


def _next_indices(rows: Sequence[Mapping[str, Any]]) -> Counter[str]:
    following: Counter[str] = Counter()
    for row in rows:
        following[row["problem_id"]] = max(following[row["problem_id"]], row["sample_index"] + 1)
    return following


def _place(extra: str) -> tuple[str, int, int] | None:
    """The origin of an imported row; None for one that was not imported."""
    facts = json.loads(extra)
    digest = str(facts.get(_SOURCE)).rpartition(" ")[2]
    return (digest, int(facts[_ROW]), int(facts.get(_PLACE, 0))) if _ROW in facts else None


def _row(sample: ForeignSample, *, source: Source, facts: Facts) -> dict[str, Any]:
    """A sample as a row of ROLLOUT_SCHEMA, with its origin in `extra`."""
    origin: dict[str, Any] = {_SOURCE: source.label, _ROW: sample.row} | (
        {_PLACE: sample.place} if sample.place else {}
    )
    before = {name: sample.extra[name] for name in (_SOURCE, _ROW, _PLACE) if name in sample.extra}
    extra = {name: value for name, value in sample.extra.items() if _is_small(value) and name not in before}
    if before:
        extra.setdefault(_BEFORE, before)
    said = columns_of(sample)
    others = {
        "benchmark": facts.benchmark or source.path.stem,
        "step": facts.step or 0,
        "extra": storable(json.dumps(origin | extra, ensure_ascii=False, default=str)),
    }
    return said | {name: value for name, value in others.items() if said.get(name) is None}


def columns_of(sample: ForeignSample) -> dict[str, Any]:
    """Columns of ROLLOUT_SCHEMA, without `extra`; None: the file does not say. No response is `no_answer`."""
    is_silent = sample.completion is None and sample.has_text
    found = {
        "benchmark": sample.benchmark,
        "problem_id": sample.problem_id or _id_of(sample),
        "question": question_in(sample.question),
        "gold": sample.gold,
        "sample_index": sample.sample_index,
        "step": sample.step,
        "prompt": sample.prompt,
        "completion": sample.completion or "",
        "num_tokens": sample.num_tokens,
        "stop_reason": sample.stop_reason,
        "extracted": None if is_silent else sample.extracted,
        "verdict": "no_answer" if is_silent else sample.verdict,
        "why": NO_RESPONSE if is_silent else None if sample.has_text else NO_TEXT,
        "second_extractor": sample.second_extractor,
        "second_extracted": sample.second_extracted,
        "second_verdict": sample.second_verdict,
        "reward": sample.reward,
        "advantage": sample.advantage,
        "grader_version": sample.judge or None,
    }
    found |= {name: value for name, value in sample.columns.items() if name in ROLLOUT_SCHEMA.names and name != "extra"}
    return {name: storable(value) if isinstance(value, str) else value for name, value in found.items()}


def _id_of(sample: ForeignSample) -> str:
    """Samples of one question are one problem; those of unknown questions are one problem a row."""
    return cells.digest_of(sample.question) if sample.question is not None else f"row-{sample.row}"


def question_in(prompt: str | None) -> str | None:
    """The question within a prompt of Open-Reasoner-Zero's template; any other text unchanged."""
    if prompt is None:
        return None
    _, opening, behind = prompt.partition(_BEFORE_QUESTION)
    question, closing, rest = behind.rpartition(_AFTER_QUESTION)
    return question if opening and closing and not rest.replace("<think>", "").strip() else prompt


_BEFORE_QUESTION, _AFTER_QUESTION = "This is the problem:\n", "\nAssistant:"


def _is_small(value: Any) -> bool:
    return value is not None and len(json.dumps(value, default=str)) <= _MAX_EXTRA_CHARS


def _file_name(benchmark: str) -> str:
    """A benchmark's name as the name of one folder."""
    return "".join(char if char.isalnum() or char in "._-" else "_" for char in benchmark).lstrip(".") or "imported"
