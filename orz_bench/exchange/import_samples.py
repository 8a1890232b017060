"""The samples of a file -> parts of a run's folders, each sample once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orz_bench.errors import DataError
from orz_bench.exchange.formats.sample import ForeignSample, digest_of
from orz_bench.exchange.sources import Source
from orz_bench.records.parquet import ROLLOUT_SCHEMA, storable, table_of, write_table
from orz_bench.records.run_dir import EvaluationDir, RolloutsDir, RunDir, to_json, write_text

PART_ROWS = 2048
FINGERPRINT = "imported"
"""Of evaluations whose protocol is unknown; those of a tool's own format have the tool's name behind it."""
_OWN_FORMATS = ("orz", "jsonl")
_MAX_EXTRA_CHARS = 2000
_SOURCE, _ROW, _PLACE = "imported_from", "imported_row", "imported_place"
_NOTE = "imported: how these answers were generated and graded is not known here"
_NO_RESPONSE = "the row has no response"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a user says about the samples of a file."""

    benchmark: str | None
    """For samples without one."""
    step: int | None
    run: str | None
    """Only the samples of this run."""
    trains: bool


@dataclass
class _Folder:
    """One folder of the run that samples of the file go into."""

    directory: RolloutsDir
    present: set[tuple[int, int]]
    """(row, place) of the samples of this file that are there already."""
    keys: set[tuple[str, int]]
    golds: dict[str, str]
    next_index: Counter[str]
    waiting: list[dict[str, Any]] = field(default_factory=list)


class Targets:
    """The folders that a file's samples go into, each written in parts."""

    def __init__(self, run: RunDir, source: Source, *, facts: Facts) -> None:
        self._run, self._source, self._facts = run, source, facts
        self._folders: dict[tuple[str, int], _Folder] = {}
        self.num_rows = 0

    @property
    def names(self) -> tuple[str, ...]:
        """The folders, relative to the run."""
        return tuple(str(folder.directory.path.relative_to(self._run.path)) for folder in self._folders.values())

    def wanted(self, samples: Iterable[ForeignSample]) -> Iterator[ForeignSample]:
        """The samples of the wanted run. DataError if a file holds several and none is named."""
        wanted, path, found = self._facts.run, self._source.path, None
        for sample in samples:
            if wanted is not None and sample.run != wanted:
                continue
            if found is not None and sample.run != found:
                raise DataError(
                    f"{path}: holds the runs {found}, {sample.run} and maybe more; name one with --run, and import "
                    f"each into a run directory of its own."
                )
            found = sample.run
            yield sample
        if found is None and wanted is not None:
            raise DataError(f"{path}: holds no rows of a run {wanted!r}; look at its column run.")

    def take(self, sample: ForeignSample) -> None:
        """Add a sample to its folder, unless it is there already. DataError where it contradicts another one."""
        ours = _row(sample, source=self._source, facts=self._facts)
        folder = self._folder("" if self._facts.trains else ours["benchmark"], ours["step"])
        self.num_rows += 1
        if (sample.row, sample.place) in folder.present:
            return
        problem, where = ours["problem_id"], f"{self._source.path}, row {sample.row}"
        self._check_gold(ours, folder, where=where)
        if ours["sample_index"] is None:
            ours["sample_index"] = folder.next_index[problem]
        key = (f"{ours['benchmark']}\0{problem}", ours["sample_index"])
        if key in folder.keys:
            raise DataError(
                f"{where}: sample {key[1]} of {problem} is in the run already; import this file into a run directory "
                f"of its own."
            )
        folder.keys.add(key)
        folder.next_index[problem] = max(folder.next_index[problem], ours["sample_index"] + 1)
        folder.waiting.append(ours)
        if len(folder.waiting) >= PART_ROWS:
            _commit(folder)

    def flush(self) -> None:
        """Commit what is waiting."""
        for folder in self._folders.values():
            _commit(folder)

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

    def _folder(self, benchmark: str, step: int) -> _Folder:
        if (benchmark, step) not in self._folders:
            self._folders[benchmark, step] = self._open(benchmark, step)
        return self._folders[benchmark, step]

    def _open(self, benchmark: str, step: int) -> _Folder:
        directory = self._run.rollouts(step) if self._facts.trains else self._evaluation(benchmark, step)
        directory.path.mkdir(parents=True, exist_ok=True)
        if isinstance(directory, EvaluationDir) and not directory.protocol_path.exists():
            write_text(directory.protocol_path, to_json(self._protocol(benchmark, step)))
        rows = directory.read(["benchmark", "problem_id", "sample_index", "gold", "extra"]).to_pylist()
        names = [f"{row['benchmark']}\0{row['problem_id']}" for row in rows]
        return _Folder(
            directory=directory,
            present={place for row in rows if (place := _place(row["extra"], self._source)) is not None},
            keys={(name, row["sample_index"]) for name, row in zip(names, rows, strict=True)},
            golds={name: row["gold"] for name, row in zip(names, rows, strict=True) if row["gold"] is not None},
            next_index=_next_indices(rows),
        )

    def _protocol(self, benchmark: str, step: int) -> dict[str, Any]:
        tool = self._source.format
        known = {"tool": tool.title} | dict(self._source.contents.facts) if tool.name not in _OWN_FORMATS else {}
        return {"benchmark": benchmark, "step": step, "note": _NOTE} | ({"imported": known} if known else {})

    def _evaluation(self, benchmark: str, step: int) -> EvaluationDir:
        name = self._source.format.name
        fingerprint = FINGERPRINT if name in _OWN_FORMATS else f"{FINGERPRINT}-{name}"
        return self._run.evaluation(benchmark=_file_name(benchmark), step=step, fingerprint=fingerprint)


