"""The folder in which the commands of a page are run: small files under the names that the pages use."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet

from tests.guards.tree import PROJECT
from tests.support.runs import a_run

SMALL_SUITE = """\
title: Ours
benchmarks:
  - {bench: arithmetic, protocol: orz, n: 2, sample: 5}
  - {bench: my.jsonl, template: chat, protocol: greedy}
"""
BEHAVIOURS = """\
from analysis import Behaviour

LONG = Behaviour(name="long", what="more than 40 tokens", program=lambda response: (response.num_tokens or 0) > 40)
DOUBTS = Behaviour(name="doubts", what="doubts its result", question="Does the response doubt its own result?")
"""
REWARD = """\
def brief(problem, completion, grade):
    return 1.0 - 0.005 * min(completion.num_tokens, 100) if grade.is_correct else 0.0
"""


def prepare(folder: Path, page: str) -> None:
    """Make the files; a page of tutorials makes its own."""
    if page.startswith("docs/tutorials/") or page in ("docs/start.md", "docs/faq.md"):
        return
    for number, name in enumerate(("demo", "a", "a-seed7", "lambda", "b", "mine", "x")):
        changes = {"advantage.lam": 0.95} if name == "lambda" else {}
        a_run(folder / "runs" / name, seed=42 + number % 2, changes=changes)
    _tables(folder)
    shutil.copytree(PROJECT / "tests" / "golden" / "foreign" / "trl", folder / "outputs")
    (folder / "logs").mkdir()
    shutil.copy(PROJECT / "tests" / "golden" / "foreign" / "inspect" / "sums.eval", folder / "logs" / "2025-01.eval")
    (folder / "examples").symlink_to(PROJECT / "examples")
    (folder / "my_rewards.py").write_text(REWARD, encoding="utf-8")
    (folder / "my_behaviours.py").write_text(BEHAVIOURS, encoding="utf-8")
    (folder / "my_suite.yaml").write_text(SMALL_SUITE, encoding="utf-8")


def _tables(folder: Path) -> None:
    sums = [(f"What is {a} + {a + 3}?", str(2 * a + 3)) for a in range(2, 40)]
    rows = [{"question": question, "answer": answer} for question, answer in sums]
    answers = [
        {"question": q, "gold": a, "response": f"so \\boxed{{{a}}}", "problem_id": str(i)}
        for i, (q, a) in enumerate(sums)
    ]
    _json_lines(folder / "my.jsonl", rows)
    _json_lines(folder / "problems.jsonl", rows)
    _json_lines(folder / "answers.jsonl", answers)
    _json_lines(folder / "responses.jsonl", answers)
    runs = [
        {"run": run, "response": row["response"], "gold": row["gold"], "question": row["question"]}
        for run in ("v1", "v2")
        for row in answers
    ]
    parquet.write_table(pa.Table.from_pylist(runs), folder / "table.parquet")
    for name, question, answer in (("my.csv", "prompt", "gold"),):
        lines = [f'"{one}",{other}' for one, other in sums]
        (folder / name).write_text("\n".join([f"{question},{answer}", *lines]) + "\n", encoding="utf-8")
    quiz = "question,A,B,answer\nWhich is even?,3,4,B\nWhich is odd?,3,4,A\n"
    (folder / "quiz.csv").write_text(quiz, encoding="utf-8")
    curve = [f"{step},{0.2 + 0.6 * (step > 40)},{300 + step}" for step in range(1, 81)]
    (folder / "curves.csv").write_text("\n".join(["step,reward,response_length", *curve]) + "\n", encoding="utf-8")


def _json_lines(path: Path, rows: list[dict[str, str]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
