"""The packs of reflection patterns: what each finds, overlaps, word bounds, unknown names, hostile texts."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.texts.lexicons import LEXICONS, get_lexicon, lower_ascii
from orz_bench.errors import ConfigError
from orz_bench.extraction.responses import count_reflections
from tests.support.cpu_time import at_most_cpu_seconds

PIECES = [
    "wait,",
    "Wait, ",
    "recheck",
    "recheck,",
    "recheck\n",
    "retry",
    "Retry",
    "however,",
    "alternatively,",
    " ",
    "x",
    "İ",
]
texts = st.lists(st.sampled_from(PIECES), max_size=20).map("".join)


def found(name: str, text: str) -> list[str]:
    return [text[match.start : match.end] for match in get_lexicon(name).find(text)]


@given(texts)
def test_orz_code_counts_as_its_regexes_do(text: str) -> None:
    assert len(found("orz-code", text)) == count_reflections(text)
    by_pattern = Counter(match.pattern for match in get_lexicon("orz-code").find(text))
    for number, pattern in enumerate((r"wait,", r"recheck[,\s]", r"retry", r"alternatively,", r"however,")):
        assert by_pattern[number] == len(re.findall(pattern, text))


@given(texts)
def test_orz_paper_counts_as_five_regexes_that_ignore_case(text: str) -> None:
    five = ("wait,", "recheck", "retry", "alternatively,", "however,")
    wanted = sum(len(re.findall(pattern, text, flags=re.IGNORECASE | re.ASCII)) for pattern in five)
    assert len(found("orz-paper", text)) == wanted


def test_case_distinguishes_code_from_paper() -> None:
    assert found("orz-code", "Wait, However, recheck.") == []
    assert found("orz-paper", "Wait, However, recheck.") == ["Wait,", "However,", "recheck"]


def test_urz15_has_fifteen_patterns() -> None:
    assert len(get_lexicon("urz15").patterns) == 15
    assert found("urz15", "Let me Double-Check, then re-examine and GO OVER THE STEPS") == [
        "Double-Check", "re-examine", "GO OVER THE STEPS",
    ]  # fmt: skip


def test_extended_finds_what_every_other_pack_finds_as_words() -> None:
    words = [word for name in ("orz-paper", "urz15") for word in get_lexicon(name).patterns]
    assert all(found("extended", f"So {word}, then") == [word] for word in words)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Await and waiter, but wait", ["wait"]),
        ("Rechecking, double  check", ["Rechecking", "double  check"]),
        ("Hmmm. hum", ["Hmmm"]),
        ("let me check again", ["let me check"]),
        ("wait_for", []),
        ("éwait, wait", ["wait"]),
        ("check\nagain", ["check\nagain"]),
    ],
)
def test_extended_is_bounded_by_words_and_counts_overlaps_once(text: str, wanted: list[str]) -> None:
    assert found("extended", text) == wanted


@given(st.text())
def test_lower_case_keeps_positions(text: str) -> None:
    lowered = lower_ascii(text)
    assert len(lowered) == len(text)
    assert all(a == b or (a.isascii() and a.lower() == b) for a, b in zip(text, lowered, strict=True))


def test_lower_case_bears_lone_surrogates() -> None:
    assert lower_ascii("A\ud800İ") == "a\ud800İ"


def test_an_unknown_name_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"did you mean 'orz-paper'.*orz-code, orz-paper, urz15, extended"):
        get_lexicon("orz-papr")


def test_every_pack_says_its_version_and_source() -> None:
    assert [lexicon.label for lexicon in LEXICONS.values()] == [
        "orz-code v1", "orz-paper v1", "urz15 v1", "extended v1",
    ]  # fmt: skip
    assert all(lexicon.source for lexicon in LEXICONS.values())


HOSTILE = ("double " * 60_000, "double" + " " * 400_000, "hm" + "m" * 400_000, "check \n" * 60_000, "wait" * 100_000)


@pytest.mark.parametrize("name", LEXICONS)
def test_hostile_texts_take_linear_time(name: str) -> None:
    with at_most_cpu_seconds(30):
        for text in HOSTILE:
            get_lexicon(name).find(text)
