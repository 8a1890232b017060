"""Follows a training that another trainer runs: reads its files round by round, and writes what is complete into a run.

A step's row of metrics is written when it is complete: when a line of a log has all of it, or all processes that write
into a log have gone past it, or the training has ended. What comes later still completes the row. Nothing is remembered
but in memory and in the run itself: after a kill the files are read from their start, and the run gets what it lacks.
The followed files are only read.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from orz_bench.environment import describe_environment
from orz_bench.errors import DataError, RunDirError, counted
from orz_bench.exchange.logs.curves import Curves, WentBack
from orz_bench.grading.grader import Grader
from orz_bench.records.run_dir import RunDir
from orz_rl.backends.following.dumps import Rollouts
from orz_rl.backends.following.files import FollowedFiles
from orz_rl.backends.following.recognise import tool_named
from orz_rl.backends.following.tool import Feed, Row, Tool, ordered, our_name

_MOST_APPENDED = 8
"""More rows than these are written with the whole file at once."""
Notice = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """A training to follow, and how."""

    tool: str
    path: Path
    """A folder with its files, or one of its logs."""
    also: tuple[Path, ...] = ()
    """Other folders and files of the same training."""
    every_s: float = 5.0
    """Time between two rounds; a dump is taken when it has not changed for one."""
    grade: bool = False
    """Whether rollouts with a gold get our verdict too."""
    extractor: str = "final"
    metrics_only: bool = False

    @property
    def paths(self) -> tuple[Path, ...]:
        """All folders and files."""
        return (self.path, *self.also)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What a round found and wrote."""

    last_step: float | None
    num_rows: int
    """Rows of metrics that are new or changed."""
    num_rollouts: int
    has_read: bool
    """Whether a followed file had something new."""
    ended: bool
    """Whether the training says itself that it has ended."""


def follow(
    followed: Followed,
    run: RunDir,
    *,
    is_over: Callable[[], bool],
    notice: Notice,
    pause: Callable[[float], None] = time.sleep,
) -> Progress:
    """Write what the training writes into `run`, which exists and is owned by the caller, until `is_over`.

    `is_over` is asked before each round, and everything is read once more after it has said yes. The last round's
    progress is returned. Raises DataError for files that contradict each other.
    """
    with _follower(followed, run, notice=notice) as follower:
        while not is_over():
            follower.round(is_last=False)
            pause(followed.every_s)
        return follower.round(is_last=True)


def watch(
    followed: Followed,
    run: RunDir,
    *,
    command: Sequence[str],
    notice: Notice,
    until_idle_s: float | None = None,
    pause: Callable[[float], None] = time.sleep,
) -> Progress:
    """Follow a training into its own run directory until it has ended, or nothing has changed for `until_idle_s`.

    The run is marked DONE then, and FAILED if it is stopped or raises. Raises RunDirError for a run of another
    training.
    """
    _require_outside(run, followed)
    facts = {"seed": None, "backend": followed.tool, "followed": str(followed.path.absolute())}
    idle = _Idle(until_idle_s)
    with run.lock():
        if run.exists():
            _require_same(run, followed)
        run.create(kind="train", command=command, seed=0, environment=describe_environment() | facts)
        with (
            run.writing(stopped_event="stopped", done="followed to its end"),
            _follower(followed, run, notice=notice) as follower,
        ):
            while not idle.is_over(progress := follower.round(is_last=False), notice):
                _tell(progress, notice)
                pause(followed.every_s)
            return follower.round(is_last=True)


@contextlib.contextmanager
def _follower(followed: Followed, run: RunDir, *, notice: Notice) -> Iterator[Follower]:
    with contextlib.ExitStack() as stack:
        grader = stack.enter_context(Grader(extractor=followed.extractor)) if followed.grade else None
        follower = Follower(followed, run, grader=grader, notice=notice)
        stack.callback(follower.close)
        yield follower


def _tell(progress: Progress, notice: Notice) -> None:
    if progress.num_rows or progress.num_rollouts:
        notice(
            f"step {progress.last_step}: {counted(progress.num_rows, 'row')} of metrics and "
            f"{counted(progress.num_rollouts, 'rollout')} written"
        )


class _Idle:
    """Whether a training that somebody else started is over."""

    def __init__(self, until_idle_s: float | None) -> None:
        self._until_idle_s = until_idle_s
        self._changed_at = time.monotonic()

    def is_over(self, progress: Progress, notice: Notice) -> bool:
        now = time.monotonic()
        if progress.has_read:
            self._changed_at = now
        if progress.ended and not progress.has_read:
            return True
        is_idle = self._until_idle_s is not None and now - self._changed_at >= self._until_idle_s
        if is_idle:
            notice(f"nothing has changed for {self._until_idle_s:g} s: taken as the end")
        return is_idle


def _require_outside(run: RunDir, followed: Followed) -> None:
    """The run does not lie among the files that are only read."""
    for path in followed.paths:
        if path.is_dir() and run.path.resolve().is_relative_to(path.resolve()):
            raise RunDirError(f"{run.path}: lies in {path}, which is followed and never written; choose another --out.")


