"""LiveCodeBench: rows of both shapes, releases, windows, known bad problems."""

from __future__ import annotations

import base64
import json
import pickle
import zlib
from pathlib import Path
from typing import Any

import pytest

from orz_bench.asking.changes import ProtocolChanges
from orz_bench.asking.protocol import customise, fit_to_kind, get_protocol, template_digest
from orz_bench.asking.templates import TEMPLATES
from orz_bench.benchmarks.benchmark import Benchmark
from orz_bench.benchmarks.livecodebench import KNOWN_BAD, parse_row, parse_tests
from orz_bench.benchmarks.loading.load import load_problems
from orz_bench.benchmarks.registry import get_benchmark
from orz_bench.errors import ConfigError, DataError
from tests.support.builders import a_problem

TESTS = [{"input": "1 2\n", "output": "3\n", "testtype": "stdin"}]


def a_row(**changes: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "question_id": "abc900_a",
        "question_title": "A. Add",
        "question_content": "Print the sum.",
        "platform": "atcoder",
        "contest_date": "2024-08-03T00:00:00",
        "starter_code": "",
        "difficulty": "easy",
        "public_test_cases": json.dumps(TESTS),
        "private_test_cases": base64.b64encode(zlib.compress(pickle.dumps(json.dumps(TESTS * 2)))).decode(),
        "metadata": "{}",
    }
    return facts | changes


def test_a_row_of_the_hub() -> None:
    problem = parse_row(a_row(), 0, benchmark="livecodebench")
    tests = parse_tests(a_row())
    assert (problem.problem_id, problem.kind, problem.gold) == ("abc900_a", "code", tests.digest)
    assert (problem.extra["difficulty"], problem.extra["month"], "tests" in problem.extra) == ("easy", "2024-08", False)
    assert len(tests.unpack().tests) == 3


def test_a_row_with_its_tests_as_lists() -> None:
    row = a_row(public_test_cases=TESTS, private_test_cases=[], metadata={"func_name": "f"}, public_tests_verified=True)
    assert parse_tests(row).function == "f"
    assert parse_row(row, 0, benchmark="livecodebench").extra["tests"] == "few"


@pytest.mark.parametrize(
    "changes", [{"public_test_cases": None}, {"contest_date": "soon"}, {"metadata": "{"}, {"question_content": ""}]
)
def test_a_broken_row_is_named(changes: dict[str, Any]) -> None:
    with pytest.raises(DataError):
        parse_row(a_row(**changes), 0, benchmark="livecodebench")


def kept(name: str, *rows: dict[str, Any]) -> list[str]:
    benchmark = get_benchmark(name)
    assert benchmark.keep is not None
    problems = [parse_row(row, 0, benchmark=benchmark.name) for row in rows]
    return [problem.problem_id for problem in problems if benchmark.keep(problem)]


ROWS = [
    a_row(question_id=name, contest_date=f"{day}T12:00:00")
    for name, day in (("a", "2024-07-31"), ("b", "2024-08-01"), ("arc185_c", "2025-01-31"), ("d", "2025-02-02"))
]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("livecodebench", ["b", "arc185_c"]),
        ("lcb", ["b", "arc185_c"]),
        ("livecodebench:without-known-bad", ["b"]),
        ("livecodebench:release_v5", ["a", "b", "arc185_c", "d"]),
        ("livecodebench:release_v6:2025-01-01..", ["arc185_c", "d"]),
        ("livecodebench:..2024-07-31", ["a"]),
        ("livecodebench:without-known-bad:release_v5:2024-08-01..2025-02-01", ["b"]),
    ],
)
def test_releases_and_windows(name: str, wanted: list[str]) -> None:
    assert kept(name, *ROWS) == wanted


def test_one_selection_has_one_name() -> None:
    assert get_benchmark("livecodebench:release_v5:2024-08-01..2025-02-01").name == "livecodebench"
    names = ("livecodebench:without-known-bad:release_v4", "livecodebench:release_v4:without-known-bad")
    assert len({get_benchmark(name).name for name in names}) == 1
    assert get_benchmark("livecodebench:release_v4").num_problems == 713
    assert get_benchmark(get_benchmark("lcb:2024-09-01..:without-known-bad").name).name.count(":") == 3


