r"""Compare two surfaces, given a function that compares two pieces of mathematics.

The fast path, whose `equal` may be undecided, and the workers, whose `equal` always decides, use the same rules.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from orz_bench.grading.surface.constants import read_constant
from orz_bench.grading.surface.read_surface import SET_OPERATIONS, read_surface
from orz_bench.grading.surface.surface import Chain, Date, Group, Named, Opaque, Phrase, Ratio, Relation, Surface, Value
from orz_bench.grading.surface.units import Unit, read_unit
from orz_bench.grading.surface.vocabulary import normal_noun

Kind = Literal["value", "relation"]
Equal = Callable[[str, str], "Outcome"]

_SPACE = re.compile(r"\s+")
_POINT = re.compile(r"[A-Z](?:_\{[^{}]*\})?'?\s*(?=\()")
_CONSTANT_OF_INTEGRATION = re.compile(r"^(.+\S)\s*\+\s*([CKck](?:_\{\d\})?)\s*$")
_BARE_UNIT = re.compile(r"(.*\d)\s*([A-Za-z]{1,3})")
_ANGLES = {(("angle", 1),), (("radians", 1),)}
_TWO_LETTERS = re.compile(r"\\text\{[^{}]{2,}\}")
_CLOCK_HOURS = 24


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether two surfaces are equal, and why."""

    is_equal: bool
    why: str
    is_readable: bool = True


def alike(why: str) -> Outcome:
    """Equal, with the reason."""
    return Outcome(is_equal=True, why=why)


def unlike(why: str, *, is_readable: bool = True) -> Outcome:
    """Not equal, with the reason."""
    return Outcome(is_equal=False, why=why, is_readable=is_readable)


