"""A seeded campaign of broken files and odd arguments over every command.

`python -m tests.support.fuzzing --num 2000 --seed 7` prints a JSON line for each failure and a summary. An input fails
if a command ends with any exit code but 0 and 2, prints a traceback or a control character, repeats a long argument
in full, runs longer than its limit, or leaves a run of its own that looks as if it were still running.

Every input runs in a process forked from this one, in a folder of its own. A training stops where it would start its
processes; everything before that is real.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.guards.tree import PROJECT
from tests.support.runs import a_run

TIMEOUT_S = 60.0
"""Of CPU; three times that of wall clock, because other processes share the machine."""
_MEMORY = 12 * 2**30
_LONGEST_OUTPUT = 40_000
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x9f]")
PROGRAMS = ("orz-bench", "orz-rl", "orz-analysis")

NOT_RUN = {"build-tiny"}
"""Trains for minutes, whatever it is given."""

TEXTS = (
    *("", " ", "-", "--", ".", "..", "/", "~", "0", "-1", "1e309", "nan", "inf", "None", "true", "a=b", "=", "a.b.c=1"),
    *(
        "arithmetic",
        "aime24",
        "math500,arithmetic",
        "gpqa",
        "livecodebench:v5",
        "mmlu:abstract_algebra",
        "lm-eval/hellaswag",
    ),
    *(
        "tiny",
        "orz_7b",
        "grpo",
        "reward",
        "response_length",
        "orz-code",
        "extended",
        "json",
        "html",
        "md",
        "final",
        "boxed",
    ),
    *("\x1b[31mred", "a\x00b".replace("\x00", "\x01"), "line\nbreak", "\u202eright", "ü" * 40, "x" * 300, "y" * 5_000),
    *("%s%d{0}", "[red]bold[/red]", "[/]", "$(id)", "; ls", "../../etc/passwd", "file:///etc/passwd", "\udcff"),
)
SETTINGS = (
    *("num_steps=0", "num_steps=-1", "num_steps=1e9", "seed=x", "rollout.num_samples=0", "rollout.num_problems=3"),
    *("advantage.lam=2", "advantage.gamma=", "loss.kl_loss=nan", "optim.policy_lr=inf", "data.source=answers.jsonl"),
    *(
        "data.source=nothing.jsonl",
        "data.source=run",
        "data.limit=0",
        "eval.benchmarks=arithmetic,nothing",
        "nonsense=1",
    ),
    *(
        "rollout.engine=fake",
        "cluster.device=cuda",
        "cluster.colocate=maybe",
        "policy.checkpoint=model",
        "a",
        "=",
        "x.y=z",
    ),
    *("policy.checkpoint=/", "checkpoint.every=0", "rollout.temperature=-1", "rollout.max_response_tokens=1000000000"),
)


@dataclass(frozen=True, slots=True)
class Input:
    """One command on one folder of damaged files."""

    seed: int
    program: str
    arguments: tuple[str, ...]
    damage: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """An input that ended as none may."""

    case: Input
    why: str
    last_words: str


def main() -> int:
    """Run a campaign; 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--num", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="one input of the campaign, with all that it prints")
    given = parser.parse_args()
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        numbers = range(given.num) if given.only is None else [given.only]
        for code, failure in campaign(Path(folder), numbers, seed=given.seed, is_shown=given.only is not None):
            counts[f"exit {code}"] += 1
            if failure is not None:
                counts["failed"] += 1
                print(json.dumps(asdict(failure)), flush=True)
    print(json.dumps({"inputs": given.num, "seed": given.seed} | dict(sorted(counts.items()))))
    return 1 if counts["failed"] else 0


def campaign(
    folder: Path, numbers: Sequence[int], *, seed: int, is_shown: bool = False
) -> Iterator[tuple[int, Failure | None]]:
    """(exit code, failure) of each input."""
    original = write_corpus(folder / "original")
    programs = _programs()
    for number in numbers:
        rng = random.Random(f"{seed}-{number}")
        place = folder / f"case-{number}"
        shutil.copytree(original, place)
        program = rng.choices(PROGRAMS, weights=(6, 3, 4))[0]
        damage = tuple(_damage(place, rng) for _ in range(rng.choice((0, 1, 1, 2, 5))))
        arguments = tuple(_arguments(program, programs, rng=rng))
        case = Input(number, program, arguments, damage)
        yield _outcome(case, place, programs[program], is_shown=is_shown)
        shutil.rmtree(place, ignore_errors=True)