def test_releases_share_their_files() -> None:
    def files(benchmark: Benchmark) -> tuple[str, ...]:
        assert benchmark.hub is not None
        return benchmark.hub.files

    assert files(get_benchmark("livecodebench:release_v1")) == ("test.jsonl",)
    assert files(get_benchmark("livecodebench"))[-1] == "test5.jsonl"
    assert get_benchmark("livecodebench").cache_name == get_benchmark("livecodebench:release_v5").cache_name


@pytest.mark.parametrize("options", ["release_v9", "2024", "2024-08-01..soon", "2024-13-01..", "without"])
def test_an_unknown_option_is_named(options: str) -> None:
    with pytest.raises(ConfigError, match=r"wanted"):
        get_benchmark(f"livecodebench:{options}")


def test_other_benchmarks_have_no_options() -> None:
    with pytest.raises(ConfigError, match="has no options"):
        get_benchmark("aime24:hard")


def test_a_file_is_loaded_with_its_tests_and_notes(tmp_path: Path) -> None:
    rows = [
        a_row(question_id=f"q{n}", question_content=f"Question {n}.", public_tests_verified=True) for n in range(399)
    ]
    rows.append(a_row(question_id="arc189_a", contest_date="2024-11-10T00:00:00"))
    (tmp_path / "livecodebench_v1.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    loaded = load_problems(get_benchmark("livecodebench:release_v1:2024-09-01.."), folders=[tmp_path])
    assert [problem.problem_id for problem in loaded.problems] == ["arc189_a"]
    assert set(loaded.tests) == {loaded.problems[0].gold}
    assert any("arc189_a" in note for note in loaded.errata_notes())
    whole = load_problems(get_benchmark("livecodebench:release_v1"), folders=[tmp_path])
    assert any("399 of 400" in note for note in whole.notes)
    with pytest.raises(DataError, match="widen"):
        load_problems(get_benchmark("livecodebench:release_v1:2030-01-01.."), folders=[tmp_path])


def test_known_bad_problems_have_a_source() -> None:
    assert len(KNOWN_BAD) == 17
    assert all("ERRATA" in reason for reason in KNOWN_BAD.values())


class Tags:
    bos = "<s>"
    eos = "</s>"
    opening = ""

    def encode(self, text: str) -> tuple[int, ...]:
        return tuple(text.encode())

    def render_chat(self, messages: Any) -> str:
        return "".join(f"[{message['role']}]{message['content']}" for message in messages)


def test_the_prompt_is_livecodebenchs() -> None:
    problem = a_problem(kind="code", question="Print it.")
    assert TEMPLATES["lcb"](problem, Tags()) == (
        "[system]You are an expert Python programmer. You will be given a question (problem specification) and will "
        "generate a correct Python program that matches the specification and passes all tests."
        "[user]### Question:\nPrint it.\n\n### Format: Read the inputs from stdin solve the problem and write the "
        "answer to stdout (do not directly test on the sample inputs). Enclose your code within delimiters as "
        "follows. Ensure that when the python program runs, it reads the inputs, runs the algorithm and writes output "
        "to STDOUT.\n"
        "```python\n# YOUR CODE HERE\n```\n\n### Answer: (use the provided format with backticks)\n\n"
    )
    starter = a_problem(kind="code", question="Return it.", extra={"starter_code": "class Solution:\n    def f(self):"})
    assert (
        "### Format: You will use the following starter code to write the solution to the problem and enclose your "
        "code within delimiters.\n```python\nclass Solution:\n    def f(self):\n```\n\n"
    ) in TEMPLATES["lcb"](starter, Tags())


def test_every_template_says_what_form_a_program_has() -> None:
    problem = a_problem(kind="code", extra={"starter_code": "class Solution: ..."})
    for name in ("orz-code", "orz-paper", "chat", "plain", "lcb"):
        assert "```python\nclass Solution: ...\n```" in TEMPLATES[name](problem, Tags())
    with pytest.raises(ConfigError, match="few-shot"):
        TEMPLATES["few-shot"](problem, Tags())
    assert template_digest("orz-code", kind="code") != template_digest("orz-code")


def test_protocols_read_programs_by_a_rule_for_programs() -> None:
    assert fit_to_kind(get_protocol("orz"), "code").extractor == "lcb"
    assert fit_to_kind(customise(get_protocol("lcb"), ProtocolChanges(extractor="fence")), "code").extractor == "fence"
    with pytest.raises(ConfigError, match="for programs"):
        fit_to_kind(get_protocol("lcb"), "math")
