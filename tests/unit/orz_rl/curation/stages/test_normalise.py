"""One spelling for what looks the same; formulas and meaning stay."""

from __future__ import annotations

import pytest

from orz_rl.curation.settings import NormaliseSettings
from orz_rl.curation.stages.normalise import bare_answer, normalised, plain_unicode, without_spacing
from tests.support.curation_rows import a_row


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("#### 1,234", "1234"),
        ("5 + 5 = 10, so\n#### 10", "10"),
        ("#### 12,345,678", "12345678"),
        ("#### (1, 2)", "(1, 2)"),
        ("#### 1,2", "1,2"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"The answer is $\boxed{7}$.", "7"),
        ("$x$", "x"),
        ("$$x$$", "x"),
        (r"\(x\)", "x"),
        (r"\[ x + 1 \]", "x + 1"),
        (r"\boxed{1} or \boxed{2}", r"\boxed{1} or \boxed{2}"),
        ("$1$ and $2$", "$1$ and $2$"),
        (r"\$5", r"\$5"),
        (r"$\$36.50$", r"\$36.50"),
        (r"$\$1$ and $\$2$", r"$\$1$ and $\$2$"),
        ("$$1$$ and $$2$$", "$$1$$ and $$2$$"),
        (r"\(1\) and \(2\)", r"\(1\) and \(2\)"),
        ("####", "####"),
        ("42", "42"),
    ],
)
def test_golds_lose_their_frame_only(text: str, expected: str) -> None:
    assert bare_answer(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"1 \, + \; 2", "1   +   2"),
        (r"a\!b", "ab"),
        (r"10,\!000", "10,000"),
        (r"10\,000", "10000"),
        (r"3\,000\,000", "3000000"),
        (r"3\,4", "3 4"),
        (r"a \\, b", r"a \\, b"),
        (r"x\ y", r"x\ y"),
        ("see [here](https://example.org/x)", "see here"),
        ("![a figure](https://example.org/x.png)", "![a figure](https://example.org/x.png)"),
    ],
)
def test_spacing(text: str, expected: str) -> None:
    assert without_spacing(text) == expected


def test_unicode() -> None:
    assert plain_unicode("a\u00a0b\u200bc\r\nd  \n\n\n\ne\ufeff ") == "a bc\nd\n\ne"
    assert plain_unicode("e\u0301 x²") == "é x²"


def test_what_was_changed_is_noted() -> None:
    row = a_row("a\u00a0b \\, c", r"$\boxed{3}$")
    found = normalised(row, NormaliseSettings())
    assert (found.question, found.answer) == ("a b   c", "3")
    assert found.changes == ("unicode", "latex spacing", "answer")
    plain = a_row()
    assert normalised(plain, NormaliseSettings()) is plain
    none = NormaliseSettings(unicode=False, latex_spacing=False, answers=False)
    assert normalised(row, none) is row
