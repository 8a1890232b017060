"""The page is made of hostile text: nothing that a model writes may become markup, and nothing is fetched."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from analysis.report.examples import Example, Response
from analysis.report.finding import Finding
from analysis.report.page import Page, Picture, RunSection, render
from analysis.report.tables import Table

HOSTILE = (
    "<script>alert(1)</script>",
    "</pre></body></html><img src=x onerror=alert(1)>",
    '"><svg/onload=alert(1)>',
    "$body ${title} $$ %s {x}",
    "lone \ud800 surrogate, nul \x00, override \u202e, escape \x1b[31m",
    "x" * 200_000,
    "<!-- ]]> &lt;script&gt;",
)
_KNOWN_TAGS = {
    *(
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "h1",
        "h2",
        "h3",
        "p",
        "nav",
        "a",
        "div",
        "section",
        "ul",
        "li",
    ),
    *("figure", "img", "figcaption", "table", "caption", "thead", "tbody", "tr", "th", "td", "span", "pre"),
}


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def _page(text: str) -> Page:
    response = Response(step=0, text=text, verdict=text[:100], num_tokens=3)
    example = Example(title=text[:100], question=text, gold=text[:100], before=response, after=response)
    finding = Finding(question="Did it learn?", answer="yes", headline=text[:1000], details=(text[:1000],))
    short = text[:1000]
    return Page(
        title=short,
        made_from=short,
        runs=(RunSection(name=short, about=short, findings=(finding,), examples=(example,)),) * 2,
        tables=(Table(title=short, headings=(short, "b"), rows=((short, "1"),), note=short),),
        pictures=(Picture(name="training", title=short, caption=short, png=b"\x89PNG", width_px=480),),
        left_out=(short,),
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_text_stays_text(text: str) -> None:
    html = render(_page(text))
    reader = _Reader()
    reader.feed(html)
    assert reader.open == []
    assert set(reader.tags) <= _KNOWN_TAGS
    assert not any(name.startswith("on") for name, _ in reader.attributes)
    assert all(value.startswith("data:image/png;base64,") for name, value in reader.attributes if name == "src")
    assert all(value.startswith("#") for name, value in reader.attributes if name == "href")
    html.encode("utf-8")
    for char in "\x00\x1b\u202e":
        assert char not in html


def test_no_network_and_no_script() -> None:
    html = render(_page("harmless"))
    for word in ("http:", "https:", "//", "@import", "url(", "<script", "<link", "<iframe"):
        assert word not in html, word
    assert "default-src 'none'; img-src data:" in html
    assert 'name="viewport"' in html
    assert "@media print" in html


def test_what_is_shown_is_what_was_written() -> None:
    reader = _Reader()
    reader.feed(render(_page("a < b & c > d \"quoted\" 'single'")))
    assert "a < b & c > d \"quoted\" 'single'" in reader.texts


def test_a_picture_has_its_natural_width() -> None:
    assert '<img alt="harmless" width="480" src=' in render(_page("harmless"))
    assert "max-width: 100%" in render(_page("harmless"))


def test_long_responses_are_cut_and_say_so() -> None:
    html = render(_page("y" * 200_000))
    assert "194,000 more characters" in html
    assert len(html) < 100_000
