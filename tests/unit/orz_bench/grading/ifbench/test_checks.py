"""IFBench's checks: made-up texts with the official verdicts (by benchmarks/ifbench.py), and what is refused."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orz_bench.grading.ifbench.checks import CHECKS, fault_of, follows, follows_loosely, load_tools, variants
from orz_bench.grading.ifbench.texts import Tools, is_emoji
from orz_bench.grading.instructions import provide_sentences

CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[4] / "corpora" / "ifbench_cases.json").read_text(encoding="utf-8")
)
OF_A_LIBRARY = ("words:odd_even_syllables", "words:start_verb")


@pytest.fixture(scope="module")
def tools() -> Tools:
    provide_sentences()
    return load_tools()


def test_every_verdict_is_the_official_one(tools: Tools) -> None:
    checked: dict[str, set[bool]] = defaultdict(set)
    for case in CASES:
        name, arguments, text = case["id"], case["arguments"], case["text"]
        if fault_of(name, arguments, tools=tools):
            assert name in OF_A_LIBRARY
            continue
        found = follows(name, arguments, text=text, tools=tools)
        assert found == case["follows"], (name, text)
        checked[name].add(found)
    assert set(CHECKS) - set(checked) <= set(OF_A_LIBRARY)
    assert all(verdicts == {True, False} for verdicts in checked.values()), "each has texts of both kinds"


def test_what_a_library_decides(tools: Tools) -> None:
    """The libraries' place is taken by what they would say: they are optional."""
    given = replace(tools, syllables=len, first_tag=lambda tokens: "VB" if tokens[0] == "Run" else "DT")
    assert follows("words:odd_even_syllables", {}, text="a bb, c!", tools=given)
    assert not follows("words:odd_even_syllables", {}, text="a b", tools=given)
    assert follows("words:start_verb", {}, text="Run fast", tools=given)
    assert not follows("words:start_verb", {}, text="The cat", tools=given)


def test_what_cannot_be_checked_says_why(tools: Tools) -> None:
    without = replace(tools, syllables=None, first_tag=None)
    assert "needs the package syllapy; install it" in str(fault_of(OF_A_LIBRARY[0], {}, tools=without))
    assert "averaged_perceptron_tagger_eng" in str(fault_of(OF_A_LIBRARY[1], {}, tools=without))
    assert "count:numbers lacks N" in str(fault_of("count:numbers", {}, tools=tools))
    assert "takes no M; it takes N" in str(fault_of("count:numbers", {"N": 1, "M": 2}, tools=tools))
    assert "takes no N; it takes no arguments" in str(fault_of("format:newline", {"N": 1}, tools=tools))
    assert fault_of("count:numbers", {"N": 1.0}, tools=tools) is None


def test_loosely_the_first_and_last_line_and_asterisks_do_not_count(tools: Tools) -> None:
    numbers = {"N": 1.0}
    response = "Sure, 2 of them:\n*7*\nThat is 1."
    assert not follows("count:numbers", numbers, text=response, tools=tools)
    assert follows_loosely("count:numbers", numbers, response=response, tools=tools)
    assert variants("a\n*b*\nc") == ["a\n*b*\nc", "a\nb\nc", "*b*\nc", "a\n*b*", "*b*", "b\nc", "a\nb", "b"]
    assert not follows_loosely("format:newline", {}, response=" \n ", tools=tools), "a blank text follows nothing"


def test_a_broken_table_is_no_table(tools: Tools) -> None:
    assert not follows("custom:csv_city", {}, text='ID,"a\0\n' + "\r", tools=tools)
    rows = "StudentID\tSubject\tGrade\tSemester\tScore\n\t\t\t\t\n" * 3
    assert not follows("custom:csv_quotes", {}, text=rows, tools=tools)


def test_emojis_are_told_by_their_character() -> None:
    assert all(map(is_emoji, "\U0001f600\u2764\u00a9\u203c"))
    assert not any(map(is_emoji, "a1#*\ufe0f\u4e2d"))
