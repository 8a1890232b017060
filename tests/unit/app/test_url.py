"""State to address and back; an invalid value is reported and becomes the default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import url


@dataclass(frozen=True, slots=True)
class State:
    run: tuple[str, ...] = ()
    step: tuple[int, ...] = ()
    kind: Literal["auto", "none"] = "auto"
    log: bool = False
    bench: str | None = None
    page: int = 1
    first: int | None = None


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
STATES = st.builds(
    State,
    run=st.lists(TEXTS, unique=True, max_size=5).map(tuple),
    step=st.lists(st.integers(0, 10**9), unique=True, max_size=5).map(tuple),
    kind=st.sampled_from(["auto", "none"]),
    log=st.booleans(),
    bench=st.none() | TEXTS,
    page=st.integers(0, 10**9),
    first=st.none() | st.integers(0, 10**9),
)


@given(STATES)
def test_an_address_brings_its_state_back(state: State) -> None:
    query = urlsplit(url.link("training", state)).query
    assert url.read(State, parse_qs(query, keep_blank_values=True)) == url.Read(state)


def test_defaults_are_left_out() -> None:
    assert url.link("training", State()) == "training"
    assert url.link("training", State(run=("a", "b c"), log=True)) == "training?run=a&run=b+c&log=1"


@pytest.mark.parametrize(
    ("parameters", "state", "fault"),
    [
        ({"page": ["x"]}, State(), "page='x' in the address: wanted a whole number from 0"),
        ({"page": ["-1"]}, State(), "whole number"),
        ({"page": ["٣"]}, State(), "whole number"),
        ({"page": ["9" * 400]}, State(), "whole number"),
        ({"kind": ["fast"]}, State(), "wanted one of auto, none"),
        ({"log": ["yes"], "bench": ["aime24"]}, State(bench="aime24"), "wanted one of 0, 1"),
        ({"step": ["x", "1"]}, State(), "step='x' in the address: wanted a whole number"),
        ({"page": ["1", "2"]}, State(page=2), "page is in the address 2 times; the last one is used"),
        ({"bench": ["x" * 501]}, State(), "bench in the address has 501 characters, the limit is 500"),
        ({"step": [str(n) for n in range(201)]}, State(step=tuple(range(200))), "201 times; the first 200 are used"),
    ],
)
def test_an_invalid_address_is_reported(parameters: dict[str, list[str]], state: State, fault: str) -> None:
    found = url.read(State, parameters)
    assert found.state == state
    assert [fault in text for text in found.faults] == [True]


def test_what_is_not_the_states_is_left_alone() -> None:
    assert url.read(State, {"other": ["x"], "run": ["a", "a", ""]}) == url.Read(State(run=("a",)))


def test_parameters_of_no_page_are_named() -> None:
    said = url.unknown(["run", "verdict", "x"], {"run", "verdicts"})
    assert [text.partition(";")[0] for text in said[1:]] == ["x in the address is no parameter of this app"]
    assert "verdicts" in said[0]


def test_long_values_and_many_are_cut() -> None:
    many = [str(number) for number in range(1000)]
    assert len(url.read(State, {"run": [*many, "x" * 10_000]}).state.run) == url.MAX_VALUES
    assert url.read(State, {"bench": ["x" * 10_000]}).state.bench is None
