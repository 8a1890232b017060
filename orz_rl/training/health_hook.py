"""A command of the user's that hears of a sign of ill health, such as one that sends a message.

It gets facts of ours and numbers, no text of a model, and no shell reads anything. It runs beside the training: one
that fails or hangs is ended and written into the events, and neither stops nor delays a step.
"""

from __future__ import annotations

import json
import os
import selectors
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from contextlib import suppress

from orz_bench.errors import ConfigError, OrzError
from orz_bench.records.run_dir import RunDir

TIMEOUT_S = 10.0
_KEPT_BYTES = 500


def check_hook(command: str | None) -> None:
    """Raises ConfigError where the command cannot be started, so that it is found before it is needed."""
    if command is None:
        return
    program = _arguments(command)[0]
    if shutil.which(program) is None:
        raise ConfigError(f"health.hook: there is no program {program!r}; give its path, or leave health.hook out.")


def start_hook(
    command: str, facts: Mapping[str, str | int], *, run: RunDir, timeout_s: float = TIMEOUT_S
) -> threading.Thread:
    """Run the command once, with the facts as JSON on stdin and as ORZ_<NAME> in its environment. Returns at once.

    What became of it is an event of the run. At the end of a process the last one still gets its time.
    """
    thread = threading.Thread(
        target=_run, args=(command, dict(facts)), kwargs={"run": run, "timeout_s": timeout_s}, name="health.hook"
    )
    thread.start()
    return thread


def _run(command: str, facts: dict[str, str | int], *, run: RunDir, timeout_s: float) -> None:
    outcome = _outcome(command, facts, timeout_s=timeout_s)
    with suppress(OrzError, OSError):  # a disk that is full is told by what else writes there
        run.add_event("hook", sign=facts.get("sign"), step=facts.get("step"), text=outcome)


def _outcome(command: str, facts: dict[str, str | int], *, timeout_s: float) -> str:
    try:
        process = subprocess.Popen(
            _arguments(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=os.environ | {f"ORZ_{name.upper()}": str(value) for name, value in facts.items()},
            start_new_session=True,
        )
    except (OSError, ValueError, OrzError) as error:
        return f"not started: {error}"
    assert process.stdin is not None
    assert process.stdout is not None
    deadline = time.monotonic() + timeout_s
    with suppress(OSError), process.stdin as stdin:  # one that reads nothing closes it
        stdin.write(json.dumps(facts).encode())
    with process.stdout as output:  # open until it has ended: a closed pipe would end it otherwise
        said = _last_words(output.fileno(), deadline=deadline)
        try:
            process.wait(timeout=max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return f"ended: it was not done after {timeout_s:g} s"
    result = "done" if process.returncode == 0 else f"failed with exit code {process.returncode}"
    return f"{result}: {said}" if said else result


def _last_words(descriptor: int, *, deadline: float) -> str:
    """What it printed last; of one that never stops printing no more is held."""
    os.set_blocking(descriptor, False)
    kept = b""
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0:
            chunk = os.read(descriptor, 65_536) if selector.select(left) else b""
            if not chunk:
                break
            kept = (kept + chunk)[-_KEPT_BYTES:]
    return kept.decode(errors="replace").strip()


def _arguments(command: str) -> list[str]:
    try:
        arguments = shlex.split(command)
    except ValueError as error:
        raise ConfigError(f"health.hook is {command!r}: no command line ({error}); mend its quotes.") from error
    if not arguments:
        raise ConfigError("health.hook is empty; give a command, or leave it out.")
    return arguments