class Comparer:
    """Compares surfaces; `equal` compares two pieces of LaTeX, `are_same_set` two solution sets."""

    def __init__(self, equal: Equal, same_set: Equal) -> None:
        self._equal = equal
        self._same_set = same_set

    def compare(self, gold: Surface, answer: Surface) -> Outcome:
        """Whether the answer has the meaning of the gold."""
        if _key(gold.text) == _key(answer.text):
            return alike("same text")
        if isinstance(gold, Opaque) or isinstance(answer, Opaque):
            return unlike("not readable as an answer", is_readable=not isinstance(answer, Opaque))
        if isinstance(gold, Chain) or isinstance(answer, Chain):
            return self._chains(gold, answer)
        if isinstance(gold, Named) or isinstance(answer, Named):
            return self._named(gold, answer)
        if isinstance(gold, Relation) or isinstance(answer, Relation):
            return self._relations(gold, answer)
        if isinstance(gold, Group) or isinstance(answer, Group):
            return self._groups(gold, answer)
        if isinstance(gold, Ratio) or isinstance(answer, Ratio):
            return self._ratios(gold, answer)
        if isinstance(gold, Value) and isinstance(answer, Value):
            return self._values(gold, answer)
        if isinstance(gold, Date) and isinstance(answer, Date):
            return _said("date", is_equal=gold.month == answer.month and gold.numbers == answer.numbers)
        if isinstance(gold, Phrase) and isinstance(answer, Phrase):
            return self._phrases(gold, answer)
        return unlike("words that differ from the gold's")

    def _chains(self, gold: Surface, answer: Surface) -> Outcome:
        if isinstance(gold, Chain):
            return self._any([(one, answer) for one in gold.exact + gold.approximate])
        assert isinstance(answer, Chain)
        exact = self._all([(gold, one) for one in answer.exact], default="an empty chain")
        if exact.is_equal or not answer.approximate:
            return exact
        is_rounding = all(_near(one, answer.exact[-1]) for one in answer.approximate)
        return self._all([(gold, one) for one in answer.approximate], default="") if is_rounding else exact

    def _named(self, gold: Surface, answer: Surface) -> Outcome:
        if isinstance(gold, Named) and isinstance(answer, Named):
            if _same_name(gold.name, answer.name):
                return self.compare(gold.value, answer.value)
            return self._equal(gold.text, answer.text) if not _has_words(gold, answer) else unlike("different name")
        if isinstance(gold, Named):
            if isinstance(answer, Relation):
                return self._relations(gold, answer)
            if isinstance(gold.value, Group) and gold.value.kind == "list":
                return self.compare(gold.value, answer)
            return self.compare(gold.value, answer) if gold.is_one_name else unlike("a value, not an equation")
        assert isinstance(answer, Named)
        return self._relations(gold, answer) if isinstance(gold, Relation) else self.compare(gold, answer.value)

    def _relations(self, gold: Surface, answer: Surface) -> Outcome:
        members = [one.members for one in (gold, answer) if isinstance(one, Relation) and one.members is not None]
        if isinstance(gold, Relation) and isinstance(answer, Relation) and len(members) == 2:
            return self.compare(*members)
        if isinstance(answer, Relation) and answer.members is not None and not isinstance(gold, Relation):
            return self.compare(gold, answer.members)
        if isinstance(gold, Relation) and gold.members is not None and not isinstance(answer, Relation | Named):
            return self.compare(gold.members, answer)
        if _has_words(gold, answer):
            return unlike("words that differ from the gold's")
        if isinstance(gold, Relation | Named) and isinstance(answer, Relation | Named):
            outcome = self._equal(gold.text, answer.text)
            return outcome if outcome.is_equal else self._sets(gold, answer, otherwise=outcome)
        if isinstance(answer, Relation) and _is_equation(answer.text):
            return unlike("an equation, but the gold is a value")
        if isinstance(gold, Relation) and isinstance(answer, Value | Ratio):
            return self._sets(gold, answer, otherwise=unlike("a value, but the gold is a relation"))
        return self._sets(gold, answer, otherwise=unlike("different solutions"))

    def _sets(self, gold: Surface, answer: Surface, *, otherwise: Outcome) -> Outcome:
        if any(isinstance(one, Relation | Named) and _is_equation(one.text) for one in (gold, answer)):
            return otherwise
        return self._same_set(_set_text(gold), _set_text(answer))

    def _groups(self, gold: Surface, answer: Surface) -> Outcome:
        if isinstance(gold, Group) and isinstance(answer, Group):
            return self._two_groups(gold, answer)
        group, other = (gold, answer) if isinstance(gold, Group) else (answer, gold)
        assert isinstance(group, Group)
        if not isinstance(other, Value) or _has_words(gold, answer):
            return unlike(f"a {group.kind} and something else")
        if group.kind in ("tuple", "interval") and (point := _POINT.match(other.latex)):
            bare = read_surface(other.latex[point.end() :])
            return self.compare(gold, bare) if group is gold else self.compare(bare, answer)
        if group.kind in ("matrix", "column", "row", "tuple") and "matrix" in other.latex:
            return self._equal(_matrix_text(gold), _matrix_text(answer))
        is_set = any(isinstance(item, Relation) for item in group.items) or group.kind in ("interval", "tuple")
        is_set = is_set or (group.kind == "set" and any(name in other.latex for name in SET_OPERATIONS))
        return (
            self._same_set(_set_text(gold), _set_text(answer))
            if is_set
            else unlike("one value instead of several, or the reverse")
        )

    def _two_groups(self, gold: Group, answer: Group) -> Outcome:
        kinds = {gold.kind, answer.kind}
        if kinds <= {"list", "set"}:
            return self._unordered(gold, answer)
        if kinds == {"list", "tuple"}:
            return self._ordered(gold.items, answer.items)
        if kinds <= {"tuple", "column"} or kinds <= {"tuple", "row"}:
            return self._in_same_brackets(gold, answer)
        if kinds == {"matrix", "tuple"}:
            rows = gold.items if gold.kind == "tuple" else answer.items
            is_matrix = all(isinstance(row, Group) for row in rows)
            return self._ordered(gold.items, answer.items) if is_matrix else unlike("a matrix and a tuple")
        if len(kinds) == 1 and gold.brackets == answer.brackets:
            return self._ordered(gold.items, answer.items)
        if kinds == {"matrix", "interval"} and all(isinstance(row, Group) for row in (*gold.items, *answer.items)):
            return self._ordered(gold.items, answer.items)
        if kinds <= {"list", "interval", "tuple"} and any(
            isinstance(i, Relation) for g in (gold, answer) for i in g.items
        ):
            return self._same_set(_set_text(gold), _set_text(answer))
        return unlike(f"a {gold.kind} and a {answer.kind}, or different brackets")

    def _in_same_brackets(self, gold: Group, answer: Group) -> Outcome:
        if len(gold.items) == 2 and "[]" in (gold.brackets, answer.brackets) and gold.brackets != answer.brackets:
            return unlike("different brackets")
        return self._ordered(gold.items, answer.items)

    def _ordered(self, golds: Sequence[Surface], answers: Sequence[Surface]) -> Outcome:
        if len(golds) != len(answers):
            return unlike("a different number of elements")
        names = [item.name for items in (golds, answers) for item in items if isinstance(item, Named)]
        if len(names) == len(golds) + len(answers) and sorted(names[: len(golds)]) != sorted(names[len(golds) :]):
            return unlike("different names")
        return self._all(list(zip(golds, answers, strict=True)), default="the same elements")

    def _unordered(self, gold: Group, answer: Group) -> Outcome:
        golds, answers = (self._elements(group) for group in (gold, answer))
        named = [_different_names(items) for items in (golds, answers)]
        if any(named) and not all(named):
            return self._ordered(golds, answers)
        if len(golds) != len(answers):
            return unlike("a different number of elements")
        left = _without_same_texts(answers, golds)
        for item in _without_same_texts(golds, answers):
            found = next((i for i, other in enumerate(left) if self.compare(item, other).is_equal), None)
            if found is None:
                return unlike("an element without a match")
            del left[found]
        return alike("the same elements")

    def _elements(self, group: Group) -> list[Surface]:
        """The elements: of a set each once, of a list as often as they occur."""
        if group.kind == "list":
            return list(group.items)
        kept: list[Surface] = []
        for item in group.items:
            if not any(_key(item.text) == _key(other.text) for other in kept):
                kept.append(item)
        return kept

    def _ratios(self, gold: Surface, answer: Surface) -> Outcome:
        if isinstance(gold, Ratio) and isinstance(answer, Ratio):
            if _is_clock(gold) and _is_clock(answer):
                return _said("time", is_equal=_same_time(gold, answer))
            if gold.half or answer.half or len(gold.terms) != len(answer.terms):
                return unlike("a different ratio")
            crossed = [
                (f"({one}) \\cdot ({answer.terms[0]})", f"({other}) \\cdot ({gold.terms[0]})")
                for one, other in zip(gold.terms, answer.terms, strict=True)
            ]
            return next(
                (found for pair in crossed[1:] if not (found := self._equal(*pair)).is_equal),
                alike("the same ratio"),
            )
        ratio, other = (gold, answer) if isinstance(gold, Ratio) else (answer, gold)
        assert isinstance(ratio, Ratio)
        if not isinstance(other, Value) or len(ratio.terms) != 2 or ratio.half or other.nouns or other.unit:
            return unlike("a ratio or a time, and something else")
        fraction = f"\\frac{{{ratio.terms[0]}}}{{{ratio.terms[1]}}}"
        return self._equal(*((fraction, other.latex) if ratio is gold else (other.latex, fraction)))

    def _values(self, gold: Value, answer: Value) -> Outcome:
        if not answer.are_known and not gold.nouns:
            return unlike(f"what {' '.join(answer.nouns)} means is not known")
        if (gold.nouns or gold.unit) and (answer.nouns or answer.unit):
            return self._measured(gold, answer)
        if gold.is_percent != answer.is_percent:
            percent, other = (gold, answer) if gold.is_percent else (answer, gold)
            shares = (percent.latex, f"\\frac{{{percent.latex}}}{{100}}")
            pairs = [(share, other.latex) if percent is gold else (other.latex, share) for share in shares]
            outcome = self._equal(*pairs[0])
            return outcome if outcome.is_equal else self._equal(*pairs[1])
        outcome = self._equal(gold.latex, answer.latex)
        if not outcome.is_equal and gold.unit and (bare := _without_bare_unit(answer, gold)):
            return self._equal(gold.latex, bare)
        if not outcome.is_equal and (constants := _integrals(gold.latex, answer.latex)):
            return self._equal(*constants)
        if not outcome.is_equal and (radians := [_in_radians(gold), _in_radians(answer)]) != [gold.latex, answer.latex]:
            return self._equal(*radians)
        return outcome

    def _measured(self, gold: Value, answer: Value) -> Outcome:
        if gold.unit is None or answer.unit is None:
            generic = gold.unit or answer.unit
            nouns = [normal_noun((one.nouns or (one.unit_text,))[-1]) for one in (gold, answer)]
            is_same = nouns[0] == nouns[1] or (generic is not None and generic.is_generic)
            return self._equal(gold.latex, answer.latex) if is_same else unlike("a different thing is counted")
        if gold.unit.is_generic or answer.unit.is_generic:
            return self._equal(gold.latex, answer.latex) if _fits(gold.unit, answer.unit) else unlike("different units")
        if {gold.unit.dimensions, answer.unit.dimensions} == _ANGLES:
            return self._equal(_in_radians(gold), _in_radians(answer))
        if gold.unit.dimensions != answer.unit.dimensions:
            return unlike("different units")
        ratio = answer.unit.factor / gold.unit.factor
        return self._equal(gold.latex, answer.latex if ratio == 1 else _scaled(answer.latex, ratio))

    def _phrases(self, gold: Phrase, answer: Phrase) -> Outcome:
        if list(map(normal_noun, gold.words)) != list(map(normal_noun, answer.words)) or len(gold.pieces) != len(
            answer.pieces
        ):
            return unlike("words that differ from the gold's")
        pairs = [
            (read_surface(one), read_surface(other)) for one, other in zip(gold.pieces, answer.pieces, strict=True)
        ]
        return self._all(pairs, default="same words")

    def _all(self, pairs: list[tuple[Surface, Surface]], *, default: str) -> Outcome:
        for one, other in pairs:
            outcome = self.compare(one, other)
            if not outcome.is_equal:
                return outcome
        return alike(default)

    def _any(self, pairs: list[tuple[Surface, Surface]]) -> Outcome:
        outcome = unlike("nothing to compare with")
        for one, other in pairs:
            outcome = self.compare(one, other)
            if outcome.is_equal:
                return outcome
        return outcome