def write_corpus(folder: Path) -> Path:
    """One of everything that a command reads, valid."""
    folder.mkdir(parents=True)
    a_run(folder / "run", num_steps=6)
    a_run(folder / "other", num_steps=6, seed=7, changes={"advantage.lam": 0.95})
    shutil.copytree(PROJECT / "orz_rl" / "assets" / "tiny", folder / "model")
    rows = [{"problem_id": f"{i}", "response": f"\\boxed{{{i}}}", "answer": str(i), "problem": "?"} for i in range(8)]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "answers.jsonl").write_text(lines, encoding="utf-8")
    (folder / "answers.json").write_text(json.dumps(rows), encoding="utf-8")
    table = ["step,reward,loss", *(f"{i},{i / 9},1" for i in range(40))]
    (folder / "table.csv").write_text("\n".join(table), encoding="utf-8")
    talk = [
        [{"from": "human", "value": f"{i}+1?"}, {"from": "assistant", "ground_truth": {"value": "2"}}] for i in range(8)
    ]
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in talk), encoding="utf-8")
    dump = [{"prompt": "?", "output": f"\\boxed{{{i}}}", "final_answer": str(i), "iscorrect": True} for i in range(4)]
    (folder / "eval_output_iter3_math500.jsonl").write_text("".join(json.dumps(d) + "\n" for d in dump), "utf-8")
    (folder / "empty").mkdir()
    return folder


def _damage(place: Path, rng: random.Random) -> str:
    """Damage one file, or add one that no command expects; what was done."""
    files = [path for path in sorted(place.rglob("*")) if path.is_file()]
    path = rng.choice(files)
    name, do = rng.choice(_DAMAGES)
    do(path, rng)
    return f"{name} {path.relative_to(place)}"


def _truncate(path: Path, rng: random.Random) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: rng.randrange(len(data) + 1)])


def _flip(path: Path, rng: random.Random) -> None:
    data = bytearray(path.read_bytes())
    for _ in range(rng.choice((1, 3, 30))):
        if data:
            data[rng.randrange(len(data))] = rng.randrange(256)
    path.write_bytes(data)


def _put(content: bytes) -> Callable[[Path, random.Random], None]:
    def put(path: Path, rng: random.Random) -> None:
        path.write_bytes(content)

    return put


def _insert(content: bytes) -> Callable[[Path, random.Random], None]:
    def insert(path: Path, rng: random.Random) -> None:
        data = path.read_bytes()
        at = rng.randrange(len(data) + 1)
        path.write_bytes(data[:at] + content + data[at:])

    return insert


_VALUES: tuple[Any, ...] = (None, True, -1, 0, 1e400, 10**40, "", "x" * 5_000, [], {}, [[]], "\ud800", {"a": {"b": 1}})


def _change_value(path: Path, rng: random.Random) -> None:
    """Put a value of another kind at a place of a JSON or JSON lines file; other files are flipped."""
    try:
        lines = path.read_text("utf-8").splitlines()
        number = rng.randrange(len(lines)) if path.suffix == ".jsonl" else None
        tree = json.loads(lines[number] if number is not None else "\n".join(lines))
    except (ValueError, IndexError):
        _flip(path, rng)
        return
    at: Any = tree
    while isinstance(at, dict | list) and at:
        key = rng.choice(list(at) if isinstance(at, dict) else range(len(at)))
        if not isinstance(at[key], dict | list) or not at[key] or rng.random() < 0.3:
            if rng.random() < 0.2:
                del at[key]
            else:
                at[key] = rng.choice(_VALUES)
            break
        at = at[key]
    text = json.dumps(tree)
    if number is not None:
        lines[number] = text
        text = "\n".join(lines) + "\n"
    path.write_text(text, encoding="utf-8")


