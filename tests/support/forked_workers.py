"""Ray's worker processes, forked from one that has the heavy libraries loaded: a start takes no six seconds of CPU.

Ray starts a worker by a command, whose Python is a setting (`py_executable`). Here it is forked_worker.py, which passes
the command on to a process that forks, and ends with the fork. Everything else is as Ray does it. That workers also
start by themselves is tested in tests/integration/test_ray.py.
"""

from __future__ import annotations

import json
import os
import shlex
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.support.preloaded import FORKED

_PYTHON = "ORZ_TESTS_PYTHON_OF_WORKERS"
_CLIENT = Path(__file__).with_name("forked_worker.py")


@contextmanager
def forked_workers() -> Iterator[Mapping[str, str]]:
    """Variables for the process that connects to Ray: its workers are forked while the block runs."""
    with tempfile.TemporaryDirectory(prefix="orz-tests-ray") as folder:
        address = f"{folder}/socket"
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(address)
        listener.listen(100)
        server = FORKED.Process(target=_serve, args=(listener,), daemon=True)
        server.start()
        listener.close()
        python = shlex.join([sys.executable, "-IS", str(_CLIENT), address])
        yield {"RAY_RUNTIME_ENV_HOOK": f"{__name__}.with_forked_workers", _PYTHON: python}
        server.kill()
        server.join()


def with_forked_workers(runtime_env: dict[str, Any] | None) -> dict[str, Any]:
    """What Ray calls with the settings of a job's processes."""
    return {**(runtime_env or {}), "py_executable": os.environ[_PYTHON]}


def _serve(listener: socket.socket) -> None:
    """Fork a worker for each connection, which stays open as long as the worker lives."""
    while True:
        connection, _ = listener.accept()
        with connection:
            if os.fork() == 0:
                os.setsid()  # Ray ends the whole process group of a worker that has ended
                listener.close()
                _work(connection)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _work(connection: socket.socket) -> None:
    """In the child: become the process that Ray asked for. Does not return."""
    import atexit
    import runpy
    import threading
    import traceback

    import torch

    first, outputs, _, _ = socket.recv_fds(connection, 1 << 16, 3)
    rest = iter(lambda: connection.recv(1 << 16), b"")
    command = json.loads(b"".join([first, *rest]))
    for number, file in enumerate(outputs):
        os.dup2(file, number)
        os.close(file)
    os.chdir(command["folder"])
    os.environ.clear()
    os.environ.update(command["environment"])
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))  # what torch does when it is imported
    sys.argv = command["arguments"]
    sys.path.insert(0, str(Path(sys.argv[0]).parent))
    code = 0
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    finally:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
