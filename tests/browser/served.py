"""The app as a server of its own, on a free port of loopback: `with served(folder) as address`."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

PROJECT = Path(__file__).parents[2]


def chromium_path() -> str | None:
    """$CHROMIUM, or one on the path."""
    return os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")


@contextlib.contextmanager
def served(
    runs: Path, *, data: Path | None = None, environment: Mapping[str, str] | None = None, below: str = ""
) -> Iterator[str]:  # fmt: skip
    """The address of an app on these runs, `http://127.0.0.1:PORT`, or `/NAME` below it; it ends with the block."""
    port = _free_port()
    address = f"http://127.0.0.1:{port}{f'/{below}' if below else ''}"
    command = [sys.executable, "-m", "app.cli", "--runs", str(runs), "--port", str(port)]
    command += ["--data", str(data)] if data else []
    command += ["--server.baseUrlPath", below] if below else []
    paths = {"PYTHONPATH": str(PROJECT), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command, cwd=PROJECT, env={**os.environ, **paths, **(environment or {})}, stdin=subprocess.DEVNULL
    )
    try:
        _wait_until_up(address, process)
        yield address
    finally:
        process.terminate()
        try:
            process.wait(timeout=100)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait_until_up(address: str, process: subprocess.Popen[bytes]) -> None:
    while not _is_up(address):
        assert process.poll() is None, f"the server ended with {process.returncode}"
        time.sleep(0.1)


def _is_up(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/_stcore/health", timeout=60) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