def _to_folder(path: Path, rng: random.Random) -> None:
    path.unlink()
    path.mkdir()


def _to_pipe(path: Path, rng: random.Random) -> None:
    path.unlink()
    os.mkfifo(path)


def _to_loop(path: Path, rng: random.Random) -> None:
    path.unlink()
    path.symlink_to(path.name)


def _to_nowhere(path: Path, rng: random.Random) -> None:
    path.unlink()
    path.symlink_to("nothing-there")


def _odd_neighbour(path: Path, rng: random.Random) -> None:
    name = rng.choice(
        ("\x1b[31mred", "line\nbreak", "\u202eright", "step=000009", "part-x.parquet", "ü" * 60, "\udcff")
    )
    target = path.with_name(name)
    if rng.random() < 0.5:
        target.mkdir(exist_ok=True)
    else:
        shutil.copyfile(path, target)


_DAMAGES: tuple[tuple[str, Callable[[Path, random.Random], None]], ...] = (
    ("truncate", _truncate),
    ("flip", _flip),
    ("change a value of", _change_value),
    ("change a value in", _change_value),
    ("change the value in", _change_value),
    ("empty", _put(b"")),
    ("write null to", _put(b"null")),
    ("write a list to", _put(b"[]")),
    ("write deep brackets to", _put(b"[" * 100_000)),
    ("write Latin-1 to", _put("größe\n".encode("latin-1"))),
    ("write UTF-16 to", _put('{"a": 1}\n'.encode("utf-16"))),
    ("insert NUL into", _insert(b"\x00")),
    ("insert bad UTF-8 into", _insert(b"\xff\xfe\x80")),
    ("insert an escape into", _insert(b"\x1b[2J")),
    ("insert NaN into", _insert(b" NaN ")),
    ("delete", lambda path, rng: path.unlink()),
    ("make a folder of", _to_folder),
    ("make a pipe of", _to_pipe),
    ("make a loop of", _to_loop),
    ("point nowhere", _to_nowhere),
    ("odd neighbour of", _odd_neighbour),
)


def _programs() -> dict[str, Any]:
    """The Typer applications by name."""
    from analysis.cli import app as analysis
    from orz_bench.cli import app as bench
    from orz_rl.cli import app as rl

    return {"orz-bench": bench, "orz-rl": rl, "orz-analysis": analysis}


_PATHS = (
    *("run", "other", "model", "answers.jsonl", "answers.json", "table.csv", "train.jsonl", "empty", "nothing", "."),
    *(
        "eval_output_iter3_math500.jsonl",
        "run/metrics.jsonl",
        "run/evals",
        "run/rollouts",
        "run/config.yaml",
        "new",
        "new/a",
    ),
    *("/", "/dev/null", "/proc/self", "run/run.json/x", "n" * 300),
)
_NAMES: dict[str, Sequence[str]] = {
    "engine": ("fake", "fake", "fake", "openai", "transformers", "nothing"),
    "ckpt": ("fake", "run", "model", "nothing", "answers.jsonl", "org/name"),
    "base_url": ("http://127.0.0.1:9/v1", "nonsense", "http://user:secret@127.0.0.1:9", "http://[::1"),
    "bench": ("arithmetic", "arithmetic", "aime24", "math500", "nothing", "arithmetic,arithmetic"),
    "recipe": ("tiny", "tiny", "orz_7b", "nothing"),
    "name": ("reward_length", "metrics", "reflection", "benchmarks", "nothing"),
}


def _arguments(program: str, programs: dict[str, Any], *, rng: random.Random) -> Iterator[str]:
    """A command with a random choice of its own options, values mostly of the right kind."""
    from typer.main import get_command

    command: Any = get_command(programs[program])
    while getattr(command, "commands", None):
        name = rng.choice(sorted(command.commands.keys() - NOT_RUN))
        yield name
        command = command.commands[name]
    if rng.random() < 0.03:
        yield rng.choice(("--help", "--nothing", "extra", "-x"))
    for parameter in command.params:
        if parameter.name == "help":
            continue
        is_option = parameter.param_type_name == "option"
        if is_option and not parameter.required and rng.random() > (0.5 if parameter.name in _NAMES else 0.2):
            continue
        if is_option and getattr(parameter, "is_flag", False):
            yield parameter.opts[0]
            continue
        repeats = rng.choice((0, 1, 1, 2)) if getattr(parameter, "nargs", 1) == -1 else 1
        for _ in range(repeats):
            value = _value(parameter, rng)
            yield from ((parameter.opts[0], value) if is_option else (value,))