def _commit(folder: _Folder) -> None:
    if folder.waiting:
        write_table(folder.directory.path, table_of(folder.waiting))
        folder.waiting = []


def _next_indices(rows: Sequence[Mapping[str, Any]]) -> Counter[str]:
    following: Counter[str] = Counter()
    for row in rows:
        following[row["problem_id"]] = max(following[row["problem_id"]], row["sample_index"] + 1)
    return following


def _place(extra: str, source: Source) -> tuple[int, int] | None:
    facts = json.loads(extra)
    is_its_own = str(facts.get(_SOURCE)).rpartition(" ")[2] == source.digest
    return (int(facts[_ROW]), int(facts.get(_PLACE, 0))) if is_its_own else None


def _row(sample: ForeignSample, *, source: Source, facts: Facts) -> dict[str, Any]:
    """A sample as a row of ROLLOUT_SCHEMA; without a response it is `no_answer`."""
    origin: dict[str, Any] = {_SOURCE: source.label, _ROW: sample.row} | (
        {_PLACE: sample.place} if sample.place else {}
    )
    extra = {name: value for name, value in sample.extra.items() if _is_small(value)}
    is_silent = sample.completion is None and sample.has_text
    found = {
        "benchmark": sample.benchmark or facts.benchmark or source.path.stem,
        "problem_id": sample.problem_id or _id_of(sample),
        "question": question_in(sample.question),
        "gold": sample.gold,
        "sample_index": sample.sample_index,
        "step": sample.step if sample.step is not None else facts.step or 0,
        "prompt": sample.prompt,
        "completion": sample.completion or "",
        "num_tokens": sample.num_tokens,
        "stop_reason": sample.stop_reason,
        "extracted": None if is_silent else sample.extracted,
        "verdict": "no_answer" if is_silent else sample.verdict,
        "why": _NO_RESPONSE if is_silent else None if sample.has_text else "the file has no text",
        "second_extractor": sample.second_extractor,
        "second_extracted": sample.second_extracted,
        "second_verdict": sample.second_verdict,
        "reward": sample.reward,
        "advantage": sample.advantage,
        "grader_version": sample.judge or None,
        "extra": json.dumps(origin | extra, ensure_ascii=False, default=str),
    }
    found |= {name: value for name, value in sample.columns.items() if name in ROLLOUT_SCHEMA.names}
    return {name: storable(value) if isinstance(value, str) else value for name, value in found.items()}


def _id_of(sample: ForeignSample) -> str:
    """Samples of one question are one problem; those of unknown questions are one problem a row."""
    return digest_of(sample.question) if sample.question is not None else f"row-{sample.row}"


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
