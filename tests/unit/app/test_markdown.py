"""A name is shown as it is, whatever it holds."""

from __future__ import annotations

import re

import pytest

from app.markdown import escaped


@pytest.mark.parametrize(
    "text",
    ["![x](http://e.example/i.png)", "<script>", "$\\href{x}{y}$", ":red[x]", "**b**", "`c`", "~~s~~", "# h", "&lt;"],
)
def test_every_mark_is_escaped(text: str) -> None:
    shown = escaped(text)
    assert shown.replace("\\", "").replace("\u2060", "") == text.replace("\\", "")
    marks = [index for index, char in enumerate(shown) if char in "![]()<>$:*`~#&"]
    assert all(shown[index - 1] == "\\" for index in marks)


def test_line_breaks_are_spaces() -> None:
    assert escaped("a\n# b\r\nc") == "a \\# b c"


@pytest.mark.parametrize(
    "text", ["http://e.example/a", "HTTPS://e.example", "www.e.example", "me@e.example", "//e.example"]
)
def test_a_bare_address_is_no_link(text: str) -> None:
    """GitHub's Markdown links it after the backslashes are gone."""
    without = escaped(text).replace("\\", "")
    assert without.replace("\u2060", "") == text
    assert not re.search(r"://\w|www\.\w|\w@\w", without, re.IGNORECASE)
