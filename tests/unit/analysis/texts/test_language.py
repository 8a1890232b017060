"""Scripts: shares of letters, and which texts mix two."""

from __future__ import annotations

import unicodedata

import pandas as pd
import pytest

from analysis.texts.language import count_letters, language_features, mixes_scripts
from orz_bench.extraction.scripts import SCRIPTS


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("So x = 12.", {"latin": 3}),
        ("é Ünï", {"latin": 4}),
        ("因此 x", {"cjk": 2, "latin": 1}),
        ("かな 한글", {"cjk": 4}),
        ("Да, \u03b1", {"cyrillic": 2, "greek": 1}),
        ("سلام שלום", {"arabic": 4, "other": 4}),
        ("\U0001d465 \u211d ∑ 12 \ud800", {}),
        ("", {}),
    ],
)
def test_letters_by_script(text: str, counts: dict[str, int]) -> None:
    assert count_letters(text) == dict.fromkeys(SCRIPTS, 0) | counts


MATHEMATICS = "⁰¹²³⁴⁵⁶⁷⁸⁹ⁱⁿ₀₁₂₃₄ₐₑₒₓₕₖₗₘₙₚₛₜµ½¼ℝℂℕℤℚℵ∞∑∏√∂∇≈≤≥×÷±°𝑥𝐀𝔸αβγδεζηθλμπρστφχψωΓΔΘΛΞΠΣΦΨΩﬁﬂﬀ①②③ªº㎏㎝Å"


@pytest.mark.parametrize("sign", MATHEMATICS)
def test_no_sign_of_mathematics_is_a_foreign_script(sign: str) -> None:
    assert not mixes_scripts(count_letters("Let it be so, then " + 5 * f"{sign} "))


NAMES = {"LATIN": "latin", "CJK UNIFIED": "cjk", "HIRAGANA": "cjk", "KATAKANA": "cjk", "HANGUL": "cjk",
         "CYRILLIC": "cyrillic", "GREEK": "greek", "ARABIC": "arabic"}  # fmt: skip


def test_scripts_agree_with_the_names_of_the_characters() -> None:
    letters = [chr(point) for point in range(0, 0x30000, 7) if chr(point).isalpha() and not 0xD800 <= point < 0xE000]
    wrong = []
    for letter in letters:
        name = unicodedata.name(letter, "").removeprefix("FULLWIDTH ").removeprefix("HALFWIDTH ")
        wanted = next((script for prefix, script in NAMES.items() if name.startswith(prefix)), None)
        found = [script for script, count in count_letters(letter).items() if count]
        if wanted and found not in ([wanted], []):
            wrong.append(letter)
    # Rare letters outside their script's blocks.
    assert len(wrong) < 0.005 * len(letters)


@pytest.mark.parametrize(
    ("text", "mixed"),
    [
        ("plain English", False),
        ("So the sum 等于 seven", False),  # two letters may be a symbol
        ("So the sum 等于七 exactly", True),
        ("angles αβγδ and δ", False),
        ("xⁿ + yⁿ = zⁿ", False),
        ("aₙ₊₁ = aₙ + aₘ", False),
        ("5 µm, 6 µm, 7 µs and 8 µs", False),
        ("ﬁnd ﬁve ﬁts", False),
        ("только so", False),
        ("только for", True),
    ],
)
def test_mixing(text: str, mixed: bool) -> None:
    assert mixes_scripts(count_letters(text)) is mixed


def test_shares_add_up_and_are_unknown_without_letters() -> None:
    features = language_features(["ab因此", "12"])
    assert features["share_latin"].tolist() == [0.5, pd.NA]
    assert features["share_cjk"].tolist() == [0.5, pd.NA]
    assert features.filter(like="share_").sum(axis=1).tolist() == [1.0, 0.0]
    assert features["mixes_scripts"].tolist() == [False, False]
