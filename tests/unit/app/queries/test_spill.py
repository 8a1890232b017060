"""A folder of a process that was killed goes with the next one; that of a living process, and a stranger's, stay."""

from __future__ import annotations

import errno
import fcntl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.queries import spill

_HOLD = "from app.queries.spill import spill_folder; print(spill_folder(), flush=True); input()"


@contextmanager
def _process(temporary: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A process with its folder, which ends by itself unless it is killed before."""
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD], env={"TMPDIR": str(temporary)}, cwd=Path(__file__).parents[4],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        folder = Path(process.stdout.readline().strip())
        assert (folder.is_dir(), folder.stat().st_mode & 0o077) == (True, 0)
        yield process, folder
        process.communicate("\n")


def test_a_file_system_without_locks_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(fcntl, "flock", refuse)
    (tmp_path / "orz-app-spilled-other").mkdir()
    folder = spill.spill_folder.__wrapped__()
    assert {path.name for path in tmp_path.iterdir()} == {"orz-app-spilled-other", Path(folder).name}


def test_what_a_killed_process_left_goes_with_the_next(tmp_path: Path) -> None:
    (tmp_path / "orz-app-spilled-link").symlink_to(tmp_path)
    (tmp_path / "orz-app-spilled-file").write_text("", encoding="utf-8")
    (tmp_path / "other").mkdir()
    not_ours = set(tmp_path.iterdir())
    with _process(tmp_path) as (living, kept):
        with _process(tmp_path) as (killed, left):
            (left / "spilled").write_text("texts", encoding="utf-8")
            killed.kill()
        assert left.is_dir()
        with _process(tmp_path) as (_, next_one):
            assert set(tmp_path.iterdir()) == not_ours | {kept, next_one}
        assert set(tmp_path.iterdir()) == not_ours | {kept}, "a process removes its own at its end"
    assert living.returncode == 0
    assert set(tmp_path.iterdir()) == not_ours
