r"""Read the text of an answer into its surface: lists, brackets, names and relations; read_words reads words."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache

from orz_bench.grading.surface import read_words
from orz_bench.grading.surface.markup import canonical
from orz_bench.grading.surface.names import is_one_name, is_quantity
from orz_bench.grading.surface.numerals import without_thousands
from orz_bench.grading.surface.scan import Token, Tokens, brackets_around, cut, has_at_top, scan, stripped, text_of
from orz_bench.grading.surface.surface import Chain, Group, GroupKind, Named, Opaque, Ratio, Relation, Surface, Value
from orz_bench.grading.surface.vocabulary import CONNECTIVES, FILLERS

_STRUCK = re.compile(r"\\(?:cancel|bcancel|xcancel|sout|st|not|neg|lnot|nexists)(?![a-zA-Z])|\?|~~")
_PREFIX = re.compile(
    r"^(?:\s|=(?!=)|\\approx(?![a-z])|\\equiv(?![a-z])|\\Rightarrow(?![a-z])|\\to(?![a-z])|:|\\?#(?=\s*\d)|\\text\{(?:No|Nos)\}(?=\s*\d))+"
)
_MODULUS = re.compile(r"\s*\(?\s*(?:\\pmod|\\mod|\\bmod|\\text\{mod\})\s*(?:\{([^{}]*)\}|([^{}()]*))\)?\s*$")
_INEQUALITIES = frozenset(
    [
        "<",
        ">",
        "\\le",
        "\\ge",
        "\\ne",
        "\\ll",
        "\\gg",
        "\\subset",
        "\\subseteq",
        "\\notin",
        "\\propto",
        "\\sim",
        "\\cong",
    ]
)
_EQUALS, _APPROXIMATES, _CONGRUENT = "=", "\\approx", "\\equiv"
_MATRICES = frozenset(["\\begin{pmatrix}", "\\begin{bmatrix}", "\\begin{matrix}", "\\begin{array}"])
SET_OPERATIONS = frozenset(["\\cup", "\\cap", "\\setminus"])
_SIGNS = re.compile(r"\\(pm|mp)(?![a-zA-Z])")
_SPACED_NUMBERS = re.compile(r"\s*[-+]?\d+(?:\.\d+)?(?:\s+[-+]?\d+(?:\.\d+)?)+\s*")
_RATIO = re.compile(r"[^:]+(?::[^:]+)+")
_TRANSPOSED = re.compile(r"(?<=[)\]])\s*\^\{(?:T|\\top|\\mathrm\{T\}|\s*\\text\{T\}\s*)\s*\}$")
_MAX_DEPTH = 24


@lru_cache(maxsize=8192)
def read_surface(text: str) -> Surface:
    """The surface of a text. Never fails: what cannot be read is opaque."""
    return _read(canonical(text), depth=0)


def _read(text: str, *, depth: int) -> Surface:
    text = _PREFIX.sub("", text).strip()
    if not text or depth > _MAX_DEPTH or _STRUCK.search(text):
        return Opaque(text=text)
    tokens = stripped(scan(without_thousands(text)))
    tokens = scan(_PREFIX.sub("", text_of(read_words.claimed(tokens))))
    if (tuples := _list_of_tuples(tokens, depth=depth)) is not None:
        return tuples
    items = _items(tokens)
    if len(items) > 1:
        if (summed := _one_quantity(tokens)) is not None:
            return summed
        surfaces = [_read(text_of(item), depth=depth + 1) for item in items]
        if all(isinstance(one, Relation) for one in surfaces) and _are_joint(tokens):
            return Relation(text=" \\land ".join(one.text for one in surfaces))
        return _group("list", text_of(tokens), items=surfaces)
    return _item(items[0], depth=depth) if items and items[0] else Opaque(text=text)


def _list_of_tuples(tokens: Tokens, *, depth: int) -> Surface | None:
    """p=5, q=2; p=7, q=2 are two solutions of two numbers each."""
    pieces = [stripped(piece) for piece in cut(tokens, lambda token: token.text != "," and _separates(token))]
    pieces = [piece for piece in pieces if piece]
    if len(pieces) < 2 or not all(has_at_top(piece, (",",)) for piece in pieces):
        return None
    groups = [one for piece in pieces if isinstance(one := _read(text_of(piece), depth=depth + 1), Group)]
    widths = {len(one.items) for one in groups}
    are_named = all(isinstance(item, Named) for one in groups for item in one.items)
    if len(groups) < len(pieces) or len(widths) > 1 or not (are_named or has_at_top(tokens, (";",))):
        return None
    items = [Group(text=one.text, kind="tuple", items=one.items, brackets="()") for one in groups]
    return Group(text=text_of(tokens), kind="list", items=tuple(items))


def _items(tokens: Tokens) -> list[Tokens]:
    """The elements of a bare list; it is not a list if a connective lacks an element on either side."""
    first = next((token for token in tokens if not token.text.isspace()), None)
    if first is not None and first.word in ("either", "both"):
        tokens = tokens[tokens.index(first) + 1 :]
    pieces = [stripped(piece) for piece in cut(tokens, _separates)]
    full = [piece for piece in pieces if piece]
    if len(full) > 1 and _is_filler(full[0]) and not any(map(_is_connective, tokens)):
        full = full[1:]
    begins_or_ends = any(_is_connective(token) for token in (tokens[:1] + tokens[-1:]))
    return [tokens] if begins_or_ends else full or [tokens]


def _one_quantity(tokens: Tokens) -> Surface | None:
    """4 hours and 30 minutes."""
    if not _are_joint(tokens):
        return None
    tokens = tuple(token for token in tokens if token.word != "and")
    return read_words.sum_of_quantities(stripped(tokens), text_of(tokens))


def _are_joint(tokens: Tokens) -> bool:
    """Whether all of the conditions must hold."""
    return all(
        token.word == "and" or token.text == "\\land" for token in tokens if token.depth == 0 and _separates(token)
    )


def _separates(token: Token) -> bool:
    return token.text in (",", ";", "&", "\\&", "\\quad", "\\lor", "\\land") or _is_connective(token)


def _is_connective(token: Token) -> bool:
    return token.word in CONNECTIVES


def _is_filler(tokens: Tokens) -> bool:
    return all(token.text.isspace() or token.word in FILLERS for token in tokens)


def _item(tokens: Tokens, *, depth: int) -> Surface:
    text = text_of(tokens)
    if modulus := _MODULUS.search(text):
        return _with_modulus(_read(text[: modulus.start()], depth=depth + 1), modulus)
    if _SPACED_NUMBERS.fullmatch(text):  # a list, not a product
        numbers = tuple(Value(text=number, latex=number) for number in text.split())
        return Group(text=text, kind="tuple", items=numbers)
    if (pair := brackets_around(tokens)) is not None:
        return _bracketed(tokens, pair, depth=depth)
    if _is_matrix(tokens):
        return _matrix(tokens, depth=depth)
    if tokens[-1].text == "}" and (column := _transposed(text, depth=depth)) is not None:
        return column
    if has_at_top(tokens, ("\\in",)):
        return _membership(tokens, depth=depth)
    if has_at_top(tokens, _INEQUALITIES):
        return Relation(text=text)
    if has_at_top(tokens, (_EQUALS, _APPROXIMATES, _CONGRUENT)):
        return _equation(tokens, depth=depth)
    if _SIGNS.search(text) and not has_at_top(tokens, SET_OPERATIONS):
        return _both_signs(text, depth=depth)
    if any(token.word is not None for token in tokens):
        return read_words.read_item(tokens)
    if has_at_top(tokens, (":",)) and _RATIO.fullmatch(text) and "\\{" not in text:
        return Ratio(text=text, terms=tuple(term.strip() for term in text.split(":")))
    return read_words.read_item(tokens)


def _transposed(text: str, *, depth: int) -> Group | None:
    """(1, 2)^T is a column."""
    turned = _TRANSPOSED.search(text)
    group = _read(text[: turned.start()], depth=depth + 1) if turned else None
    is_row = isinstance(group, Group) and group.kind in ("tuple", "interval")
    return Group(text=text, kind="column", items=group.items) if isinstance(group, Group) and is_row else None


def _is_matrix(tokens: Tokens) -> bool:
    begins, ends = tokens[0].text in _MATRICES, tokens[-1].text.startswith("\\end{")
    return begins and ends and all(token.depth for token in tokens[1:-1])


def _bracketed(tokens: Tokens, pair: tuple[str, str], *, depth: int) -> Surface:
    text, inner = text_of(tokens), scan(text_of(tokens[1:-1]))
    if pair in (("\\lfloor", "\\rfloor"), ("\\lceil", "\\rceil")):
        return Value(text=text, latex=text)
    if not stripped(inner):
        return Value(text=text, latex="\\emptyset") if pair[0] == "\\{" else Opaque(text=text)
    items = [stripped(piece) for piece in cut(inner, lambda token: token.text in (",", ";"))]
    items = items[:-1] if len(items) > 1 and not items[-1] else items
    if len(items) == 1:
        if pair[0] == "\\{" and has_at_top(inner, ("|", ":")):
            return _described(inner, text, depth=depth)
        alone = _read(text_of(inner), depth=depth + 1)
        return alone if pair[0] != "\\{" or not isinstance(alone, Group | Relation) else _as_set(alone, text)
    surfaces = [_read(text_of(item), depth=depth + 1) for item in items]
    if pair == ("[", "]") and all(isinstance(row, Group) and row.brackets == "[]" for row in surfaces):
        rows = tuple(Group(text=row.text, kind="row", items=row.items) for row in surfaces if isinstance(row, Group))
        return Group(text=text, kind="matrix", items=rows)
    kind = _kind(pair, len(surfaces))
    return _group(kind, text, items=surfaces, brackets="".join(pair)) if kind else Opaque(text=text)


def _described(inner: Tokens, text: str, *, depth: int) -> Surface:
    """{x | x > 0} has the meaning of x > 0."""
    name, *conditions = cut(inner, lambda token: token.text in ("|", ":"))
    is_real = is_one_name(text_of(name)) or re.fullmatch(r"[A-Za-z]\s*\\in\s*\\mathbb\{R\}", text_of(name))
    condition = _read(text_of(conditions[0]), depth=depth + 1) if len(conditions) == 1 and is_real else None
    return condition if isinstance(condition, Relation) else Value(text=text, latex=text)


def _as_set(alone: Surface, text: str) -> Surface:
    return (
        Group(text=text, kind="set", items=alone.items) if isinstance(alone, Group) and alone.kind == "list" else alone
    )


def _kind(pair: tuple[str, str], num_items: int) -> GroupKind | None:
    if pair in (("(", ")"), ("\\langle", "\\rangle")):
        return "tuple"
    if pair == ("\\{", "\\}"):
        return "set"
    if pair == ("[", "]") and num_items > 2:
        return "tuple"
    return "interval" if num_items == 2 and pair[0] in "([" and pair[1] in ")]" else None


def _group(kind: GroupKind, text: str, *, items: list[Surface], brackets: str = "") -> Surface:
    """Nested lists and sets, such as those from \\pm, are flattened into one."""
    if kind in ("list", "set"):
        flat: list[Surface] = []
        for item in items:
            flat += item.items if isinstance(item, Group) and item.kind == "list" else [item]
        items = flat
    return Group(text=text, kind=kind, items=tuple(items), brackets=brackets)


def _matrix(tokens: Tokens, *, depth: int) -> Surface:
    inner = scan(text_of(tokens[1:-1]))
    rows = [
        cut(row, lambda token: token.text == "&")
        for row in cut(inner, lambda token: token.text == "\\\\")
        if stripped(row)
    ]
    widths = {len(row) for row in rows}
    if len(widths) != 1:
        return Value(text=text_of(tokens), latex=text_of(tokens))
    cells = [[_read(text_of(cell), depth=depth + 1) for cell in row] for row in rows]
    text = text_of(tokens)
    if widths == {1}:
        return Group(text=text, kind="column", items=tuple(row[0] for row in cells))
    surfaces = [Group(text=text, kind="row", items=tuple(row)) for row in cells]
    return surfaces[0] if len(rows) == 1 else Group(text=text, kind="matrix", items=tuple(surfaces))


def _membership(tokens: Tokens, *, depth: int) -> Surface:
    names, *sets = cut(tokens, lambda token: token.text == "\\in")
    members = _read(text_of(sets[0]), depth=depth + 1) if len(sets) == 1 and is_one_name(text_of(names)) else None
    return Relation(text=text_of(tokens), members=members, names=text_of(names))


def _equation(tokens: Tokens, *, depth: int) -> Surface:
    text = text_of(tokens)
    parts: list[Tokens] = [()]
    signs: list[str] = []
    for token in tokens:
        if token.depth == 0 and token.text in (_EQUALS, _APPROXIMATES, _CONGRUENT):
            signs.append(token.text)
            parts.append(())
        else:
            parts[-1] += (token,)
    texts = [text_of(part) for part in parts]
    if not all(texts):
        return Opaque(text=text)
    if len(texts) == 2 and not is_quantity(texts[0]) and is_one_name(texts[1]):
        texts.reverse()
    if is_quantity(texts[0]):
        value = _chain(texts[1:], signs[1:], text=text, depth=depth)
        return Named(text=text, name=texts[0].replace(" ", ""), value=value, is_one_name=is_one_name(texts[0]))
    return _chain(texts, signs, text=text, depth=depth) if not any(map(_has_names, texts)) else Relation(text=text)


def _chain(texts: list[str], signs: list[str], *, text: str, depth: int) -> Surface:
    surfaces = [_read(part, depth=depth + 1) for part in texts]
    if len(surfaces) == 1:
        return surfaces[0]
    first = signs.index(_APPROXIMATES) + 1 if _APPROXIMATES in signs else len(texts)
    return Chain(text=text, exact=tuple(surfaces[:first]), approximate=tuple(surfaces[first:]))


def _has_names(text: str) -> bool:
    return any(len(token.text) == 1 and token.text.isalpha() and token.text not in "ei" for token in scan(text))


def _with_modulus(surface: Surface, modulus: re.Match[str]) -> Surface:
    """5 (mod 7): the modulus is like a unit; where both have one, they must agree."""
    if isinstance(surface, Named):
        return replace(surface, value=_with_modulus(surface.value, modulus))
    number = (modulus[1] or modulus[2] or "").strip()
    return replace(surface, nouns=(f"mod {number}",)) if isinstance(surface, Value) else surface


def _both_signs(text: str, *, depth: int) -> Surface:
    texts = [_one_sign(text, plus) for plus in ("pm", "mp")]
    surfaces = [_read(re.sub(r"(^|[({,=])\s*\+", r"\1", one).strip(), depth=depth + 1) for one in texts]
    return _group("list", text, items=surfaces)


def _one_sign(text: str, plus: str) -> str:
    return _SIGNS.sub(lambda found: "+" if found[1] == plus else "-", text)
