"""Curated sets for tests of the app, made by the real curation from a few rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from orz_bench.benchmarks.arithmetic import generate_sums
from orz_rl.curation.pipeline import curate
from orz_rl.curation.settings import checked
from tests.support.app_runs import HOSTILE
from tests.support.curation_rows import write_lines

BOOKS = "Tom has {} red {} and {} green pears in his basket, and he gives away 5 of the apples. How many are left?"


def some_rows(num: int = 45) -> list[dict[str, Any]]:
    """Rows of which some are dropped by each of the stages decontaminate, exact and near; one is hostile."""
    held_out = generate_sums(split="held_out", num_problems=3)[-1]
    weeks = [
        {"problem": f"How many days do {n} weeks and {n + 1} days have?", "answer": str(8 * n + 1)} for n in range(num)
    ]
    return [
        *weeks,
        {"id": "sum", "problem": held_out.question, "answer": held_out.gold},
        {"id": "tom", "problem": BOOKS.format(12, "apples", 7), "answer": "14", "level": 2},
        {"id": "ann", "problem": BOOKS.format(12, "apples", 7).replace("Tom", "Ann"), "answer": "14"},
        {"id": "tim", "problem": BOOKS.format(13, "apples", 7), "answer": "15"},
        {"id": "again", "problem": weeks[0]["problem"].replace("How many", "How  many"), "answer": weeks[0]["answer"]},
        {"id": HOSTILE, "problem": HOSTILE, "answer": HOSTILE[:60]},
        {"id": "other hostile", "problem": HOSTILE.replace("picture", "image"), "answer": HOSTILE[:60]},
        {"id": "no answer", "problem": "What is the sum of these?"},
    ]


def curated(out: Path, rows: Iterable[Mapping[str, Any]] | None = None, **changes: Any) -> Path:
    """The folder of a finished set."""
    source = write_lines(out.parent / f".{out.name}.jsonl", rows if rows is not None else some_rows())
    tree = {
        "sources": [{"path": str(source), "name": "web"}],
        "decontaminate": {"against": ["arithmetic"]},
        "normalise": None,
        "verify": None,
        "rows_per_part": 20,
        **changes,
    }
    curate(checked(tree, where="test"), out=out, notice=lambda _: None)
    return out
