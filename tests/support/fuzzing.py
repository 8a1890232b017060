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
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.support.damaged_files import damage_one, write_corpus

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
    import tests.support.heavy_libraries  # noqa: F401 - loaded once, for all inputs

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
        damage = tuple(damage_one(place, rng) for _ in range(rng.choice((0, 1, 1, 2, 5))))
        arguments = tuple(_arguments(program, programs, rng=rng))
        case = Input(number, program, arguments, damage)
        yield _outcome(case, place, programs[program], is_shown=is_shown)
        shutil.rmtree(place, ignore_errors=True)


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
    name = ""
    while getattr(command, "commands", None):
        name = rng.choice(
            [*sorted(command.commands.keys() - NOT_RUN), *([""] if command.invoke_without_command else [])]
        )
        if not name:
            break
        yield name
        command = command.commands[name]
    if name == "watch":
        yield from ("--until-idle", "0.2", "--every", "0.1")  # whatever other values are drawn
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
    name, kind = parameter.name, str(parameter.type_descriptor.annotation).lower()
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
    """A training that would start ends here, as a configuration that asks for what is not there; so does a download."""
    from huggingface_hub import constants

    from orz_bench.errors import ConfigError
    from orz_rl.backends.comparing import runs
    from orz_rl.backends.external.running import life
    from orz_rl.backends.trl import run
    from orz_rl.rehearsal import doctor
    from orz_rl.training import loop

    def stop(*_: object, **__: object) -> None:
        raise ConfigError("the fuzzing campaign starts no training, and no rehearsal of one.")

    vars(constants)["HF_HUB_OFFLINE"] = True  # it was imported before the variable was set
    starts = (
        (loop, "open_cluster"), (run, "open_recorders"), (life, "started"), (runs, "run_measured"),
        (doctor, "_rows_of"),
    )  # fmt: skip
    for module, name in starts:
        assert name in vars(module)
        vars(module)[name] = stop


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
