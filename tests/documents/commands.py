"""Run the commands of the documents: `python -m tests.documents.commands [--write] [PAGE...]`.

Two kinds of blocks have commands. In one of the language `console` lines that begin with `$ ` are run as they stand and
what follows is their output, which `--write` writes; all blocks of a page share one folder, and `python` blocks between
them are run too: a block of the language `text` right behind one is what it prints. In a plain block every line that
begins with a program of ours is run as `commands.yaml` says:

    ok                as it stands
    + WORDS           with these words behind it, mostly to make it small
    = COMMAND         this one instead, mostly with a file in place of PATH
    data: COMMAND     this one, where benchmark data are: in $ORZ_DATA, or shared/data beside the project
    not: REASON       not at all: a GPU, the hub, another trainer, hours
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import yaml

from tests.documents.commands_folder import prepare
from tests.guards.tree import PROJECT
from tests.support.preloaded import ForkedCommand

PROGRAMS = {"orz-bench": "orz_bench.cli", "orz-rl": "orz_rl.cli", "orz-analysis": "analysis.cli"}
_COMMAND = re.compile(
    r"(?:[A-Z_]+=\S+ )?(?:orz-[a-z]+|make|streamlit|pip|python[0-9.]*|lm_eval|docker|ray|cd|git) .*|orz-app.*"
)
_FENCE = re.compile(r"^```([a-z]*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_PRINTED = re.compile(r"\n\n```text\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?:^\n)((?:^    \S.*\n)+)", re.MULTILINE)
_NUMBER = re.compile(r"-?\d[\d.,]*")
TIMEOUT_S = 900
DATA = Path(os.environ.get("ORZ_DATA") or PROJECT.parent / "shared" / "data")
SMALL = (
    "num_steps=2 cluster.in_process=true rollout.engine=transformers rollout.num_problems=4 rollout.num_samples=4 "
    "data.limit=64 eval.benchmarks="
)
ENVIRONMENT = os.environ | {
    "PYTHONPATH": str(PROJECT),
    "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}",
    "COLUMNS": "120",
    "NO_COLOR": "1",
    "PYTHONWARNINGS": "ignore",
    "TQDM_DISABLE": "1",
    "HF_HUB_OFFLINE": "1",
}


@dataclass(frozen=True, slots=True)
class Command:
    """A command of a page, and the output that the page shows for it."""

    page: str
    text: str
    output: str | None = None
    is_python: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether commands.yaml says what is to be done with it."""
        return self.output is None and not self.is_python


@cache
def manifest() -> Mapping[str, Mapping[str, str]]:
    """What is to be done with the commands of plain blocks, by page and text."""
    found: dict[str, dict[str, str]] = yaml.safe_load(
        Path(__file__).with_name("commands.yaml").read_text(encoding="utf-8")
    )
    return found


def pages() -> list[str]:
    """Every page that has commands."""
    paths = [
        PROJECT / "README.md",
        PROJECT / "CONTRIBUTING.md",
        *sorted((PROJECT / "docs").rglob("*.md")),
        PROJECT / "examples" / "orz_lab_example" / "README.md",
    ]
    return [name for path in paths if list(commands_of(name := str(path.relative_to(PROJECT))))]


def commands_of(page: str) -> Iterator[Command]:
    """The commands of a page, in order."""
    text = (PROJECT / page).read_text(encoding="utf-8")
    is_executed = "```console" in text
    for fence in _FENCE.finditer(text):
        language, body = fence.groups()
        if language == "console":
            yield from _session(page, body)
        elif language == "python" and is_executed:
            printed = _PRINTED.match(text, fence.end())
            yield Command(page, body, output=printed and printed[1], is_python=True)
        elif not language:
            yield from (Command(page, line) for line in plain_lines(body))
    for block in _INDENTED.finditer(_FENCE.sub("", text)):
        yield from (Command(page, line) for line in plain_lines(block[1]))


def plain_lines(body: str) -> Iterator[str]:
    """Lines of a plain block that are commands, without their comments."""
    for line in body.replace("\\\n", " ").splitlines():
        text = re.split(r"\s+#\s", f"{line.strip()} ")[0].strip()
        if _COMMAND.fullmatch(f"{text} "):
            yield text


def _session(page: str, body: str) -> Iterator[Command]:
    for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        lines = part.splitlines(keepends=True)
        end = next(number for number, line in enumerate(lines) if not line.endswith("\\\n"))
        yield Command(page, "".join(lines[: end + 1]).rstrip("\n"), output="".join(lines[end + 1 :]))


def to_run(command: Command) -> str | None:
    """The command line that is run; None if there is a reason not to."""
    if not command.is_plain:
        return command.text
    kind, _, rest = manifest()[command.page][command.text].partition(" ")
    line = {"ok": command.text, "+": f"{command.text} {rest}", "=": rest, "data:": rest}.get(kind)
    if line is None or (kind == "data:" and not DATA.is_dir()):
        return None
    return line.replace("$SMALL", SMALL).replace("$DATA", str(DATA / "eval"))


