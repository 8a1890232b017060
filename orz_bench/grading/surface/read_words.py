"""Words around a value: a unit, a counted noun or a filler, all of them listed; any other word changes the answer."""

from __future__ import annotations

import re
from itertools import pairwise

from orz_bench.grading.surface.numerals import in_latex
from orz_bench.grading.surface.scan import Token, Tokens, scan, stripped, text_of
from orz_bench.grading.surface.surface import Date, Opaque, Phrase, Ratio, Surface, Value
from orz_bench.grading.surface.units import is_unit, read_unit
from orz_bench.grading.surface.vocabulary import (
    ADJECTIVES,
    CLOSINGS,
    CONNECTIVES,
    COPULAS,
    FILLERS,
    FUNCTIONS,
    MONTHS,
    MULTIPLIERS,
    SUBJECT_TURNING,
    TURNING,
    is_counted,
)

_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?(?:\s*\\text\{(am|pm)\})?", re.IGNORECASE)
_HOUR = re.compile(r"(\d{1,2})\s*\\text\{(am|pm)\}", re.IGNORECASE)
_ORDINAL = re.compile(
    r"(?<=\d)\s*(?:\^\{)?\s*\\text\{(?:st|nd|rd|th)\}\s*\}?|(?<=\d)(?:\^\{)?(?:st|nd|rd|th)(?![a-zA-Z])\}?"
)
_SENTENCE = re.compile(r"(?<=[A-Za-z0-9)}\]])\. (?=\\text\{[A-Z])")
_ARTICLES = ("a", "an", "the")
_PERCENT = ("%", "\\%")
_PERCENT_WORDS = ("percent", "pct", "percentage")
_CURRENCIES = ("dollars", "euros", "sterling", "yen", "rupees", "yuan", "pesos")
_MEASURING = (*_PERCENT, "^{\\circ}")
_SETS = dict.fromkeys(("all real numbers", "all reals", "real numbers"), "\\mathbb{R}") | {"empty set": "\\emptyset"}
_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
)
_NUMBER_WORDS = {word: place for place, word in enumerate(_SMALL.split(" "))}


def claimed(tokens: Tokens) -> Tokens:
    """The answer that a sentence states: "the answer is 5", "Area: 5" and "5 is the answer" give 5."""
    if not any(token.word for token in tokens):
        return tokens
    tokens = _last_sentence(tokens)
    place = _last_copula(tokens)
    if place is None:
        return _without_fillers(tokens)
    subject, rest = stripped(tokens[:place]), stripped(tokens[place + 1 :])
    bare = _without_fillers(subject)
    if bare and _is_closing(rest) and not any(token.word for token in bare):
        return bare
    if not rest or not _may_be_subject(subject, ends=tokens[place].text == ":"):
        return tokens
    return _without_fillers(rest)


def _last_sentence(tokens: Tokens) -> Tokens:
    *before, last = _SENTENCE.split(text_of(tokens))
    found = scan(last)
    return found if before and _last_copula(found) is not None else tokens


def _last_copula(tokens: Tokens) -> int | None:
    places = [place for place, token in enumerate(tokens) if token.depth == 0 and _is_copula(tokens, place)]
    return places[-1] if places else None


def _is_copula(tokens: Tokens, place: int) -> bool:
    if tokens[place].word in COPULAS:
        return True
    before = stripped(tokens[:place])
    return (
        tokens[place].text == ":"
        and bool(before)
        and before[-1].word is not None
        and before[-1].word not in ("am", "pm")
    )


def _is_closing(tokens: Tokens) -> bool:
    return bool(tokens) and all(token.text.isspace() or token.word in CLOSINGS for token in tokens)


def _may_be_subject(tokens: Tokens, *, ends: bool) -> bool:
    words = [token.word for token in tokens if token.word]
    if any(word in SUBJECT_TURNING or word in COPULAS or word == "or" for word in words):
        return False
    has_relation = any(token.depth == 0 and token.text in ("=", "<", ">", "\\le", "\\ge", "\\ne") for token in tokens)
    return not has_relation and (
        not ends or all(token.word or token.text.isspace() or token.text == "," for token in tokens)
    )