def _value(parameter: Any, rng: random.Random) -> str:
    name, kind = parameter.name, str(parameter.display_type()).lower()
    if name in ("overrides", "settings"):
        return rng.choice(SETTINGS)
    if name in _NAMES and rng.random() < 0.8:
        return rng.choice(_NAMES[name])
    if rng.random() < 0.12:
        return rng.choice(TEXTS)
    if "path" in kind or name in ("run", "runs", "run_a", "run_b", "files", "out"):
        return rng.choice(_PATHS)
    if "int" in kind:
        return str(rng.choice((0, 1, 2, 3, 7, -1, 10**12)))
    if "float" in kind:
        return str(rng.choice((0.0, 0.5, 1.0, 2.0, -1.0, 1e300, "nan")))
    return rng.choice(TEXTS)


def _outcome(case: Input, place: Path, app: Any, *, is_shown: bool) -> tuple[int, Failure | None]:
    log = place.with_suffix(".log")
    runs_before = _unmarked(place)
    pid = os.fork()
    if not pid:
        _become(case, place, app, log=None if is_shown else log)
    code = _wait(pid)
    text = log.read_text("utf-8", errors="surrogateescape") if log.exists() else ""
    log.unlink(missing_ok=True)
    why = _why(case, code, text)
    if not why and (left := _unmarked(place) - runs_before):
        why = f"left a run that looks as if it were running: {sorted(left)}"
    return code, Failure(case, why, text[-1500:]) if why else None


def _why(case: Input, code: int, text: str) -> str:
    if code not in (0, 2):
        return f"exit code {code}" if code >= 0 else f"signal {-code}: {signal.strsignal(-code)}"
    if "Traceback (most recent call last)" in text:
        return "a traceback"
    if found := _CONTROL.search(text):
        return f"a control character: {found[0]!r}"
    if code == 2 and len(text) > _LONGEST_OUTPUT:
        return f"{len(text):,} characters of error"
    if code == 2 and any(len(value) > 2_000 and value in text for value in case.arguments):
        return "repeats a long argument"
    if code == 2 and not text.strip():
        return "refuses without a word"
    return ""


def _unmarked(place: Path) -> set[str]:
    """Run folders without an end mark."""
    runs = (path.parent for path in place.rglob("run.json") if not path.is_symlink())
    return {str(run.relative_to(place)) for run in runs if not ((run / "DONE").exists() or (run / "FAILED").exists())}


def _become(case: Input, place: Path, app: Any, *, log: Path | None) -> None:
    """The forked process: run the command as its script would, and end with its exit code."""
    code = 1
    try:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (int(TIMEOUT_S), int(TIMEOUT_S)))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.chdir(place)
        os.environ.update(HF_HUB_OFFLINE="1", NO_COLOR="1", COLUMNS="100", TERM="dumb", HOME=str(place), ORZ_DATA="")
        if log is not None:
            descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(descriptor, 1)
            os.dup2(descriptor, 2)
        os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
        sys.argv = [case.program, *case.arguments]
        _stop_before_processes()
        try:
            app()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _stop_before_processes() -> None:
    """A training that would start ends here, as a configuration that asks for what is not there."""
    from orz_bench.errors import ConfigError
    from orz_rl.training import loop

    def stop(*_: object, **__: object) -> None:
        raise ConfigError("the fuzzing campaign starts no training.")

    vars(loop)["open_cluster"] = stop


def _wait(pid: int) -> int:
    ends_at = time.monotonic() + 3 * TIMEOUT_S
    while time.monotonic() < ends_at:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            _end_group(pid)
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    _end_group(pid)
    os.waitpid(pid, 0)
    return -signal.SIGALRM


def _end_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


if __name__ == "__main__":
    raise SystemExit(main())
