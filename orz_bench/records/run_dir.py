"""The run directory: the only module that knows the names of its files, but those of values beside rollouts (values).

run.json  config.yaml  metrics.jsonl  events.jsonl  DONE | FAILED
rollouts/step=000120/part-*.parquet  buffer/part-*.parquet
evals/<benchmark>/step=000120/<fingerprint>/part-*.parquet, protocol.json, summary.json
checkpoints/step=000120/policy/
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from orz_bench.errors import OrzError, RunDirError
from orz_bench.records import parquet
from orz_bench.records.lines import append_row, read_rows
from orz_bench.records.locks import holder, locked, shared
from orz_bench.records.regular import read_text
from orz_bench.records.rollout import Rollout
from orz_bench.records.summary import EvalResult
from orz_bench.secrets import redact, redacted
from orz_bench.signals import stop_reason

RUN_SCHEMA_VERSION = 1
_RESERVE, _RESERVE_BYTES = ".reserve", 65_536
_MOST_JSON_BYTES = 64 << 20
"""Of run.json, protocol.json, summary.json; what we write has some thousand."""
_MOVE = "Move this file out of the folder and run the same command again: it generates what is then missing."
_STEP_FOLDER = re.compile(r"step=(\d+)")


def step_folder(step: int) -> str:
    """`step=000120`: sorts by name, and DuckDB, pandas and datasets read it as a partition."""
    return f"step={step:06d}"


def step_of(folder: Path) -> int | None:
    """The step in a folder's name, or None."""
    return int(match[1]) if (match := _STEP_FOLDER.fullmatch(folder.name)) else None


