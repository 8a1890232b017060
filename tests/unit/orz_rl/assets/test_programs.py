"""The code task of the tiny model: problems with tests, and programs that the sandbox runs."""

from __future__ import annotations

import random

from orz_bench.benchmarks.arithmetic import generate_sums
from orz_bench.grading.grader import Grader, Submission
from orz_rl.assets.programs import NAME, RIGHT, demonstrate_program, program_problems
from orz_rl.recipes.registry import resolve
from orz_rl.rollout.problems import read_problems, read_training_data


def test_every_sum_of_training_asks_for_a_program() -> None:
    data = read_training_data([NAME])
    assert [p.question for p in data.problems] == [p.question for p in generate_sums(split="train")]
    assert {p.kind for p in data.problems} == {"code"}
    assert {p.gold for p in data.problems} == set(data.tests)
    assert {p.problem_id for p in data.problems}.isdisjoint(p.problem_id for p in read_problems(["arithmetic"]))
    assert resolve("tiny_programs").data.source == (NAME,)


def test_demonstrations_are_graded_by_running_them() -> None:
    problems, tests = program_problems()
    rng = random.Random(3)
    chosen = problems[:12]
    texts = [demonstrate_program(problem, rng) for problem in chosen]
    submissions = [
        Submission(gold=problem.gold, kind="code", num_choices=0, response=text)
        for problem, text in zip(chosen, texts, strict=True)
    ]
    with Grader(extractor="orz", tests=tests, allow_weak_isolation=True) as grader:
        grades = grader.grade(submissions)
    for problem, text, grade in zip(chosen, texts, grades, strict=True):
        terms = "+".join(problem.problem_id.rpartition("-")[2])
        assert (grade.verdict == "correct") == (f"print({terms})" in text), (text, grade)
    assert {grade.verdict for grade in grades} == {"correct", "wrong"}
    assert 0 < RIGHT < 1
