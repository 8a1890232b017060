"""The code task of the tiny model: sums whose answer is a program, its tests, and demonstrations of such programs.

`arithmetic_programs` in data.source. The sandbox runs every program, so verdicts are as real as LiveCodeBench's.
"""

from __future__ import annotations

import json
import random
from dataclasses import replace

from orz_bench.benchmarks.arithmetic import generate_sums
from orz_bench.records.program_tests import PackedTests
from orz_bench.records.rollout import Problem

NAME = "arithmetic_programs"
RIGHT = 0.3
"""Share of right programs among the demonstrations: training has to find the others' faults."""


def program_problems() -> tuple[list[Problem], dict[str, PackedTests]]:
    """The sums of the training split as problems that ask for a program, and their tests by gold."""
    tests: dict[str, PackedTests] = {}
    problems = []
    for problem in generate_sums(split="train"):
        packed = PackedTests(
            public=json.dumps([{"input": "", "output": f"{problem.gold}\n"}]), private="[]", function=None
        )
        tests[packed.digest] = packed
        id_ = problem.problem_id.replace("sum", "program")
        extra = {**problem.extra, "starter_code": f"# {problem.question}"}
        problems.append(replace(problem, problem_id=id_, gold=packed.digest, kind="code", extra=extra))
    return problems, tests


def demonstrate_program(problem: Problem, rng: random.Random) -> str:
    """One response, without the end token: what follows `Assistant: <think>`. Most of its programs are wrong."""
    terms = list(problem.problem_id.rpartition("-")[2])
    line = f"print({'+'.join(terms)})"
    if rng.random() >= RIGHT:
        line = rng.choice(
            [
                f"print({'+'.join(terms[:-1])})",
                f"print({'*'.join(terms)})",
                f"print({'+'.join(terms)}",
                f"print {terms[0]}",
            ]
        )
    return f" </think> <answer> ```python\n{line}\n``` </answer>"
