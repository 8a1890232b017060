"""Install the lowest versions that pyproject.toml allows and run the commands: `python -m requirements.check_lowest`.

A wheel of the project, first with the base dependencies alone, then with the extras that bring no engine of their own.
Every `name>=version` is installed as that very version, so a lower bound is one that installs beside the others.
Options are those of pip install. Exit code 1 with what failed; a minute, in a temporary folder.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from requirements.install import UvCannotError, uv_install

PROJECT = Path(__file__).parents[1]
EXTRAS = ("openai", "analysis", "app")
RUN = str(PROJECT / "tests" / "golden" / "run_v1")
FAKE = ("orz-bench", "eval", "--ckpt", "fake:0.5:0.5", "--engine", "fake", "--bench", "arithmetic", "--limit", "5")
BASE: tuple[tuple[str, ...], ...] = (
    ("orz-bench", "--version"),
    (*FAKE, "--n", "2", "--out", "run"),
    ("orz-bench", "report", RUN),
    ("orz-bench", "report", "run", "--format", "html", "--out", "run.html"),
    ("orz-bench", "compare", "run", "run"),
    ("orz-bench", "import", "answers.jsonl", "--out", "imported"),
    ("orz-bench", "grade", "--bench", "arithmetic", "--in", "answers.jsonl", "--out", "graded.jsonl"),
    ("orz-bench", "data", "list"),
    ("orz-bench", "data", "check", "arithmetic"),
    ("orz-rl", "recipes"),
    ("orz-rl", "plan", "--recipe", "tiny", "--json"),
)
WITH_EXTRAS: tuple[tuple[str, ...], ...] = (
    ("orz-analysis", "metrics"),
    ("orz-analysis", "figures"),
    ("orz-analysis", "report", RUN, "--out", "report"),
    ("orz-analysis", "reflection", RUN, "--json"),
    ("orz-analysis", "compare", RUN, "run"),
    ("python", "-c", "import app.main, app.queries.index, app.views.charts, orz_bench.engines.openai.engine"),
)
REFUSED: tuple[tuple[str, ...], ...] = (
    ("orz-analysis", "report", RUN, "--out", "report"),
    ("orz-rl", "train", "--recipe", "tiny", "--out", "training"),
    ("orz-bench", "eval", "--ckpt", "m", "--bench", "arithmetic"),
    ("python", "-m", "app.main"),
    ("orz-app", "--runs", "."),
)
"""What needs an extra: exit code 2 and a command that installs it."""


def lowest(requirement: str) -> str:
    """`name==version` for `name>=version,...`; another requirement as it is."""
    return re.sub(r"^([A-Za-z0-9._-]+(?:\[[^\]]*\])?)>=([^,]+).*$", r"\1==\2", requirement)


def main() -> int:
    """The exit code."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [line for extra in EXTRAS for line in project["optional-dependencies"][extra]]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "answers.jsonl").write_text(
            '{"question": "1 + 1", "gold": "2", "response": "\\\\boxed{2}"}\n', "utf-8"
        )
        subprocess.run([sys.executable, "-m", "venv", str(folder / "environment")], check=True)
        faults = _install(folder, project["dependencies"])
        faults = faults or [*_failed(folder, BASE), *_failed(folder, REFUSED, code=2)]
        faults = faults or _install(folder, [*project["dependencies"], *extras])
        faults = faults or _failed(folder, WITH_EXTRAS)
        faults = faults or _app_does_not_start(folder)
    for fault in faults:
        print(f"lowest versions: {fault}", file=sys.stderr)
    return 1 if faults else 0


def _install(folder: Path, requirements: Sequence[str]) -> list[str]:
    """The project and these at their lowest; what went wrong."""
    environment, options = folder / "environment", sys.argv[1:]
    try:
        command, variables = uv_install(environment, options)
    except UvCannotError:
        command, variables = [str(environment / "bin" / "python"), "-m", "pip", "install", "-q", *options], {}
    wanted = sorted({*map(lowest, requirements)})
    print(f"lowest versions: {' '.join(wanted)}", flush=True)
    for more in (wanted, ["--no-deps", str(PROJECT)]):
        done = subprocess.run(
            [*command, *more], capture_output=True, text=True, check=False, env=os.environ | variables
        )
        if done.returncode != 0:
            return [f"cannot be installed together: {done.stderr.strip()}"]
    return []


def _failed(folder: Path, commands: Sequence[tuple[str, ...]], *, code: int = 0) -> list[str]:
    faults = []
    ours = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE")  # with the latter every command would compile sympy again
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    for program, *arguments in commands:
        command = [str(folder / "environment" / "bin" / program), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=environment)
        is_right = done.returncode == code and (code == 0 or "pip install" in done.stderr)
        if not is_right or "Traceback" in done.stderr:
            shown = " ".join([program, *arguments])
            faults.append(f"{shown}: exit code {done.returncode}, wanted {code}\n{done.stderr.strip()[-2000:]}")
    return faults


def _app_does_not_start(folder: Path) -> list[str]:
    """Start `orz-app` outside of the checkout, ask it for its page, and end it."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = int(listener.getsockname()[1])
    command = [str(folder / "environment" / "bin" / "orz-app"), "--runs", ".", "--port", str(port)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with (folder / "app.log").open("wb") as log:
        server = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        while server.poll() is None:
            with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60) as answer:
                return [] if b"<html" in answer.read() else ["orz-app: answered without a page"]
            time.sleep(0.2)
        printed = (folder / "app.log").read_text("utf-8").strip()[-2000:]
        return [f"orz-app: ended with {server.returncode}\n{printed}"]
    finally:
        server.terminate()
        server.wait(timeout=100)


if __name__ == "__main__":
    sys.exit(main())