@dataclass(frozen=True, slots=True)
class Done:
    """What a command did."""

    command: Command
    printed: str
    """Standard output."""
    errors: str
    code: int
    seconds: float


def run_page(page: str) -> Iterator[Done]:
    """Run the commands of a page, each in the folder in which the one before it ran."""
    with tempfile.TemporaryDirectory(prefix="orz-documents-") as scratch:
        folder = Path(scratch)
        prepare(folder, page)
        for command in commands_of(page):
            line = to_run(command)
            if line is not None:
                started = time.monotonic()
                printed, errors, code = _run(line, folder, is_python=command.is_python)
                yield Done(command, printed, errors, code, time.monotonic() - started)


def _run(line: str, folder: Path, *, is_python: bool) -> tuple[str, str, int]:
    simple = None if is_python else _simple(line)
    if simple is not None:
        command = ForkedCommand(simple[0], simple[1], environment=ENVIRONMENT, prepare=partial(os.chdir, folder))
        printed, errors = command.communicate(TIMEOUT_S)
        return printed, errors, command.returncode or 0
    words = [sys.executable, "-c", line] if is_python else ["bash", "-c", line]
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, cwd=folder, env=ENVIRONMENT, timeout=TIMEOUT_S
    )
    return done.stdout, done.stderr, done.returncode


def _simple(line: str) -> tuple[str, tuple[str, ...]] | None:
    """Module and arguments of one command of ours, without a shell's own words; it is forked, which saves its start."""
    words = shlex.split(line.replace("\\\n", " "))
    if words[0] not in PROGRAMS or any(set(word) & set("|<>;&$`*") for word in words):
        return None
    return PROGRAMS[words[0]], tuple(words[1:])


def fault_of(done: Done) -> str | None:
    """What is wrong with a command: its exit code, or output that the page shows otherwise."""
    shown = f"{done.command.page}: {done.command.text.strip()}"
    expected = done.command.output
    if done.code != (wanted := _wanted(done.command)):
        return f"{shown}\n  exit code {done.code}, wanted {wanted}: {done.errors.strip()[-1500:]}"
    if expected and not is_like(expected, done):
        return f"{shown}\n  printed:\n{output_of(done)}\n  the page shows:\n{expected}"
    return None


def _wanted(command: Command) -> int:
    """The exit code that the page shows."""
    return 2 if "exit code 2" in (command.output or "") else 0


def output_of(done: Done) -> str:
    """What a page shows of a command: its output, and of a command that is refused its message."""
    message = re.sub(r"\A.*?^(?=error: )", "", done.errors, flags=re.MULTILINE | re.DOTALL)
    text = done.printed if done.code == 0 else f"{message}(exit code {done.code})"
    return "".join(f"{line.rstrip()}\n" for line in text.strip("\n").splitlines())


def is_like(expected: str, done: Done) -> bool:
    """Whether the words agree; numbers are those of the machine that wrote the page, and `...` stands for any lines."""
    lines = [_masked(line) for line in expected.splitlines()]
    pattern = "\n".join(".*" if line == "..." else re.escape(line) for line in lines)
    return bool(re.fullmatch(pattern, "\n".join(_masked(line) for line in output_of(done).splitlines()), re.DOTALL))


def _masked(line: str) -> str:
    return " ".join(re.sub(r"[─━]+", "-", _NUMBER.sub("#", line)).split())


def written(page: str, ran: Sequence[Done]) -> str:
    """The page with the output of its commands; an output with a line `...` stays as it is."""
    outputs = iter([output_of(done) for done in ran if done.command.output is not None])
    language, end = "", 0

    def fence_with_outputs(fence: re.Match[str]) -> str:
        nonlocal language, end
        is_printed = fence[1] == "text" and language == "python" and fence.start() == end + len("\n\n")
        language, end = fence[1], fence.end()
        if is_printed:
            return f"```text\n{_shown(fence[2], next(outputs))}```"
        if language != "console":
            return fence[0]
        commands = _session(page, fence[2])
        parts = [f"$ {one.text}\n{_shown(one.output or '', next(outputs))}" for one in commands]
        return f"```console\n{''.join(parts)}```"

    text = (PROJECT / page).read_text(encoding="utf-8")
    return _FENCE.sub(fence_with_outputs, text) if ran else text


def _shown(kept: str, printed: str) -> str:
    return kept if not kept or re.search(r"^\.\.\.$", kept, re.MULTILINE) else printed


def main(arguments: list[str]) -> int:
    """Run all pages, or those named; the exit code."""
    faults = []
    for page in [name for name in arguments if name != "--write"] or pages():
        ran = []
        for done in run_page(page):
            ran.append(done)
            fault = fault_of(done)
            print(f"{done.seconds:6.1f} s  {page}: {done.command.text.splitlines()[0][:110]}", flush=True)
            is_rewritten = "--write" in arguments and done.code == _wanted(done.command)
            if fault and not is_rewritten:
                faults.append(fault)
                print(fault, flush=True)
        if "--write" in arguments:
            text = written(page, ran)
            (PROJECT / page).write_text(text, encoding="utf-8")
    print(f"{len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
