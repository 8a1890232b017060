"""Word problems: golds by a second reading of the questions, splits that never meet, forms that training never has."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

import pytest

from orz_bench.asking.protocol import template_digest
from orz_bench.asking.templates import NEED_EXAMPLES, TEMPLATES
from orz_bench.benchmarks.arithmetic_mixed import generate_mixed
from orz_bench.benchmarks.registry import get_benchmark
from orz_bench.benchmarks.word_problems import EXAMPLES, Split, generate_word_problems
from orz_bench.errors import ConfigError
from orz_bench.records.rollout import Problem

SEEDS = (2024, 1, 2)
UNITS = {"hours": 60, "meters": 100, "weeks": 7, "days": 24, "kilometers": 1000}
OPERATIONS: dict[str, Callable[[int, int], int]] = {
    r"gets|older|beads": lambda a, b: a + b,
    r"gives away|back|left to read|fewer": lambda a, b: abs(a - b),
    r"in each|costs? \d+ dollars\. How many|per hour|every row": lambda a, b: a * b,
    r"shared equally": lambda a, b: a // b,
    r"A box holds": lambda a, b: b // a,
}


def _solved(question: str) -> int:
    """The answer, from the question's words and numbers alone."""
    numbers = [int(number) for number in re.findall(r"\d+", question)]
    if len(numbers) == 1:
        unit = re.search(r"in \d+ (\w+)\?", question)
        assert unit is not None
        return numbers[0] * UNITS[unit[1]]
    if "You pay with" in question:
        return numbers[1] - numbers[0]
    found = [operation for words, operation in OPERATIONS.items() if re.search(words, question)]
    assert len(found) == 1, question
    return found[0](*numbers)


@pytest.mark.parametrize("split", ["train", "held_out"])
@pytest.mark.parametrize("seed", SEEDS)
def test_golds_are_what_a_second_reading_of_the_question_gives(split: Split, seed: int) -> None:
    problems = generate_word_problems(split=split, seed=seed)
    assert [problem.gold for problem in problems] == [str(_solved(problem.question)) for problem in problems]
    assert all(int(problem.gold) > 0 for problem in problems)


def test_no_question_is_in_two_splits_or_twice_or_an_example() -> None:
    train = [problem for seed in SEEDS for problem in generate_word_problems(split="train", seed=seed)]
    held_out = [problem for seed in SEEDS for problem in generate_word_problems(split="held_out", seed=seed)]
    assert not {problem.question for problem in train} & {problem.question for problem in held_out}
    assert not {problem.extra["subject"] for problem in train} & {
        problem.extra["subject"] for problem in held_out if problem.extra["level"] == 2
    }
    for split in ("train", "held_out"):
        problems = generate_word_problems(split=split)
        assert len({problem.question for problem in problems}) == len(problems)
        assert len({problem.problem_id for problem in problems}) == len(problems)
        assert not any(problem.question in EXAMPLES for problem in problems)


def test_half_of_the_benchmark_has_forms_that_training_never_has() -> None:
    generate = get_benchmark("word_problems").generate
    assert generate is not None
    assert Counter(problem.extra["level"] for problem in generate()) == {1: 60, 2: 60}
    assert generate() == generate()


def test_more_than_there_are() -> None:
    with pytest.raises(ConfigError, match=r"5,000 word problems are wanted, but the split 'train' has 1,138"):
        generate_word_problems(split="train", num_problems=5000)


def test_the_template_shows_the_benchmarks_own_examples() -> None:
    problem = generate_word_problems(split="train", num_problems=1)[0]
    assert TEMPLATES["worked"](problem, None) == f"{EXAMPLES}Problem: {problem.question}\nSolution:"
    with pytest.raises(ConfigError, match="arithmetic_mixed: has no worked examples of its own"):
        TEMPLATES["worked"](generate_mixed(num_problems=1)[0], None)


@pytest.mark.parametrize("template", TEMPLATES)
def test_templates_that_need_examples_are_those_that_refuse_a_problem_without(template: str) -> None:
    problem = Problem(benchmark="none", problem_id="0", question="?", gold="0", kind="math")

    class Tags:
        bos = opening = ""

        def render_chat(self, messages: object) -> str:
            return str(messages)

    if template in NEED_EXAMPLES:
        with pytest.raises(ConfigError, match="worked examples"):
            TEMPLATES[template](problem, Tags())  # type: ignore[arg-type]
    else:
        assert TEMPLATES[template](problem, Tags())  # type: ignore[arg-type]
    assert template_digest(template)
