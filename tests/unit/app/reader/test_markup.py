from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.reader.markup import Mark, escape, marked_html
from tests.support.app_runs import HOSTILE


class Elements(HTMLParser):
    """The elements and attributes of a text, and the text between them."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: set[tuple[str, str]] = set()
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found |= {(tag, name) for name, _ in attrs} or {(tag, "")}

    def handle_data(self, data: str) -> None:
        self.text += data


TEXTS = st.text(max_size=60) | st.text(st.sampled_from("<>&\"'ab\u202e\x00 "), max_size=30) | st.just(HOSTILE)
MARKS = st.lists(
    st.builds(
        Mark,
        st.integers(0, 40),
        st.integers(0, 70),
        st.sampled_from(["hit", "tag", "p1"]),
        st.sampled_from(["", '"<i>']),
    ),
    max_size=6,
)


@given(text=TEXTS, marks=MARKS)
def test_no_text_becomes_an_element(text: str, marks: list[Mark]) -> None:
    found = Elements(marked_html(text, marks)).found
    assert found <= {("span", "class"), ("span", "title"), ("i", "class")}


def test_marks_of_the_same_stretch_keep_their_order_and_all_their_titles() -> None:
    """Their order was that of a set, and only one title was shown: another one in each process."""
    marks = [Mark(0, 2, f"layer-{number}", f"title {number}") for number in range(9)]
    found = marked_html("ab", [*marks, marks[0]])
    names, titles = ([f"{word}{number}" for number in range(9)] for word in ("layer-", "title "))
    assert found == f'<span class="{" ".join(names)}" title="{"; ".join(titles)}">ab</span>'


@given(text=st.text(st.sampled_from("<>&\"'ab \nä中"), max_size=40), marks=MARKS)
def test_the_text_is_all_there(text: str, marks: list[Mark]) -> None:
    assert Elements(marked_html(text, marks)).text == text


@given(text=st.text("abc", min_size=1, max_size=30), marks=MARKS)
def test_every_character_has_the_layers_that_cover_it(text: str, marks: list[Mark]) -> None:
    shown: list[set[str]] = []
    for opened, inside in re.findall(
        r'<span class="([^"]*)"[^>]*>([^<]*)</span>|([^<]+)', marked_html(text, marks)
    ) and [
        (found[0], found[1] or found[2])
        for found in re.findall(r'<span class="([^"]*)"[^>]*>([^<]*)</span>|([^<]+)', marked_html(text, marks))
    ]:
        shown += [set(opened.split())] * len(unescape(inside))
    wanted = [{mark.layer for mark in marks if mark.start <= at < mark.end} for at in range(len(text))]
    assert shown == wanted


@pytest.mark.parametrize("char", ["\u202e", "\u200b", "\u2066", "\ufeff", "\x00", "\x1b", "\x85", "\u2028"])
def test_what_cannot_be_seen_is_shown(char: str) -> None:
    shown = escape(f"a{char}b")
    assert char not in shown
    assert "hidden-char" in shown


def test_a_megabyte_is_marked_at_once() -> None:
    text = "ab" * 500_000
    shown = marked_html(text, [Mark(at, at + 1, "hit") for at in range(0, 4000, 2)])
    assert shown.count("<span") == 2000