def _key(text: str) -> str:
    return _SPACE.sub("", text) if not re.search(r"\d\s+\d", text) else text


def _said(what: str, *, is_equal: bool) -> Outcome:
    return alike(f"the same {what}") if is_equal else unlike(f"a different {what}")


def _same_name(one: str, other: str) -> bool:
    names = [_SPACE.sub("", name) for name in (one, other)]
    if names[0] == names[1] or any("\\text" in name for name in names):
        return True
    return "y" in names and any(re.fullmatch(r"[a-zA-Z]\([a-z]\)", name) for name in names)


def _has_words(*surfaces: Surface) -> bool:
    """Whether it has words other than those between elements."""
    return any(
        _has_words(*one.items) if isinstance(one, Group) else _TWO_LETTERS.search(one.text) is not None
        for one in surfaces
    )


def _is_equation(text: str) -> bool:
    return re.search(r"(?<![<>!\\])=", text) is not None and not re.search(r"<|>|\\le|\\ge|\\ne", text)


def _set_text(surface: Surface) -> str:
    if isinstance(surface, Relation) and surface.members is not None:
        return _set_text(surface.members)
    if isinstance(surface, Group) and surface.kind == "list":
        return " \\lor ".join(item.text for item in surface.items)
    return surface.text


def _matrix_text(surface: Surface) -> str:
    if not isinstance(surface, Group) or surface.kind == "matrix":
        return surface.text
    end = " \\\\ " if surface.kind in ("column", "tuple") else " & "
    return f"\\begin{{pmatrix}}{end.join(item.text for item in surface.items)}\\end{{pmatrix}}"


