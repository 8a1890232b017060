from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.reader.latex import plain_markdown, question_markdown
from tests.support.app_runs import HOSTILE

UNESCAPED = re.compile(r"(?<!\\)[!-/:-@\[^-`{-~]")


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        (r"Let $x^2 = 4$.", r"Let $x^2 = 4$\."),
        (r"\(x\) and \[y\]", "$x$ and \n\n$$\ny\n$$\n\n"),
        ("$$a\nb$$", "\n\n$$\na b\n$$\n\n"),
        ("It costs $5 and $10.", r"It costs \$5 and \$10\."),
        ("a\n  b", "a  \n\u00a0\u00a0b"),
        ("# no heading\n- no list", "\\# no heading  \n\\- no list"),
        ("![x](http://a.b)", "\\!\\[x\\]\\(http\\:\u2060\\/\\/a\\.b\\)"),
        ("www.a.b me@a.b", "www\u2060\\.a\\.b me\\@\u2060a\\.b"),
        ("<b>&amp;", r"\<b\>\&amp\;"),
    ],
)
def test_questions(text: str, markdown: str) -> None:
    assert question_markdown(text) == markdown


@given(st.text(st.sampled_from("<>![]()*_`#$\\:/wa. \n"), max_size=60))
def test_outside_of_mathematics_no_mark_stays_bare(text: str) -> None:
    assert not UNESCAPED.findall(plain_markdown(text).replace("\\\\", ""))


@given(st.text(st.sampled_from("<>![]()*_`#$\\:/wa. \n"), max_size=60) | st.just(HOSTILE))
def test_what_is_not_escaped_is_mathematics(text: str) -> None:
    shown = question_markdown(text)
    outside = re.sub(r"(?<!\\)\$\$\n.*?\n\$\$|(?<!\\)\$[^$]*?\$", "", shown, flags=re.DOTALL)
    assert not re.search(r"(?<!\\)(?:\\\\)*[<>!\[\]`*#]", outside.replace("\\\\", ""))


def test_many_openings_are_read_at_once() -> None:
    assert len(question_markdown("\\(" * 9000)) > 9000
    assert len(question_markdown("$a" * 9000)) > 9000


def test_a_long_question_is_cut() -> None:
    assert question_markdown("x" * 50_000).endswith("x…")
    assert len(question_markdown("x" * 50_000)) < 21_000