def _without_fillers(tokens: Tokens) -> Tokens:
    """Remove fillers: "exactly 5" and "5 in total" give 5; a text of fillers alone is unchanged."""
    start, end = 0, len(tokens)
    while start < end and (tokens[start].text.isspace() or tokens[start].word in FILLERS):
        start += 1
    while end > start and (tokens[end - 1].text.isspace() or tokens[end - 1].word in CLOSINGS):
        if tokens[end - 1].word == "in" and end == len(tokens):
            break  # inches
        end -= 1
    kept = tokens[start:end]
    is_phrase = any(token.word for token in kept) and not any(token.text[:1].isdigit() for token in kept)
    return tokens if not kept or (is_phrase and len(kept) < len(tokens) - 4) else kept


def read_item(tokens: Tokens) -> Surface:
    """One element of an answer, without relations and brackets around it."""
    text = _ORDINAL.sub("", text_of(tokens))
    if clock := (_CLOCK.fullmatch(text) or _HOUR.fullmatch(text)):
        return _clock(clock, text)
    tokens = stripped(scan(text))
    words = [token.word for token in tokens if token.word is not None]
    if words and (date := _date(tokens, words, text=text)):
        return date
    if not words and not any(token.depth == 0 and token.text in (*_MEASURING, "\\$") for token in tokens):
        return Value(text=text, latex=in_latex(text))
    if len(words) == 1 and len(tokens) == 1:
        return _one_word(tokens[0], text)
    return _quantity(tokens, text) or _phrase(tokens, text)


def _clock(found: re.Match[str], text: str) -> Surface:
    hour, *rest, half = found.groups()
    minute = rest[0] if rest else "00"
    return Ratio(text=text, terms=(hour, minute), half=(half or "").lower())


def _date(tokens: Tokens, words: list[str], *, text: str) -> Surface | None:
    numbers = [int(token.text) for token in tokens if token.text.isdigit()]
    others = [
        token
        for token in tokens
        if not (token.word or token.text.isdigit() or token.text.isspace() or token.text == ",")
    ]
    months = [word for word in words if word in MONTHS]
    extra = [word for word in words if word not in MONTHS and word not in ("of", "the", "on")]
    if len(months) != 1 or not numbers or len(numbers) > 2 or others or extra:
        return None
    return Date(text=text, month=MONTHS[months[0]], numbers=tuple(sorted(numbers)))


def _one_word(token: Token, text: str) -> Surface:
    raw = token.text[6:-1]
    if len(raw) == 1:
        return Value(text=raw, latex=raw)
    if raw.lower() in _NUMBER_WORDS:
        number = str(_NUMBER_WORDS[raw.lower()])
        return Value(text=number, latex=number)
    return Phrase(text=text, words=(raw.lower(),))


def _quantity(tokens: Tokens, text: str) -> Surface | None:
    """A value with the words after it, or money with the sign in front; None if the words have further meaning."""
    if (summed := sum_of_quantities(tokens, text)) is not None:
        return summed
    tokens, money = _money(tokens)
    place = next(
        (
            i
            for i, token in enumerate(tokens)
            if token.depth == 0 and (token.word is not None or token.text in _MEASURING)
        ),
        len(tokens),
    )
    head, tail = stripped(tokens[:place]), stripped(tokens[place:])
    if not head or any(token.word and len(token.word) > 1 for token in head):
        return None
    if tail and tail[0].text == "^{\\circ}" and any(token.text[1:] in FUNCTIONS for token in head):
        return Value(text=text, latex=in_latex(text)) if len(tail) == 1 else None
    latex, tail = _multiplied(text_of(_plain_letters(head)), tail)
    latex = in_latex(latex)
    if not tail:
        return Value(text=text, latex=latex, unit=read_unit(money) if money else None, unit_text=money)
    return _measured(latex, tail, text=text)