def _require_same(run: RunDir, followed: Followed) -> None:
    """The run follows this training."""
    info = run.info()
    wanted = {"kind": "train", "backend": followed.tool, "followed": str(followed.path.absolute())}
    differing = [name for name, value in wanted.items() if info.get(name) != value]
    if differing:
        what = ", ".join(f"{name} {info.get(name)!r}, wanted {wanted[name]!r}" for name in differing)
        raise RunDirError(f"{run.path}: is another run ({what}); choose another --out.")


class Follower:
    """One round after the other; what it knows beyond the run's files is read again after a restart."""

    def __init__(self, followed: Followed, run: RunDir, *, grader: Grader | None, notice: Notice) -> None:
        self._tool: Tool = tool_named(followed.tool)
        self._run, self._notice, self._metrics_only = run, notice, followed.metrics_only
        self._files = FollowedFiles(self._tool, followed.paths)
        self._sizes: dict[Path, int] = {}
        self._written, num_torn = run.metrics()
        self._is_torn, self._is_first = num_torn > 0, True
        self._curves = Curves(self._written, lambda name: our_name(self._tool, name))
        root = followed.path.parent if followed.path.is_file() else followed.path
        self._rollouts = Rollouts(self._tool, run, root=root, grader=grader, notice=notice)

    def close(self) -> None:
        """Close the followed files."""
        self._files.close()

    def round(self, *, is_last: bool) -> Progress:
        """Read what is new and write what is complete. `is_last`: the training has ended, so all of it is."""
        self._files.look()
        sizes = self._files.sizes()
        has_grown, self._sizes = sizes != self._sizes, sizes
        has_read = self._read(is_last=is_last)
        num_rollouts = 0 if self._metrics_only else self._take_dumps(is_last=is_last)
        num_rows = self._write_rows(is_last=is_last) if has_read or is_last else 0
        return Progress(
            last_step=self._curves.last(),
            num_rows=num_rows,
            num_rollouts=num_rollouts,
            has_read=has_read or has_grown or num_rollouts > 0,
            ended=self._ended(),
        )

    def _read(self, *, is_last: bool) -> bool:
        has_read = False
        for feed in list(self._files.feeds.values()):
            try:
                has_read |= self._read_feed(feed, is_last=is_last)
            except OSError as error:
                raise DataError(f"{feed.key}: cannot be read ({error}); make it readable.") from error
        for writer, overlap in self._curves.overlaps():
            self._go_back(overlap, writer, where="the logs")
        if (went_back := self._curves.settle()) is not None:
            self._go_back(went_back, self._tool.dumped_by, where="the logs")
        for text in self._curves.contradictions():
            self._notice(text)
            self._run.add_event("notice", text=text)
        self._is_first = False
        return has_read

    def _read_feed(self, feed: Feed, *, is_last: bool) -> bool:
        has_read = False
        for line in feed.poll(is_last=is_last):
            has_read = True
            if isinstance(line, str):
                self._notice(line)
                self._run.add_event("notice", text=line)
            elif (went_back := self._curves.take(feed, line)) is not None:
                self._go_back(went_back, line.writer, where=str(feed.key))
        return has_read

    def _go_back(self, went_back: WentBack, writer: str, *, where: str) -> None:
        self._notice(
            f"{where}: the steps go back from {went_back.until} to {went_back.to}, so training was resumed; the later "
            f"values count from step {went_back.to} on"
        )
        if writer == self._tool.dumped_by:
            self._rollouts.go_back(went_back.to, went_back.until, is_known_already=self._is_first)

    def _take_dumps(self, *, is_last: bool) -> int:
        prefix = self._tool.overwritten_by
        if prefix:
            self._rollouts.leave_out(self._files.dumps.values(), self._curves.having(prefix))
        return self._rollouts.take(
            self._files.dumps.values(), last_step=self._curves.last(self._tool.dumped_by), is_last=is_last
        )

    def _write_rows(self, *, is_last: bool) -> int:
        complete, there = self._curves.complete_before(), {row["step"] for row in self._written}
        rows = self._curves.rows()
        wanted = [_row(step, rows[step]) for step in rows if is_last or step < complete or step in there]
        same = 0
        while same < min(len(wanted), len(self._written)) and wanted[same] == self._written[same]:
            same += 1
        new = wanted[same:]
        if same < len(self._written) or self._is_torn or len(new) > _MOST_APPENDED:
            self._run.write_metrics(wanted)
        else:
            for row in new:
                self._run.append_metrics(row)
        self._written, self._is_torn = wanted, False
        return len(new)

    def _ended(self) -> bool:
        """Whether the log that says so is not behind another one, of a training that was resumed."""
        marks = [feed for feed in self._files.feeds.values() if feed.ended]
        newest = self._curves.last()
        return any((last := self._curves.last_of(feed)) is None or last == newest for feed in marks)


def _row(step: float, values: dict[str, float]) -> Row:
    return {"step": step} | ordered(values)
