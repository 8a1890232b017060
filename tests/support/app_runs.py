"""Runs for tests of the app: growing, finished, broken and hostile ones, and an index over them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.queries.index import RunIndex
from app.queries.measure_files import MeasureFiles
from app.queries.parts import folders_of
from orz_bench.records.rollout import VERDICTS, Rollout
from orz_bench.records.run_dir import RunDir
from tests.support.builders import a_rollout

HOSTILE = (
    "<script>window.hacked = 1; fetch('http://evil.example/a')</script>\n\n"
    '<img src="http://evil.example/b.png" onerror="window.hacked = 2">\n\n'
    "![picture](http://evil.example/c.png) [click](http://evil.example/d) <http://evil.example/e>\n\n"
    "\\href{http://evil.example/f}{x} $\\includegraphics{http://evil.example/g.png}$ "
    "\u202eright to left\u202c \x00\x07\x1b[31m zero\u200bwidth </pre></div><style>*{display:none}</style>"
    " <answer> \\boxed{7} </answer>"
)
WORDS = (
    "so",
    "wait,",
    "Wait,",
    "add",
    "the",
    "sum",
    "is",
    "7",
    "12",
    "however,",
    "a.b",
    "[x]",
    "\\boxed{7}",
    "Ä",
    "\n",
)


def open_index(run: Path, *, measured: bool = True) -> RunIndex:
    """The index of a run whose side folder is next to it."""
    files = MeasureFiles.of(run, name=run.name, side=run.parent / ".orz-app")
    if measured:
        files.update(folders_of(run))
    index = RunIndex(run, files)
    index.refresh()
    return index


def random_rollouts(rng: random.Random, size: int, *, step: int, kind: str) -> list[Rollout]:
    """Rollouts of two benchmarks with every verdict, some facts unknown, some texts the same."""
    found = []
    for number in range(size):
        verdict = rng.choice(VERDICTS)
        right = verdict == "correct"
        text = " ".join(rng.choice(WORDS) for _ in range(rng.randrange(12))) if rng.random() < 0.8 else "same text"
        found.append(
            a_rollout(
                benchmark=f"bench{number % 2}",
                problem_id=f"p{number // 8}",
                sample_index=number // 2 % 4,
                step=step,
                question=f"Question {number // 8}?",
                gold=rng.choice(["7", "12"]),
                completion=text,
                num_tokens=rng.choice([3, 5, 5, 8, 13]),
                stop_reason=rng.choice(["eos", "stop_string", "length"]),
                extracted=rng.choice(["7", None]),
                verdict=verdict,
                second_verdict="correct" if right and rng.random() < 0.8 else rng.choice(VERDICTS),
                reward=float(right) if kind == "train" and rng.random() < 0.9 else None,
            )
        )
    return found


def write_training(run: RunDir, step: int, rollouts: Sequence[Rollout], *, parts: int = 2) -> None:
    """A training step in several parts."""
    run.rollouts(step).path.mkdir(parents=True, exist_ok=True)
    for number in range(parts):
        if rows := rollouts[number::parts]:
            run.rollouts(step).append(rows)


def write_evaluation(
    run: RunDir, step: int, rollouts: Sequence[Rollout], *, benchmark: str, fingerprint: str = "0123456789ab"
) -> None:
    """An evaluation that has not finished: parts and a protocol, no summary."""
    directory = run.evaluation(benchmark=benchmark, step=step, fingerprint=fingerprint)
    directory.path.mkdir(parents=True, exist_ok=True)
    directory.protocol_path.write_text("{}", encoding="utf-8")
    directory.append([row for row in rollouts if row.benchmark == benchmark])


def random_run(folder: Path, *, seed: int = 0, size: int = 48) -> tuple[RunDir, list[tuple[str, str, Rollout]]]:
    """A run of two training steps and two evaluations, with its rows: (kind, fingerprint, rollout)."""
    rng = random.Random(seed)
    run = RunDir(folder)
    run.create(kind="train", command=[], seed=0, environment={})
    rows: list[tuple[str, str, Rollout]] = []
    for step in (1, 2):
        rollouts = random_rollouts(rng, size, step=step, kind="train")
        write_training(run, step, rollouts)
        rows += [("train", "", row) for row in rollouts]
    for step in (0, 2):
        rollouts = random_rollouts(rng, size, step=step, kind="eval")
        for benchmark in ("bench0", "bench1"):
            write_evaluation(run, step, rollouts, benchmark=benchmark)
        rows += [("eval", "0123456789ab", row) for row in rollouts]
    return run, rows


def hostile_run(folder: Path, **changes: Any) -> RunDir:
    """A run with hostile texts, a line of a megabyte among them."""
    run = RunDir(folder)
    run.create(kind="eval", command=[], seed=0, environment={})
    facts = {"question": HOSTILE, "gold": "7", "extracted": "7", "why": HOSTILE, "verdict": "wrong"} | changes
    texts = (HOSTILE, "x" * 1_000_000, "a " * 500_000)
    rollouts = [
        a_rollout(problem_id="<b>p</b>", sample_index=number, completion=text, **facts)
        for number, text in enumerate(texts)
    ]
    write_evaluation(run, 0, rollouts, benchmark="arithmetic")
    return run