def sum_of_quantities(tokens: Tokens, text: str) -> Surface | None:
    """5 feet 3 inches, as one value in the first unit."""
    pieces: list[list[Token]] = []
    for token in tokens:
        if token.depth == 0 and token.text[0].isdigit() and (not pieces or any(old.word for old in pieces[-1])):
            pieces.append([])
        if not pieces:
            return None
        pieces[-1].append(token)
    values = [_quantity(tuple(piece), text_of(piece)) for piece in pieces] if len(pieces) > 1 else []
    parts = [value for value in values if isinstance(value, Value) and value.unit is not None]
    if not parts or len(parts) < len(pieces):
        return None
    first = parts[0].unit
    if first is None or any(part.unit is None or part.unit.dimensions != first.dimensions for part in parts):
        return None
    if any(part.unit and other.unit and part.unit.factor <= other.unit.factor for part, other in pairwise(parts)):
        return None
    ratios = [part.unit.factor / first.factor for part in parts if part.unit is not None]
    latex = " + ".join(
        f"({part.latex}) \\cdot \\frac{{{ratio.numerator}}}{{{ratio.denominator}}}"
        for part, ratio in zip(parts, ratios, strict=True)
    )
    return Value(text=text, latex=latex, unit=first, unit_text=parts[0].unit_text)


def _money(tokens: Tokens) -> tuple[Tokens, str]:
    if tokens[0].text == "\\$":
        return stripped(tokens[1:]), "\\text{dollars}"
    if tokens[0].word and is_unit(tokens[0].text[6:-1]):
        end = 2 if len(tokens) > 2 and tokens[1].text.isspace() and tokens[2].word == "sterling" else 0
        unit_text = text_of(tokens[: end + 1])
        unit = read_unit(unit_text)
        if unit and unit.dimensions and unit.dimensions[0][0] in _CURRENCIES:
            return stripped(tokens[end + 1 :]), unit_text
    return tokens, ""


def _multiplied(latex: str, tail: Tokens) -> tuple[str, Tokens]:
    power = 0
    while tail and tail[0].word in MULTIPLIERS:
        power += MULTIPLIERS[tail[0].word]
        tail = stripped(tail[1:])
    return (f"{latex} \\cdot 10^{{{power}}}" if power else latex), tail


def _measured(latex: str, tail: Tokens, *, text: str) -> Surface | None:
    is_percent = tail[0].text in _PERCENT or tail[0].word in _PERCENT_WORDS
    if is_percent:
        tail = stripped(tail[1:])
    if not tail or (is_percent and _is_closing(tail)):
        return Value(text=text, latex=latex, is_percent=is_percent)
    for kept in (tail, _without_closings(tail)):
        unit = read_unit(text_of(kept)) if kept else None
        if unit is not None:
            return Value(text=text, latex=latex, unit=unit, unit_text=text_of(kept), is_percent=is_percent)
    nouns = tuple(token.word for token in _without_closings(tail) if token.word)
    others = [token for token in tail if not token.word and not token.text.isspace()]
    if others or not nouns or any(word in TURNING or word in CONNECTIVES for word in nouns):
        return None
    are_known = all(word in ADJECTIVES or is_counted(word) or is_unit(word) for word in nouns)
    are_known &= is_counted(nouns[-1]) or is_unit(nouns[-1]) or nouns[-1] in ("old", "left", "remaining")
    return Value(text=text, latex=latex, nouns=nouns, are_known=are_known, is_percent=is_percent)


def _without_closings(tokens: Tokens) -> Tokens:
    end = len(tokens)
    while end and (tokens[end - 1].text.isspace() or tokens[end - 1].word in CLOSINGS):
        end -= 1
    return tokens[:end]


def _plain_letters(tokens: Tokens) -> Tokens:
    return tuple(
        Token(token.text[6:-1], token.depth) if token.word and len(token.word) == 1 else token for token in tokens
    )


def _phrase(tokens: Tokens, text: str) -> Surface:
    """Alternating words and mathematics. One-letter words are names."""
    letters = [token for token in tokens if token.word is not None]
    if all(len(token.word or "") == 1 for token in letters):
        plain = text_of(_plain_letters(tokens))
        return Value(text=plain, latex=in_latex(plain))
    words: list[str] = []
    pieces: list[str] = []
    piece = ""
    for token in (*tokens, Token("\\text{.}", 0)):
        if token.word is None or token.depth:
            piece += token.text
            continue
        if piece.strip() and not (piece.strip().lower() == "a" and token.word != "."):
            words.append("")
            pieces.append(piece.strip())
        piece = ""
        if token.word not in _ARTICLES:
            words.append(token.word)
    if words == ["", "."] or len(words) > 200:
        return Opaque(text=text)
    if not pieces and (latex := _SETS.get(" ".join(words[:-1]))):
        return Value(text=text, latex=latex)
    return Phrase(text=text, words=tuple(words[:-1]), pieces=tuple(pieces))
