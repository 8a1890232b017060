"""A name is shown as it is, whatever it holds."""

from __future__ import annotations

import pytest

from app.markdown import escaped


@pytest.mark.parametrize(
    "text",
    ["![x](http://e.example/i.png)", "<script>", "$\\href{x}{y}$", ":red[x]", "**b**", "`c`", "~~s~~", "# h", "&lt;"],
)
def test_every_mark_is_escaped(text: str) -> None:
    shown = escaped(text)
    assert shown.replace("\\", "") == text.replace("\\", "")
    marks = [index for index, char in enumerate(shown) if char in "![]()<>$:*`~#&"]
    assert all(shown[index - 1] == "\\" for index in marks)


def test_line_breaks_are_spaces() -> None:
    assert escaped("a\n# b\r\nc") == "a \\# b c"