@dataclass(frozen=True, slots=True)
class RolloutsDir:
    """The rollouts of a training step or an evaluation, in parts."""

    path: Path

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Own this folder for writing; RunDirError if another running process owns it."""
        with locked(self.path) as is_owner:
            if not is_owner:
                raise RunDirError(
                    f"{self.path}: another process writes here{holder(self.path)}. Wait for it, or choose another "
                    f"folder with --out."
                )
            parquet.finish_parts(self.path)
            yield

    def append(self, rollouts: Sequence[Rollout]) -> None:
        """Commit these rollouts as one part."""
        parquet.write_part(self.path, rollouts)

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        """All committed rollouts."""
        return parquet.read_parts(self.path, columns)

    def rows(self) -> list[Rollout]:
        """All committed rollouts as records, with every column that they have."""
        return parquet.rollouts_from_table(self.read(parquet.all_columns(self.path)))

    def keys(self) -> set[tuple[str, int]]:
        """(problem id, sample index) of every committed rollout."""
        table = self.read(["problem_id", "sample_index"])
        return set(zip(table["problem_id"].to_pylist(), table["sample_index"].to_pylist(), strict=True))

    def require_own(self, *, benchmark: str, step: int, seed_of: Callable[[str, int], int | None]) -> None:
        """Check that all parts belong here: RunDirError for foreign rows and for duplicate rows.

        `seed_of`: the seed of a problem id and a sample index; None for an unknown problem.
        """
        seen: dict[tuple[str, int], Path] = {}
        for path in parquet.part_files(self.path):
            for row in parquet.read_part(path, ["problem_id", "sample_index", "benchmark", "step", "seed"]).to_pylist():
                key = row["problem_id"], row["sample_index"]
                wanted = {"benchmark": benchmark, "step": step, "seed": seed_of(*key)}
                differing = [name for name, value in wanted.items() if row[name] != value]
                if differing:
                    what = ", ".join(f"{name} {row[name]!r}, wanted {wanted[name]!r}" for name in differing)
                    raise RunDirError(
                        f"{path}: sample {key[1]} of {key[0]} is not of this evaluation ({what}). {_MOVE}"
                    )
                if key in seen:
                    raise RunDirError(f"{path}: sample {key[1]} of {key[0]} is also in {seen[key].name}. {_MOVE}")
                seen[key] = path

    def replace(self, rollouts: Sequence[Rollout]) -> None:
        """Replace all parts by one. A crash in between neither loses a row nor duplicates one."""
        parquet.replace_parts(self.path, rollouts)


@dataclass(frozen=True, slots=True)
class EvaluationDir(RolloutsDir):
    """The samples of one benchmark, one checkpoint and one protocol: evals/<benchmark>/step=<step>/<fingerprint>."""

    @property
    def benchmark(self) -> str:
        """The benchmark's name, as that of a folder."""
        return self.path.parent.parent.name

    @property
    def step(self) -> int:
        """The training step of the checkpoint; 0 for a folder whose name has none."""
        return step_of(self.path.parent) or 0

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the protocol."""
        return self.path.name

    def under(self, fingerprint: str) -> EvaluationDir:
        """The samples of the same benchmark and checkpoint under another protocol."""
        return EvaluationDir(self.path.with_name(fingerprint))

    @property
    def protocol_path(self) -> Path:
        """The protocol card with the identity of model and seed."""
        return self.path / "protocol.json"

    @property
    def summary_path(self) -> Path:
        """The statistics of the last evaluation here."""
        return self.path / "summary.json"

    @property
    def regraded_from(self) -> str | None:
        """The fingerprint of the evaluation whose samples were graded again here; None if they were generated here."""
        found = read_json(self.protocol_path).get("regraded_from") if self.protocol_path.exists() else None
        return found if isinstance(found, str) and found == Path(found).name != ".." else None

    def result(self) -> EvalResult | None:
        """The last summary, or None if no evaluation has finished here."""
        found = read_json(self.summary_path) if self.summary_path.exists() else None
        return replace(EvalResult.from_json(found), regraded_from=self.regraded_from) if found is not None else None

    def write_result(self, result: EvalResult) -> None:
        """Replace the summary."""
        write_text(self.summary_path, to_json(result.to_json()))


@dataclass(frozen=True, slots=True)
class RunDir:
    """One run: training, or evaluation only."""

    path: Path

    @property
    def run_path(self) -> Path:
        """How this run was made: command, versions, machine."""
        return self.path / "run.json"

    def exists(self) -> bool:
        """Whether a run has been started here."""
        return self.run_path.exists()

    def info(self) -> dict[str, Any]:
        """The content of run.json. Raises RunDirError if the folder is not a run, or has a newer schema."""
        if not self.exists():
            raise RunDirError(f"{self.path}: not a run directory (it has no run.json); name one written by orz.")
        info = read_json(self.run_path)
        version = info.get("schema_version")
        if not isinstance(version, int) or version > RUN_SCHEMA_VERSION:
            raise RunDirError(
                f"{self.path}: a run of schema {version}, but this version reads up to {RUN_SCHEMA_VERSION}; "
                f"upgrade orz to use it."
            )
        if not isinstance(info.get("kind"), str):
            raise RunDirError(f"{self.run_path}: has no kind (train, eval); restore the file, or name another folder.")
        return info

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Own the whole run for writing; RunDirError if another running process owns it. Writes nothing else."""
        with self.owned() as is_owner:
            if not is_owner:
                raise RunDirError(
                    f"{self.path}: another process is at work in this run. Wait for it, or choose another --out."
                )
            yield

    @contextlib.contextmanager
    def owned(self) -> Iterator[bool]:
        """Own the run if nobody does: only its owner marks it. Yields whether this process is the owner."""
        with locked(self.path) as is_owner:
            yield is_owner

    def create(self, *, kind: str, command: Sequence[str], seed: int, environment: Mapping[str, Any]) -> None:
        """Start a run here, or join the existing one (which is not changed)."""
        if self.exists():
            self.info()
            return
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise parquet.disk_error(self.path, error) from error
        head = {"schema_version": RUN_SCHEMA_VERSION, "kind": kind, "created": _now()}
        facts = head | {"command": redacted(list(command)), "seed": seed} | dict(environment)
        write_text(self.run_path, to_json(facts))

    def write_config(self, text: str) -> None:
        """Replace config.yaml, the resolved configuration."""
        write_text(self.config_path, text)

    def add_event(self, event: str, **facts: Any) -> None:
        """Append a line to events.jsonl."""
        append_row(self.events_path, {"time": _now(), "event": event} | redacted(facts))

    def events(self, *names: str) -> list[dict[str, Any]]:
        """The complete lines of events.jsonl, for these events or for all, oldest first."""
        rows, _ = read_rows(self.events_path)
        return [row for row in rows if not names or row.get("event") in names]

    def mark(self, state: str, text: str = "") -> None:
        """Write DONE or FAILED (removing the other); an empty `state` removes both, for a run that continues."""
        for name in ("DONE", "FAILED"):
            if name != state:
                (self.path / name).unlink(missing_ok=True)
        if state:
            write_text(self.path / state, redact(text) + "\n")

    @contextlib.contextmanager
    def shared(self) -> Iterator[Callable[[], bool] | None]:
        """Take part as one of several writers; the function returns whether there are no others.

        None if a process owns the whole run: only that process marks it.
        """
        with shared(self.path) as is_alone:
            yield is_alone

    @contextlib.contextmanager
    def writing(self, *, stopped_event: str, done: str = "") -> Iterator[None]:
        """What owns the run works inside: DONE with the text `done` at the end, FAILED on an exception of any kind."""
        with self.marks_failure(stopped_event):
            self.mark("")
            yield
            self.mark("DONE", done)

    @contextlib.contextmanager
    def marks_failure(self, event: str, *, is_inner: bool = False) -> Iterator[None]:
        """Mark the run FAILED, and add the event, if the body raises any exception.

        An exception is marked only once. Some space is reserved meanwhile, so that the failure can be marked on a full
        disk; within another such context (`is_inner`) the reserve is kept for that one.
        """
        reserve = self.path / _RESERVE
        try:
            write_text(reserve, "0" * _RESERVE_BYTES)
            yield
        except BaseException as error:
            if self.state() != "failed":
                self._fail(event, reason_of(error))
            raise
        if not is_inner:
            reserve.unlink(missing_ok=True)

    def _fail(self, event: str, text: str) -> None:
        with contextlib.suppress(OSError):
            (self.path / _RESERVE).unlink()
        with contextlib.suppress(RunDirError):  # the first failure must be reported
            self.mark("FAILED", text)
        with contextlib.suppress(RunDirError):
            self.add_event(event, text=text)

    @property
    def metrics_path(self) -> Path:
        """One row per training step."""
        return self.path / "metrics.jsonl"

    def metrics(self) -> tuple[list[dict[str, Any]], int]:
        """(the complete rows of metrics.jsonl, the number of other lines: a killed writer may leave a torn one)."""
        rows, num_torn = read_rows(self.metrics_path)
        whole = [row for row in rows if isinstance(row.get("step"), int | float) and row["step"] is not True]
        return whole, num_torn + len(rows) - len(whole)

    def append_metrics(self, row: Mapping[str, Any]) -> None:
        """Add the row of a step. Raises RunDirError where the disk refuses, and then the file is as it was."""
        append_row(self.metrics_path, row)

    def write_metrics(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Replace all rows."""
        write_text(self.metrics_path, "".join(json.dumps(dict(row)) + "\n" for row in rows))

    @property
    def events_path(self) -> Path:
        """One line per event."""
        return self.path / "events.jsonl"

    @property
    def config_path(self) -> Path:
        """The resolved configuration."""
        return self.path / "config.yaml"

    def state(self) -> Literal["done", "failed", "open"]:
        """What was marked last: DONE, FAILED, or neither, for a run that is active or was killed."""
        is_done, is_failed = ((self.path / mark).exists() for mark in ("DONE", "FAILED"))
        return "done" if is_done else "failed" if is_failed else "open"

    def sampled_steps(self) -> list[tuple[int, RolloutsDir]]:
        """(step, its rollouts) for training, by step."""
        found = ((step_of(folder), RolloutsDir(folder)) for folder in (self.path / "rollouts").glob("step=*"))
        return sorted(((step, rollouts) for step, rollouts in found if step is not None), key=lambda pair: pair[0])

    def rollouts(self, step: int) -> RolloutsDir:
        """The folder for the rollouts of a training step."""
        return RolloutsDir(self.path / "rollouts" / step_folder(step))

    def evaluation(self, *, benchmark: str, step: int, fingerprint: str) -> EvaluationDir:
        """The folder for the samples of one benchmark, checkpoint and protocol."""
        return EvaluationDir(self.path / "evals" / benchmark / step_folder(step) / fingerprint)

    def evaluations(self) -> list[EvaluationDir]:
        """Every evaluation started here, by benchmark, step and fingerprint."""
        return [EvaluationDir(path.parent) for path in sorted((self.path / "evals").glob("*/step=*/*/protocol.json"))]

    def results(self) -> list[EvalResult]:
        """Every evaluation finished here."""
        return [result for each in self.evaluations() if (result := each.result()) is not None]

    def checkpoints(self) -> list[tuple[int, Path]]:
        """(step, folder of the policy), by step, for every saved checkpoint that has one.

        Training writes a manifest last, so its checkpoints without one are incomplete and skipped.
        """
        found = sorted((self.path / "checkpoints").glob("step=*"))
        whole = [folder for folder in found if (folder / "manifest.json").exists() or not self._was_trained()]
        steps = [(step, folder / "policy") for folder in whole if (step := step_of(folder)) is not None]
        return sorted((step, policy) for step, policy in steps if policy.is_dir())

    def _was_trained(self) -> bool:
        """Whether orz-rl wrote this run; checkpoints of other origin have no manifest."""
        return self.exists() and "run_id" in self.info()


def to_json(value: Any) -> str:
    """Indented JSON for files that people read."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file; RunDirError if it is not one."""
    try:
        if (size := path.stat().st_size) > _MOST_JSON_BYTES:
            raise RunDirError(
                f"{path}: has {size:,} bytes, wanted at most {_MOST_JSON_BYTES:,}; restore it or move its folder away."
            )
        value = json.loads(read_text(path))
    except (OSError, ValueError, RecursionError) as error:
        raise RunDirError(f"{path}: not readable as JSON ({error}); restore it or move its folder away.") from error
    if not isinstance(value, dict):
        raise RunDirError(f"{path}: contains a {type(value).__name__}, wanted a JSON object; restore it.")
    return value


def write_text(path: Path, text: str) -> None:
    """Replace a file atomically: a crash leaves either the old or the new text."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        # A lone surrogate, which UTF-8 cannot encode, is written as \udXXX, as in JSON.
        with temporary.open("w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        parquet.sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise parquet.disk_error(path, error) from error


def reason_of(error: BaseException) -> str:
    """The text of FAILED for an exception."""
    if isinstance(error, KeyboardInterrupt):
        return stop_reason()
    return str(error) if isinstance(error, OrzError) else f"{type(error).__name__}: {error}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
