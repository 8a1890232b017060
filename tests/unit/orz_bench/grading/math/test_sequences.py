"""Ellipses and bases, which Math-Verify's reading drops."""

from __future__ import annotations

from orz_bench.grading.math.sequences import bases_differ, has_ellipsis, terms


def test_terms() -> None:
    assert terms(r"1, 2, \ldots, n") == ["1", "2", "\u2026", "n"]
    assert terms("(1, 2), 3") == ["(1, 2)", "3"]
    assert terms("1,2,...") == ["1", "2", "\u2026"]


def test_ellipsis() -> None:
    assert has_ellipsis(r"1,\dots,9")
    assert has_ellipsis("1, \u2026")
    assert not has_ellipsis("1.5")


def test_bases() -> None:
    assert bases_differ("52_8", "52_{9}")
    assert not bases_differ("52_8", "52_{8}")
    assert not bases_differ("52_8", "42")
    assert bases_differ(r"1A_{\text{16}}", "1A_8")
