"""What each shipped behaviour takes and leaves, behaviours of a user, and where they are found."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from analysis.behaviours.behaviour import BEHAVIOURS, Behaviour, Response, find_behaviour
from analysis.commands.detect import SHIPPED
from orz_bench.errors import ConfigError, DataError

LONG = "A train leaves at noon with a speed of 60 miles per hour and arrives at three."


def a_response(text: str, **fields: Any) -> Response:
    unknown: dict[str, Any] = dict.fromkeys(
        ("question", "gold", "extracted", "verdict", "reward", "num_tokens", "stop_reason")
    )
    return Response(**unknown | {"text": text, "step": 1, "problem_id": "p", "sample_index": 0} | fields)


@pytest.mark.parametrize(
    ("name", "text", "question", "shows"),
    [
        ("reflection", "So 7. Wait, let me recheck.", None, True),
        ("reflection", "So 7.", None, False),
        ("reflection", "```\nwait, x\n```", None, False),
        ("guessing", "I guess it is 7.", None, True),
        ("guessing", "I’ll just guess: 7", None, True),
        ("guessing", "My best guess is 4", None, True),
        ("guessing", "so I pick one at random", None, True),
        ("guessing", "Nobody can guess the number of balls drawn at random from the urn.", None, False),
        ("guessing", "Alice randomly selects one ball, and a number is selected at random from 1 to 100.", None, False),
        ("guessing", "Let me randomly pick an option: B", None, True),
        ("guessing", "A random variable X is chosen uniformly.", None, False),
        ("no-reasoning", " 12 </think> <answer> \\boxed{12} </answer>", None, True),
        ("no-reasoning", " 7+5=12 </think> <answer> \\boxed{12} </answer>", None, False),
        ("no-reasoning", "Since the triangle is right, it follows. </think> <answer>3</answer>", None, False),
        ("language-mixing", "So the answer 是三角形 is", None, True),
        ("language-mixing", "the angle αβγ is", None, False),
        ("copied-prompt", f"The problem says: {LONG} So", LONG, True),
        ("copied-prompt", "The train arrives at three with a speed of 60 miles", LONG, False),
        ("copied-prompt", "What is 6 + 7 + 8? It is 21", "What is 6 + 7 + 8?", True),
        ("copied-prompt", "6 + 7 = 13", "What is 6 + 7 + 8?", False),
        ("copied-prompt", "User: You must put your answer inside <answer>", "What is 1?", True),
        ("copied-prompt", "x", "", False),
        ("repetition", "so it goes on and on. " * 12, None, True),
        ("repetition", "one two three four five", None, False),
        ("repetition", "-" * 30, None, False),
    ],
)
def test_what_the_shipped_ones_take(name: str, text: str, question: str | None, shows: bool) -> None:
    assert find_behaviour(name).shows(a_response(text, question=question)) is shows


def test_the_command_lists_what_is_shipped() -> None:
    assert list(BEHAVIOURS.built_in) == list(SHIPPED)
    assert all(find_behaviour(name).name == name for name in SHIPPED)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "has none of pattern, program and question"),
        ({"pattern": "a", "question": "b?"}, "has pattern and question"),
        ({"pattern": "("}, "no regular expression"),
        ({"pattern": "a", "name": "Two Words"}, "wanted a name of lower-case letters"),
    ],
)
def test_a_behaviour_has_one_way(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        Behaviour(**{"name": "mine", "what": "x"} | fields)


USERS = """
from analysis import Behaviour

def is_long(response):
    return response.num_tokens > 10

LONG = Behaviour(name="long", what="long ones", program=is_long)
BROKEN = Behaviour(name="broken", what="fails", program=lambda response: response.gold / 2)
UNSURE = Behaviour(name="unsure", what="no boolean", program=lambda response: "yes")
NUMBER = 7
"""


def test_programs_of_a_file_and_of_a_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "my_behaviours.py"
    file.write_text(USERS, encoding="utf-8")
    long = find_behaviour(f"{file}:LONG")
    assert [long.shows(a_response("", num_tokens=num)) for num in (5, 50)] == [False, True]
    before = long.card["program"]
    monkeypatch.chdir(tmp_path)
    assert find_behaviour("my_behaviours:LONG").card["program"] == before
    file.write_text(USERS.replace("> 10", "> 11"), encoding="utf-8")
    assert find_behaviour(f"{file}:LONG").card["program"] != before
    with pytest.raises(DataError, match="sample 0 of p, step 1: its program raised TypeError"):
        find_behaviour(f"{file}:BROKEN").shows(a_response("", gold="4"))
    with pytest.raises(DataError, match="returned a str, wanted True or False"):
        find_behaviour(f"{file}:UNSURE").shows(a_response(""))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("reflections", "behaviour 'reflections' is unknown (did you mean 'reflection'?)"),
        ("no_such_module_here:X", "cannot be imported"),
        ("absent.py:X", "cannot be imported"),
        ("{file}:NUMBER", "has a int under NUMBER"),
        ("{file}:ABSENT", "has nothing under ABSENT"),
    ],
)
def test_errors_of_names(tmp_path: Path, name: str, message: str) -> None:
    file = tmp_path / "mine.py"
    file.write_text("NUMBER = 7\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        find_behaviour(name.format(file=file))
    assert message in str(caught.value)


def test_a_text_is_only_ever_data() -> None:
    """Nothing of a response is executed or compiled, not even as a pattern."""
    hostile = "__import__('os').system('exit 1') (?P<x>(((( \\"
    assert all(find_behaviour(name).shows(a_response(hostile, question=hostile)) in (True, False) for name in SHIPPED)