def _different_names(items: Sequence[Surface]) -> bool:
    names = [item.name for item in items if isinstance(item, Named)]
    return len(names) == len(items) == len(set(names))


def _without_same_texts(items: Sequence[Surface], others: Sequence[Surface]) -> list[Surface]:
    """The items left after each is paired with one of the others that has the same text."""
    keys = Counter(_key(item.text) for item in others)
    left = []
    for item in items:
        key = _key(item.text)
        if keys[key]:
            keys[key] -= 1
        else:
            left.append(item)
    return left


def _is_clock(ratio: Ratio) -> bool:
    hour, minute = (*ratio.terms, "")[:2]
    is_time = hour.isdigit() and minute.isdigit() and len(minute) == 2 and len(ratio.terms) == 2
    return is_time and int(hour) <= _CLOCK_HOURS and int(minute) < 60


def _same_time(gold: Ratio, answer: Ratio) -> bool:
    times = [tuple(map(int, ratio.terms)) for ratio in (gold, answer)]
    return times[0] == times[1] and ("" in (gold.half, answer.half) or gold.half == answer.half)


def _near(one: Surface, other: Surface) -> bool:
    """Whether one is the other rounded, by at most a hundredth of it."""
    if not isinstance(one, Value) or not isinstance(other, Value):
        return False
    numbers = [read_constant(value.latex) for value in (one, other)]
    return all(numbers) and abs(numbers[0].value - numbers[1].value) <= 0.01 * abs(numbers[1].value)  # type: ignore[union-attr]


