"""A pipe, a socket or a folder in place of a file ends in an error at once: reading it would wait for ever."""

from __future__ import annotations

import os
import shutil
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import pytest

from analysis.reading.load import load_runs
from app.runs.folder import RunsFolder
from orz_bench.errors import OrzError
from orz_bench.models.checkpoint import find_checkpoints
from orz_bench.records.regular import NotRegularError, read_text, require_regular
from orz_bench.records.run_dir import RunDir
from orz_rl.assets.resolve import TINY
from tests.support.runs import a_run


@pytest.fixture(autouse=True)
def _is_limited() -> Iterator[None]:
    """Waiting for a pipe's other end is the fault that is tested."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise AssertionError("it waits for ever")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def test_what_is_not_regular_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        for name, kind in {"pipe": "a pipe", "folder": "a folder", "socket": "a socket"}.items():
            with pytest.raises(NotRegularError, match=f"^it is {kind}.*, wanted a regular file"):
                require_regular(tmp_path / name)
    with pytest.raises(NotRegularError, match="a device"):
        require_regular(Path(os.devnull))
    with pytest.raises(FileNotFoundError):
        require_regular(tmp_path / "nothing")
    (tmp_path / "text").write_text("½", encoding="utf-8")
    (tmp_path / "link").symlink_to(tmp_path / "text")
    assert read_text(tmp_path / "link") == "½"


def read_run(path: Path) -> None:
    run = RunDir(path)
    run.info()
    run.metrics()
    run.results()
    for folder in [run.rollouts(1), *run.evaluations()]:
        folder.read()


READERS: dict[str, Callable[[Path], object]] = {
    "records": read_run,
    "analysis": lambda path: [list(run.rollouts.batches()) for run in load_runs([path]) if run.rollouts],
    "app": lambda path: RunsFolder.at(path.parent).runs(),
}


def with_a_pipe(folder: Path, out: Path) -> Iterator[Path]:
    """Copies of a folder, each with another of its files replaced by a pipe."""
    for number, file in enumerate(sorted(path for path in folder.rglob("*") if path.is_file())):
        copy = out / str(number) / folder.name
        shutil.copytree(folder, copy)
        damaged = copy / file.relative_to(folder)
        damaged.unlink()
        os.mkfifo(damaged)
        yield copy


@pytest.mark.parametrize("reader", READERS)
def test_a_pipe_in_a_run_is_an_error_or_is_left_out(reader: str, tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", num_steps=1)
    copies = list(with_a_pipe(run.path, tmp_path / "copies"))
    assert len(copies) >= 8
    for copy in copies:
        try:
            READERS[reader](copy)
        except (OrzError, NotRegularError):
            continue


def test_a_pipe_in_a_checkpoint_is_an_error(tmp_path: Path) -> None:
    for copy in with_a_pipe(TINY, tmp_path / "copies"):
        with pytest.raises((OrzError, NotRegularError)):
            find_checkpoints(str(copy), engine="transformers", step=None)
