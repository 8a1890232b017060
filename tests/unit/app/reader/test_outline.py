"""The outline and the folds of long responses, and that their HTML holds the whole text and nothing else."""

from __future__ import annotations

import html
import random
import re
from html.parser import HTMLParser

import pytest

from app.reader.layers import repeat_marks
from app.reader.long_text import long_html, outline_html
from app.reader.markup import Mark
from app.reader.outline import MOST_PLACES, Fold, Place, chapters, folds_of, outline
from tests.support.app_runs import HOSTILE
from tests.support.cpu_time import at_most_cpu_seconds

SENTENCE = "Then the sum of the digits is the same as before, of course.\n"


class _Read(HTMLParser):
    """The text of a piece of HTML, its elements, and the places with the text before each."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self.tags: list[str] = []
        self.places: dict[str | None, int] = {}
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "input":
            self.places[dict(attrs)["id"]] = len(self.text)
        self._hidden += tag in ("summary", "i")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("summary", "i")

    def handle_data(self, data: str) -> None:
        self.text += "" if self._hidden else data


def _read(text: str) -> _Read:
    found = _Read()
    found.feed(text)
    found.close()
    return found


def test_kinds_of_places() -> None:
    text = (
        "First some words.\n\n## A heading\n1. one\nStep 2: two\n**Bold line**\nbut 3.5 is no step\n"
        "wait, no.\nThe answer is 7, as the words above have shown us.\n</think> <answer> \\boxed{7} </answer>"
    )
    wait = text.index("wait")
    found = outline(text, reflections=[Mark(wait, wait + 4, "reflection")], folds=[])
    assert [(one.kind, one.label.split()[0]) for one in found] == [
        ("step", "##"), ("step", "1."), ("step", "Step"), ("step", "**Bold"), ("reflection", "wait,"),
        ("answer", "answer"), ("end", "</think>"), ("answer", "<answer>"),
    ]  # fmt: skip
    assert [one.start for one in found] == sorted(one.start for one in found)


def test_folds_are_neighbouring_repeats() -> None:
    text = SENTENCE * 5 + "Something else is said here, once only and not twice.\n" + SENTENCE + "End."
    (fold,) = folds_of(repeat_marks(text), text)
    assert text[fold.start : fold.end].strip() == (SENTENCE * 4).strip()
    assert [one.kind for one in outline(text, reflections=[Mark(fold.start + 70, fold.start + 74, "reflection")],
                                        folds=[fold])] == ["repeat"]  # fmt: skip


def test_at_most_so_many_places() -> None:
    text = "".join(f"{n % 90}. step\n" for n in range(5000)) + "</think>"
    found = outline(text, reflections=[], folds=[])
    assert len(found) <= MOST_PLACES
    assert found[-1].kind == "end"


@pytest.mark.parametrize("seed", range(20))
def test_the_html_is_the_whole_text_with_places_where_they_belong(seed: int) -> None:
    rng = random.Random(seed)
    text = "".join(rng.choice([SENTENCE, "<b>x</b> & ", "a", "\n", "word " * 30, HOSTILE[:60]]) for _ in range(200))
    text = text.replace("\u202e", "").replace("\x00", "")
    cuts = sorted(rng.sample(range(len(text)), 8))
    folds = [Fold(a, b) for a, b in zip(cuts[::2], cuts[1::2], strict=True)]
    inside = [at for at in rng.sample(range(len(text)), 30) if not any(f.start < at < f.end for f in folds)]
    places = [Place(at, "step", "x") for at in sorted({*inside, folds[0].start})]
    marks = [Mark(a, a + rng.randrange(1, 3000), "repeat", "t") for a in rng.sample(range(len(text)), 20)]
    found = _read(long_html(text, marks, places=places, folds=folds, name="n"))
    assert found.text == text
    assert set(found.tags) <= {"div", "span", "details", "summary", "input", "i"}
    assert [found.places[f"n-{number}"] for number in range(len(places))] == [place.start for place in places]
    covered = [any(m.start <= at < m.end for m in marks) for at in range(len(text))]
    plain = re.sub(r"<(?!/?span)[^>]*>|[≡][^<]*", "", long_html(text, marks, folds=folds))
    at = 0
    for piece in re.split(r"(<span[^>]*>.*?</span>)", plain, flags=re.DOTALL):
        shown = html.unescape(re.sub(r"<[^>]*>", "", piece))
        assert (
            all(covered[at : at + len(shown)]) if piece.startswith("<span") else not any(covered[at : at + len(shown)])
        )
        at += len(shown)


def test_an_outline_is_inert() -> None:
    found = outline_html([Place(0, "answer", HOSTILE)], name="n")
    assert "<script" not in found
    assert "<img" not in found
    assert set(_read(found).tags) <= {"div", "label", "b", "i"}
    assert 'for="n-0"' in found


def test_chapters_are_the_text() -> None:
    for text in ("", "x" * 5000, "line\n" * 900, "\n" * 10):
        found = chapters(text, chars=1000)
        assert "".join(text[a:b] for a, b in found) == text
        assert all(b - a <= 1000 for a, b in found)


def test_it_is_linear() -> None:
    """A quadratic one would need minutes."""
    text = "".join(f"{n}. wait, so {n * n % 977} it is then, as we said before\n" for n in range(8_000))
    with at_most_cpu_seconds(10):
        marks = [Mark(at, at + 4, "reflection") for at in range(0, len(text), 20)]
        folds = folds_of(marks, text)
        places = outline(text, reflections=marks, folds=folds)
        assert len(long_html(text, marks, places=places)) > len(text)
