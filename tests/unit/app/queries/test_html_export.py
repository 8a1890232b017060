"""The exported page shows every text exactly, and no part of a text becomes an element, an attribute or an address."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.queries.html_export import html_of
from tests.support.app_runs import HOSTILE

TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf", "Zl", "Zp"]), max_size=200) | st.sampled_from(
    ["</pre><script>x</script>", "<!--", "]]>", "&amp;lt;", '" onload="x', "\n\nfirst", HOSTILE]
)


class _Page(HTMLParser):
    """Elements, attributes and texts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: set[tuple[str, str]] = set()
        self.pre: list[str] = []
        self.at = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found |= {(tag, name) for name, _ in attributes} | {(tag, "")}
        self.at = tag if tag != "i" else self.at
        if tag == "pre":
            self.pre.append("")

    def handle_endtag(self, tag: str) -> None:
        self.at = self.at if tag == "i" else ""

    def handle_data(self, data: str) -> None:
        if self.at == "pre":
            self.pre[-1] += data


@given(
    st.lists(st.fixed_dictionaries({"text": TEXTS, "problem_id": TEXTS, "step": st.none() | st.integers()}), max_size=3)
)
def test_a_page_is_inert_and_exact(rows: list[dict[str, Any]]) -> None:
    long = [row | {"text": row["text"] + "x" * 100} for row in rows]
    page = _Page("".join(html_of(long)))
    allowed = {
        "html": {"lang"}, "head": set(), "meta": {"charset", "http-equiv", "content", "name"}, "title": set(),
        "style": set(), "body": set(), "h1": set(), "h3": set(), "p": set(), "details": {"open"}, "summary": set(),
        "table": set(), "tr": set(), "th": set(), "td": set(), "pre": {"tabindex"}, "i": {"class"},
    }  # fmt: skip
    assert all(tag in allowed and name in {"", *allowed[tag]} for tag, name in page.found)
    shown = [text.removeprefix("\n") for text in page.pre]
    for row in long:
        if HOSTILE not in row["text"]:
            assert row["text"] in shown


def test_hidden_characters_are_shown_and_unknown_values_left_out() -> None:
    text = "".join(html_of([{"gold": "\u202e42", "reward": float("nan"), "step": None, "completion": "a\x00b"}]))
    assert "\u202e" not in text
    assert "U+202E" in text
    assert "reward" not in text
    assert "step" not in text
    assert "\x00" not in text
    assert "".join(html_of([])).endswith("<p>0 rows.</p></body></html>\n")
