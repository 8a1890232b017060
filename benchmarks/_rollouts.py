"""Many rollouts from few real ones: the lines of real responses, shuffled among responses and with other numbers.

Compression and caches would flatter copies, so no two texts are alike; lengths and words stay those of real responses.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orz_bench.records.rollout import Rollout
from orz_bench.records.run_dir import RolloutsDir, RunDir

BENCHMARKS = ("math500", "gpqa_diamond", "aime2024")
EVAL_PART_ROWS, STEP_ROWS, SAMPLES = 512, 8192, 16
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Source:
    """What real rollouts lend: questions with golds, and lines of responses."""

    questions: tuple[tuple[str, str, str], ...]
    """(benchmark, question, gold)."""
    lines: tuple[str, ...]
    lengths: tuple[int, ...]


def read_source(data: Path) -> Source:
    """The responses of three runs in the style of Open-Reasoner-Zero: $ORZ_DATA/rollouts."""
    rows = [
        (name, json.loads(line))
        for name in BENCHMARKS
        for line in (data / "rollouts" / f"orz_fork_eval_{name}.jsonl").read_text(encoding="utf-8").split("\n")
        if line
    ]
    questions = dict.fromkeys(  # the same question of several runs once
        (name, row["prompt"], str(row["expected"])) for name, row in rows
    )
    texts = [row["raw_response"] for _, row in rows]
    lines = tuple(line for text in texts for line in text.split("\n") if line.strip())
    return Source(tuple(questions), lines, tuple(map(len, texts)))


def varied_text(source: Source, rng: random.Random) -> str:
    """A response of a real length, out of lines of real responses whose numbers are others."""
    wanted = rng.choice(source.lengths)
    lines: list[str] = []
    while wanted > 0:
        line = rng.choice(source.lines)
        lines.append(line)
        wanted -= len(line) + 1
    return _NUMBER.sub(lambda found: str(rng.randrange(10 ** len(found[0][:6]))), "\n".join(lines))


def write_run(folder: Path, rows: int, *, source: Source) -> None:
    """A training run: half of its rollouts are samples of evaluations (16 a question), half of training steps."""
    run = RunDir(folder)
    run.create(kind="train", command=[], seed=0, environment={})
    rng = random.Random(0)
    evaluated = 0
    for step, benchmark in _evaluations(rows // 2):
        target = run.evaluation(benchmark=benchmark, step=step, fingerprint="0123456789ab")
        target.path.mkdir(parents=True)
        target.protocol_path.write_text("{}", encoding="utf-8")
        asked = [question for question in source.questions if question[0] == benchmark]
        size = min(len(asked) * SAMPLES, rows // 2 - evaluated)
        _write(target, _rollouts(asked, size, step=step, rng=rng, source=source), part_rows=EVAL_PART_ROWS)
        evaluated += size
        if evaluated >= rows // 2:
            break
    for step, start in enumerate(range(0, rows - evaluated, STEP_ROWS), start=1):
        steps = run.rollouts(step)
        steps.path.mkdir(parents=True)
        asked = rng.sample(source.questions, len(source.questions))
        size = min(STEP_ROWS, rows - evaluated - start)
        _write(steps, _rollouts(asked, size, step=step, rng=rng, source=source), part_rows=STEP_ROWS)


def _evaluations(rows: int) -> Iterator[tuple[int, str]]:
    for number in range(rows):
        yield number // len(BENCHMARKS) * 10, BENCHMARKS[number % len(BENCHMARKS)]


def _write(target: RolloutsDir, rollouts: Iterator[Rollout], *, part_rows: int) -> None:
    part: list[Rollout] = []
    for rollout in rollouts:
        part.append(rollout)
        if len(part) == part_rows:
            target.append(part)
            part = []
    if part:
        target.append(part)


def _rollouts(
    asked: list[tuple[str, str, str]], size: int, *, step: int, rng: random.Random, source: Source
) -> Iterator[Rollout]:
    for number in range(size):
        problem = number // SAMPLES % len(asked)
        benchmark, question, gold = asked[problem]
        right, text = rng.random() < 0.3 + 0.002 * step, varied_text(source, rng)
        is_cut = not right and rng.random() < 0.1
        yield Rollout(
            benchmark=benchmark,
            problem_id=f"{benchmark}-{source.questions.index(asked[problem])}",
            question=question,
            gold=gold,
            sample_index=number % SAMPLES + SAMPLES * (number // (SAMPLES * len(asked))),
            seed=rng.randrange(1 << 48),
            step=step,
            prompt=question,
            completion=text,
            num_tokens=len(text) // 3,
            stop_reason="length" if is_cut else "stop_string",
            extracted=None if is_cut else gold if right else str(rng.randrange(1000)),
            verdict="correct" if right else "no_answer" if is_cut else "wrong",
            why="same text" if right else "different numbers",
            second_extractor="boxed",
            second_extracted=gold if right else None,
            second_verdict="correct" if right and rng.random() < 0.98 else "wrong",
            reward=float(right),
            grader_version="1",
        )
