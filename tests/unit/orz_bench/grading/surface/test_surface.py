"""Reading an answer before any mathematics: typesetting, words, units, lists, names."""

from __future__ import annotations

import pytest

from orz_bench.grading.surface.markup import canonical
from orz_bench.grading.surface.names import is_one_name, is_quantity
from orz_bench.grading.surface.read_surface import read_surface
from orz_bench.grading.surface.surface import Chain, Date, Group, Named, Opaque, Phrase, Ratio, Relation, Value
from orz_bench.grading.surface.typesetting import MAX_DEPTH, plain
from orz_bench.grading.surface.units import read_unit


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (r"\textcolor{red}{\frac12}", r"\frac{1}{2}"),
        (r"{\color{blue} x}", "x"),
        (r"x^2_1", "x^{2}_{1}"),
        (r"\sqrt3", r"\sqrt{3}"),
        (r"{5 \choose 2}", r"\binom{5}{2}"),
        ("x²", "x^{2}"),
        ("3½", r"3\frac{1}{2}"),
        (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}"),
        (r"\frac{1}{2", r"\frac{1}{2"),
    ],
)
def test_typesetting(text: str, wanted: str) -> None:
    assert plain(text).strip() == wanted


@pytest.mark.parametrize("text", ["{" * 3000, "}" * 3000, "\\frac" * 700, "^" * 4000, "{" * (MAX_DEPTH + 5) + "}" * 99])
def test_nothing_nests_too_deep_to_be_read(text: str) -> None:
    assert isinstance(plain(text), str)
    read_surface(text)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("10 000", "10000"),
        ("10{,}000", "10000"),
        ("1, 200", "1, 200"),
        ("$18$ dollars", r"18 \text{dollars}"),
        ("$5", r"\$5"),
        ("**Answer:** 5", r"\text{Answer}: 5"),
        ("not -5", r"\text{not} -5"),
        ("5 or -5", r"5 \text{or} -5"),
        ("at + b", "at + b"),
        ("e^{it}", "e^{it}"),
        ("xyz", "xyz"),
        ("1e5", r"1 \times 10^{5}"),
    ],
)
def test_canonical_text(text: str, wanted: str) -> None:
    assert canonical(text) == wanted


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("5", Value),
        ("5 apples", Value),
        ("not 5", Phrase),
        ("either 5 or 6", Group),
        ("(3, 4)", Group),
        ("x = 5", Named),
        ("m + n = 7", Named),
        ("2x = 10", Relation),
        ("x > 3", Relation),
        ("3 + 4 = 7", Chain),
        ("7:30", Ratio),
        (r"\text{June 20}", Date),
        ("5?", Opaque),
        (r"\cancel{5}", Opaque),
    ],
)
def test_kinds_of_surfaces(text: str, kind: type[object]) -> None:
    assert type(read_surface(text)) is kind


def test_sums_of_quantities_are_one_value() -> None:
    surface = read_surface("5 feet 3 inches")
    assert isinstance(surface, Value)
    assert surface.unit == read_unit(r"\text{feet}")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (r"\text{miles} \text{per} \text{hour}", r"\text{mi}/\text{h}"),
        (r"\text{square} \text{feet}", r"\text{ft}^{2}"),
        (r"\text{N}", r"\text{kg} \cdot \text{m}/\text{s}^{2}"),
        (r"^{\circ} \text{C}", r"\text{celsius}"),
        (r"\text{m}\text{s}^{-1}", r"\text{m}/\text{s}"),
    ],
)
def test_one_unit(one: str, other: str) -> None:
    assert read_unit(one) == read_unit(other) is not None


@pytest.mark.parametrize("text", ["", r"\text{apples}", r"\text{square}", "x", r"\text{cm} + 1"])
def test_no_unit(text: str) -> None:
    assert read_unit(text) is None


@pytest.mark.parametrize("name", ["x", "x_{1}", "f(x)", r"\sin A", "AB", r"\text{Area}", "(x,y)", r"\angle ABC"])
def test_names(name: str) -> None:
    assert is_one_name(name)


@pytest.mark.parametrize("text", ["2x", "x+1", r"\sqrt{x}", "x^{2}", r"\text{not} x", "5", "-x"])
def test_no_quantities(text: str) -> None:
    assert not is_quantity(text)
