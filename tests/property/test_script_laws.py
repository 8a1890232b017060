"""Laws of scripts: a letter is foreign as its name says, whatever stands around it and however it is composed."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from orz_bench.extraction.scripts import SCRIPTS, foreign_letters, script_of

ENGLISH = ("LATIN ", "GREEK ", "MODIFIER LETTER ", "FEMININE ORDINAL", "MASCULINE ORDINAL", "MICRO SIGN")
"""What the names of letters begin with that English mathematics has a use for."""
any_text = st.text(
    st.one_of(st.sampled_from(["a", "²", "½", "①", "\u211d", "µ", "ﬁ", "Ж", "中", "\ud800"]), st.characters()),
    max_size=20,
)


def is_english(character: str) -> bool:
    """By names and categories alone, without a table of ranges."""
    if 0x2100 <= ord(character) < 0x2150 or unicodedata.name(character, "").startswith(("MATHEMATICAL", "ARABIC MATH")):
        return True
    letters = [part for part in unicodedata.normalize("NFKC", character) if part.isalpha()]
    return not letters or unicodedata.name(letters[0], "").startswith(ENGLISH)


def test_what_is_foreign_agrees_with_the_names_of_all_characters() -> None:
    characters = [chr(point) for point in range(0, 0x20000, 3) if not 0xD800 <= point < 0xE000]
    wrong = [each for each in characters if bool(foreign_letters(each)) == is_english(each)]
    # Coptic letters of the Greek block, accents that stand alone, and a few Latin letters outside of their blocks.
    assert len(wrong) <= 30, [f"{ord(each):x} {unicodedata.name(each, '')}" for each in wrong]
    assert all(ord(each) >= 0x250 for each in wrong)


@given(any_text, any_text)
def test_texts_side_by_side_have_the_foreign_letters_of_both(left: str, right: str) -> None:
    assert set(foreign_letters(left + right)) == {*foreign_letters(left), *foreign_letters(right)}


@given(any_text)
def test_normalising_first_changes_nothing_for_what_is_composed(text: str) -> None:
    """Composed or not, a text is English or it is not."""
    composed, apart = (unicodedata.normalize(form, text) for form in ("NFC", "NFD"))
    assert bool(foreign_letters(composed)) == bool(foreign_letters(apart))


@given(st.characters())
def test_a_script_is_one_of_the_list(character: str) -> None:
    assert script_of(character) in (None, *SCRIPTS)
