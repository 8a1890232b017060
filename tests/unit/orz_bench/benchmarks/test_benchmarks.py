"""Every benchmark reads the rows of its dataset; names, aliases and declarations are whole."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from orz_bench.asking.protocol import PROTOCOLS
from orz_bench.benchmarks.arithmetic_mixed import MAX_PROBLEMS, generate_mixed
from orz_bench.benchmarks.gpqa import option_order
from orz_bench.benchmarks.registry import all_benchmarks, get_benchmark
from orz_bench.errors import ConfigError, DataError
from orz_bench.evaluation.harness import lm_eval_tasks
from orz_bench.records.rollout import Problem

TASKS = Path(lm_eval_tasks.__path__[0])
GPQA_ROW = {
    "Question": "Which?",
    "Correct Answer": "right",
    "Incorrect Answer 1": "w1",
    "Incorrect Answer 2": "w2",
    "Incorrect Answer 3": "w3",
    "Record ID": "rec1",
}


def parsed(name: str, row: dict[str, Any], position: int = 0) -> Problem:
    parse = get_benchmark(name).parse_row
    assert parse is not None
    return parse(row, position)


@pytest.mark.parametrize("name", all_benchmarks())
def test_declarations_are_whole(name: str) -> None:
    benchmark = get_benchmark(name)
    assert benchmark.default_protocol in PROTOCOLS
    assert benchmark.licence
    if benchmark.hub is not None:
        assert benchmark.local_names
        assert benchmark.num_problems or benchmark.num_rows
        assert re.fullmatch(r"[0-9a-f]{40}", benchmark.hub.revision)


@pytest.mark.parametrize("name", all_benchmarks())
def test_every_benchmark_with_written_answers_is_a_task_of_lm_eval(name: str) -> None:
    benchmark = get_benchmark(name)
    has_task = (TASKS / f"orz_{name}.yaml").is_file()
    assert has_task == (benchmark.answered == "by_writing" and benchmark.kind != "code")
    if has_task:
        assert f"  benchmark: {name}\n" in (TASKS / f"orz_{name}.yaml").read_text(encoding="utf-8")


def test_aliases_and_near_misses() -> None:
    assert get_benchmark("gpqa").name == "gpqa_diamond"
    with pytest.raises(ConfigError, match="did you mean 'aime24'"):
        get_benchmark("amie24")


@pytest.mark.parametrize(
    ("name", "row", "gold"),
    [
        ("aime24", {"problem": "?", "answer": "073"}, "073"),
        ("aime25", {"question": "?", "answer": 70}, "70"),
        ("amc", {"problem": "?", "answer": 142.0}, "142"),
        ("gsm8k", {"question": "?", "answer": "thus\n#### 1,234"}, "1234"),
        ("math500", {"problem": "?", "answer": r"\frac{1}{2}"}, r"\frac{1}{2}"),
        ("math_test", {"problem": "?", "solution": r"so \boxed{\frac{1}{2}}."}, r"\frac{1}{2}"),
        ("gpqa_diamond", {"question": "A. 1 B. 2 C. 3 D. 4", "answer": "C"}, "C"),
    ],
)
def test_golds(name: str, row: dict[str, Any], gold: str) -> None:
    assert parsed(name, row).gold == gold


def test_gpqa_options_depend_on_the_question_alone() -> None:
    problem = parsed("gpqa_diamond", GPQA_ROW)
    assert problem == parsed("gpqa_diamond", dict(GPQA_ROW), 5)
    line = next(line for line in problem.question.splitlines() if line.endswith("right"))
    assert line.startswith(f"{problem.gold}. ")


def test_gpqa_golds_are_spread_over_the_letters() -> None:
    golds = [option_order(f"question {number}").index(0) for number in range(400)]
    assert all(70 <= golds.count(letter) <= 130 for letter in range(4))


def test_a_gpqa_gold_that_is_no_letter_is_refused() -> None:
    with pytest.raises(DataError, match="wanted one of the letters"):
        parsed("gpqa_diamond", {"question": "?", "answer": "E"})


def test_arithmetic_is_the_same_every_time_and_right() -> None:
    problems = generate_mixed()
    assert problems == generate_mixed()
    assert len({problem.question for problem in problems}) == len(problems) == 100
    assert [problem.extra["level"] for problem in problems[:6]] == [1, 2, 3, 4, 5, 1]
    for problem in problems:
        if match := re.fullmatch(r"What is ([-+() \d\\cdot]+)\?", problem.question):
            assert str(eval(match[1].replace("\\cdot", "*"))) == problem.gold
        if match := re.fullmatch(r"What is the remainder when (.+) is divided by (\d+)\?", problem.question):
            assert str(eval(match[1].replace("\\cdot", "*")) % int(match[2])) == problem.gold
        if match := re.fullmatch(r".* holds (\d+) \w+\. .* in (\d+) such boxes and (\d+) more\?", problem.question):
            assert int(match[1]) * int(match[2]) + int(match[3]) == int(problem.gold)


def test_arithmetic_never_changes() -> None:
    """Its problems are part of results that people keep: another list is another benchmark."""
    first = [(problem.question, problem.gold) for problem in generate_mixed(num_problems=3)]
    assert first == [
        ("What is 5 + 6?", "11"),
        ("What is 6 \\cdot 9?", "54"),
        (
            "A box holds 47 apples. How many apples are in 8 such boxes and 62 more?",
            "438",
        ),
    ]


def test_more_arithmetic_than_there_is() -> None:
    assert len(generate_mixed(num_problems=MAX_PROBLEMS)) == MAX_PROBLEMS
    with pytest.raises(ConfigError, match="at most 500"):
        generate_mixed(num_problems=MAX_PROBLEMS + 1)
