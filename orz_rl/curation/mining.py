"""Problems that were hard for a training run, from its stored rollouts: what an annealing stage trains on.

Open-Reasoner-Zero keeps the prompts with fewer than 4 correct of 64 samples and trains 100 more steps on them (its
paper, section 2.1.1).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from orz_bench.errors import ConfigError, DataError, RunDirError, counted
from orz_bench.records.run_dir import RolloutsDir, RunDir
from orz_rl.curation.parts import whole_file

Visits = Literal["last", "all"]
_RATE = re.compile(r"(\d{1,9})/(\d{1,9})|(?:0?\.\d{1,9}|[01](?:\.0*)?)")
_COLUMNS = ("problem_id", "question", "gold", "verdict", "step", "stop_reason")


@dataclass(slots=True)
class Tally:
    """Samples of one problem."""

    question: str
    gold: str
    step: int
    """Of the last visit."""
    num_correct: int = 0
    num_samples: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mined:
    """The hard problems of a run."""

    hard: Mapping[str, Tally]
    """By id, in the order of the first visits."""
    num_problems: int
    """That the run has sampled."""
    histogram: Mapping[int, int] = field(default_factory=dict)
    """Correct samples -> problems."""


def parse_rate(text: str) -> Fraction:
    """`4/64` or `0.0625`. ConfigError for anything that is no share."""
    match = _RATE.fullmatch(text.strip())
    rate = (
        Fraction(text.strip()) if match and match[2] not in ("0", "00") and not re.fullmatch(r".*/0+", text) else None
    )
    if rate is None or not 0 < rate <= 1:
        raise ConfigError(f"--max-pass-rate {text}: wanted a share above 0, such as 4/64 or 0.0625.")
    return rate


def mine(run: Path, *, below: Fraction, visits: Visits = "last") -> Mined:
    """The problems with a lower share of correct samples, in the last step that sampled them or in all steps.

    A response that the token limit truncated is not correct, as in training. RunDirError if the run has no rollouts.
    """
    tallies: dict[str, Tally] = {}
    for step, folder in _sampled_steps(run):
        for row in folder.read(list(_COLUMNS)).to_pylist():
            _count(tallies, row, step=step, visits=visits)
    hard = {id_: tally for id_, tally in tallies.items() if Fraction(tally.num_correct, tally.num_samples) < below}
    histogram = Counter(tally.num_correct for tally in tallies.values())
    return Mined(hard=hard, num_problems=len(tallies), histogram=dict(sorted(histogram.items())))


def write_mined(mined: Mined, path: Path, *, force: bool = False) -> None:
    """Write the problems: `.json` in the ORZ format, `.jsonl` as rows with their counts. An existing file is kept."""
    if path.suffix not in (".json", ".jsonl"):
        raise ConfigError(f"{path}: wanted a file that ends in .json (the ORZ format) or .jsonl.")
    if path.exists() and not force:
        raise ConfigError(f"{path}: exists; name another file with --out, or replace it with --force.")
    if not mined.hard:
        raise DataError(
            f"none of {counted(mined.num_problems, 'problem')} is below this pass rate, so there is nothing to write; "
            f"raise --max-pass-rate."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        {
            "id": id_,
            "problem": tally.question,
            "answer": tally.gold,
            "num_correct": tally.num_correct,
            "num_samples": tally.num_samples,
        }
        for id_, tally in mined.hard.items()
    ]
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    if path.suffix == ".json":
        text = json.dumps([_conversation(row) for row in rows], ensure_ascii=False, indent=1) + "\n"
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _conversation(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"from": "human", "value": row["problem"]},
        {"from": "assistant", "ground_truth": {"value": row["answer"]}},
    ]


def _count(tallies: dict[str, Tally], row: Mapping[str, Any], *, step: int, visits: Visits) -> None:
    id_ = row["problem_id"]
    tally = tallies.get(id_)
    if tally is None:
        tally = tallies[id_] = Tally(row["question"], row["gold"], step)
    if (tally.question, tally.gold) != (row["question"], row["gold"]):
        raise DataError(
            f"{id_}: has another question or gold in step {step} than in step {tally.step}; mine other runs."
        )
    if visits == "last" and step != tally.step:
        tally.num_correct = tally.num_samples = 0
    tally.step = step
    tally.num_samples += 1
    tally.num_correct += row["verdict"] == "correct" and row["stop_reason"] != "length"


def _sampled_steps(run: Path) -> list[tuple[int, RolloutsDir]]:
    if not run.is_dir():
        raise RunDirError(f"{run}: no such folder; name a training run.")
    steps = RunDir(run).sampled_steps()
    if not steps:
        raise RunDirError(f"{run}: has no rollouts of a training; name a training run, such as runs/tiny.")
    return steps