def _integrals(gold: str, answer: str) -> tuple[str, str] | None:
    """Both without the constant of integration, whatever its name."""
    found = [_CONSTANT_OF_INTEGRATION.match(text) for text in (gold, answer)]
    if not found[0] or not found[1] or any(match[2] in match[1] for match in found if match):
        return None
    return found[0][1], found[1][1]


def _in_radians(value: Value) -> str:
    is_angle = value.unit is not None and value.unit.dimensions == (("angle", 1),)
    return f"\\frac{{({value.latex}) \\cdot \\pi}}{{180}}" if is_angle else value.latex


def _without_bare_unit(answer: Value, gold: Value) -> str | None:
    """5m for 5 metres: letters that are read as a unit only because the gold has that unit."""
    if (bare := _BARE_UNIT.fullmatch(answer.latex)) and read_unit(f"\\text{{{bare[2]}}}") == gold.unit:
        return bare[1]
    letters = re.sub(r"\\text\{([^{}]*)\}", r"\1", gold.unit_text).replace(" ", "")
    latex = answer.latex.replace(" ", "")
    return latex.removesuffix(letters) if letters and latex.endswith(letters) and latex != letters else None


def _fits(one: Unit, other: Unit) -> bool:
    powers = [sum(power for _, power in unit.dimensions) for unit in (one, other)]
    return powers[0] == powers[1] and len(one.dimensions) == len(other.dimensions) == 1


def _scaled(latex: str, ratio: Fraction) -> str:
    return f"({latex}) \\cdot \\frac{{{ratio.numerator}}}{{{ratio.denominator}}}"
