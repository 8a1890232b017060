"""Commands in processes forked from one that has the heavy libraries loaded: a start takes milliseconds, not seconds.

Everything else is as in a process of its own: arguments, environment, output, exit code, signals. Real starts remain
where the start is what is tested, and where a library reads the environment when it is imported.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path

FORKED = multiprocessing.get_context("forkserver")
"""Its processes have the libraries of heavy_libraries.py loaded."""
FORKED.set_forkserver_preload(["tests.support.heavy_libraries"])


class ForkedCommand:
    """A running command, with what tests use of `subprocess.Popen`; `module` has a function `main`.

    `prepare` runs in the process before the command does.
    """

    def __init__(
        self,
        module: str,
        arguments: tuple[str, ...],
        *,
        environment: Mapping[str, str],
        prepare: Callable[[], object] | None = None,
    ) -> None:
        self.arguments = (module, *arguments)
        folder = Path(tempfile.mkdtemp(prefix="orz-tests-command"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self._outputs = tuple(folder / name for name in ("stdout", "stderr"))
        self._process = FORKED.Process(
            target=_run,
            args=(module, arguments, dict(environment), self._outputs, Path.cwd(), prepare),
            daemon=True,  # a test that fails half-way leaves nothing behind for longer than the session
        )
        self._process.start()
        assert self._process.pid is not None
        self.pid: int = self._process.pid

    @property
    def returncode(self) -> int | None:
        """Negative if a signal ended it, None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(self.arguments, timeout or 0.0)
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What it printed, once it has ended."""
        self.wait(timeout)
        stdout, stderr = (path.read_text(encoding="utf-8", errors="replace") for path in self._outputs)
        return stdout, stderr


def run_forked(
    module: str, arguments: tuple[str, ...], *, environment: Mapping[str, str], timeout_s: float
) -> subprocess.CompletedProcess[str]:
    """Run it to its end; a command that does not end in time is killed, as `subprocess.run` does it."""
    command = ForkedCommand(module, arguments, environment=environment)
    try:
        stdout, stderr = command.communicate(timeout_s)
    except subprocess.TimeoutExpired:
        command.send_signal(signal.SIGKILL)
        command.wait()
        raise
    assert command.returncode is not None
    return subprocess.CompletedProcess(command.arguments, command.returncode, stdout, stderr)


def _run(
    module: str,
    arguments: tuple[str, ...],
    environment: Mapping[str, str],
    outputs: tuple[Path, Path],
    folder: Path,
    prepare: Callable[[], object] | None,
) -> None:
    """In the child. It ends as an interpreter does: threads are joined and what is registered with atexit runs."""
    import atexit
    import threading

    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, path in enumerate(outputs, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.argv = [module, *arguments]
    if prepare is not None:
        prepare()
    try:
        import_module(module).main()
    finally:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
