r"""LaTeX without typesetting: colours, sizes, fonts, spaces, redundant braces, end marks.

`plain` gives one canonical text: arguments are in braces (\frac{1}{2}, x^{2}), each word is in its own \text{...}, and
everything else is ASCII LaTeX. Crossed-out text (\cancel, \sout) is kept as it is: it changes the answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from orz_bench.grading.surface.symbols import to_latex
from orz_bench.grading.surface.vocabulary import FUNCTIONS
from orz_bench.grading.surface.word_lists import read_lists

MAX_CHARS = 4_096
MAX_DEPTH = 64

_TOKEN = re.compile(r"\\[A-Za-z]+\*?|\\.|\s+|.", re.DOTALL)
_LISTS = read_lists("commands.txt")
_TEXTS, _WRAPPERS, _WITH_COLOUR = _LISTS["texts"], _LISTS["wrappers"], _LISTS["colours"]
_DROPPED_WITH_ARGUMENT, _DROPPED = _LISTS["dropped with argument"], _LISTS["dropped"]
_SPACES = frozenset(
    [
        "\\,",
        "\\;",
        "\\:",
        "\\!",
        "\\ ",
        "~",
        "\\>",
        "\\/",
        "\\thinspace",
        "\\enspace",
        "\\enskip",
        "\\space",
        "\\nobreakspace",
    ]
)
_CONSTANTS = ("e", "i", "d")
"""Typeset upright if they are not names: Euler's number, the imaginary unit, a differential."""
_ALSO_UNITS = ("min", "sec", "deg", "mod", "dim", "sum", "max")
_MATH_FONTS = frozenset(("mathbf", "mathit", "mathsf", "mathtt", "mathnormal", "bm", "boldsymbol", "pmb"))
_GAPS = frozenset(["\\quad", "\\qquad"])
_NUM_ARGUMENTS = {"frac": 2, "dfrac": 2, "tfrac": 2, "cfrac": 2, "binom": 2, "dbinom": 2, "tbinom": 2, "sqrt": 1}
_CANONICAL = {
    "dfrac": "frac", "tfrac": "frac", "cfrac": "frac", "dbinom": "binom", "tbinom": "binom", "leq": "le", "geq": "ge",
    "leqslant": "le", "geqslant": "ge", "neq": "ne", "varnothing": "emptyset", "infin": "infty", "dots": "ldots",
    "cdots": "ldots", "dotsc": "ldots", "dotsb": "ldots", "dotsm": "ldots", "dotsi": "ldots", "dotso": "ldots",
    "vee": "lor", "wedge": "land", "lbrace": "{", "rbrace": "}", "lbrack": "[", "rbrack": "]", "lvert": "|",
    "rvert": "|", "vert": "|", "mid": "|", "gt": ">", "lt": "<", "rightarrow": "to", "longrightarrow": "to",
    "Longrightarrow": "Rightarrow", "implies": "Rightarrow", "ast": "cdot", "bullet": "cdot", "colon": ":",
    "varepsilon": "epsilon", "vartheta": "theta", "varphi": "phi", "varrho": "rho", "simeq": "approx",
    "degree": "^{\\circ}", "textdegree": "^{\\circ}", "euro": "\\text{euros}", "pounds": "\\text{pounds sterling}",
    "smallsetminus": "setminus", "backslash": "setminus", "bold": "bm", "R": "mathbb{R}", "reals": "mathbb{R}",
    "slash": "/", "dollar": "\\$", "textdollar": "\\$", "percent": "%",
}  # fmt: skip
"""One canonical name per command."""
_INFIX = {"choose": "binom", "over": "frac"}
_WORD = re.compile(r"\\[A-Za-z]+(?:\{[^{}]*\})?|([A-Za-z]+(?:['-][A-Za-z]+)*)")
_AM_PM = re.compile(r"\b([AaPp])\.\s?[Mm]\b\.?")


def plain(text: str) -> str:
    """The canonical text; text that is too long, too deeply nested or has unbalanced braces keeps its commands."""
    text = to_latex(text)
    if "\\" not in text and "{" not in text and "^" not in text and "_" not in text:
        return text.replace("~", " ")
    if len(text) > MAX_CHARS:
        return text
    try:
        return _Reader(text).read_all()
    except _UnbalancedError:
        return text


def spell(words: str) -> str:
    r"""Words one by one: `June 20` gives \text{June} 20; letters become words, the rest is unchanged."""
    return _WORD.sub(lambda found: f"\\text{{{found[1]}}}" if found[1] else found[0], _AM_PM.sub(r"\1m", words))


class _UnbalancedError(Exception):
    """Unbalanced or too deeply nested braces."""


class _Reader:
    def __init__(self, text: str) -> None:
        self._tokens: list[str] = _TOKEN.findall(text)
        self._place = 0
        self._depth = 0

    def read_all(self) -> str:
        text = self._sequence(in_text=False)
        if self._place < len(self._tokens):
            raise _UnbalancedError
        return text

    def _sequence(self, *, in_text: bool) -> str:
        """Everything up to the brace that ends this group, or the end."""
        parts: list[str] = []
        while self._place < len(self._tokens) and self._tokens[self._place] != "}":
            token = self._tokens[self._place]
            if token[0] == "\\" and token[1:] in _INFIX:
                self._place += 1
                with self._one_deeper():
                    rest = self._sequence(in_text=in_text)
                return f"\\{_INFIX[token[1:]]}{{{''.join(parts).strip()}}}{{{rest.strip()}}}"
            parts.append(self._piece(parts, in_text=in_text))
        return "".join(parts)

    def _piece(self, before: list[str], *, in_text: bool) -> str:
        token = self._next()
        if token == "{":
            return self._loose_group(before, in_text=in_text)
        if token in _SPACES or token.isspace():
            return " "
        if token in _GAPS:
            return " \\quad "
        if token in "^_":
            return f"{token}{{{self._argument().strip()}}}"
        if token == "$":
            return " " if in_text else token
        return self._command(token[1:], in_text=in_text) if token[0] == "\\" and len(token) > 1 else token

    def _command(self, name: str, *, in_text: bool) -> str:
        if name in _DROPPED:
            return " "
        if name in _DROPPED_WITH_ARGUMENT:
            self._argument()
            return " "
        if name in _WITH_COLOUR:
            self._argument()
            return self._argument(in_text=in_text)
        if name in _WRAPPERS:
            return f" {self._argument(in_text=in_text)} " if in_text else self._wrapped()
        if name in _TEXTS:
            return self._argument(in_text=True) if in_text else self._words(name)
        if name in ("begin", "end"):
            return f"\\{name}{{{self._argument().strip().removesuffix('*')}}}"
        name = _CANONICAL.get(name, name)
        if name in _NUM_ARGUMENTS:
            return self._with_arguments(name)
        if not name[0].isalpha():
            return name if name[0] in "<>|[]/:^" or name.startswith("\\text") or name == "\\$" else f"\\{name}"
        return f"\\{name}{self._own_groups()}" if self._peek() == "{" else f"\\{name} "

    def _own_groups(self) -> str:
        groups = ""
        while self._peek() == "{":
            groups += f"{{{self._argument().strip()}}}"
        return groups

    def _with_arguments(self, name: str) -> str:
        option = ""
        if name == "sqrt" and self._peek_beyond_spaces() == "[":
            self._skip_spaces()
            option = self._option()
        if name == "sqrt" and self._peek_beyond_spaces() == "(":
            return "\\sqrt"  # \sqrt(2): Math-Verify's grammar handles it
        arguments = "".join(f"{{{self._argument().strip()}}}" for _ in range(_NUM_ARGUMENTS[name]))
        return f"\\{name}{option}{arguments}"

    def _option(self) -> str:
        option = ""
        while self._place < len(self._tokens):
            option += self._next()
            if option.endswith("]"):
                return option
        raise _UnbalancedError

    def _words(self, name: str) -> str:
        content = self._argument(in_text=name not in _MATH_FONTS).strip()
        bare = content.replace(" ", "")
        if bare in _CONSTANTS:
            return f" {bare} "
        if bare in FUNCTIONS and (name.startswith("operatorname") or bare not in _ALSO_UNITS):
            return f"\\{bare} "
        if name in _MATH_FONTS and (len(bare) == 1 or not bare.isalpha()):
            return f" {content} "
        return f" {spell(content)} " if content else " "

    def _wrapped(self) -> str:
        content = self._argument().strip()
        return content if _is_atom(content) or not self._is_raised() else f"{{{content}}}"

    def _loose_group(self, before: list[str], *, in_text: bool) -> str:
        """A group that is not an argument: its braces are removed where they have no effect."""
        content = self._group(in_text=in_text)
        if in_text:
            return content
        inner = content.strip()
        if inner in (",", ".", "-", "+", ":", "=", ";", "/", "<", ">") or (
            not self._is_raised() and _may_stand_bare(inner, before)
        ):
            return content
        return content if _is_atom(inner) and inner else f"{{{inner}}}"

    def _is_raised(self) -> bool:
        return self._peek_beyond_spaces() in ("^", "_")

    def _argument(self, *, in_text: bool = False) -> str:
        self._skip_spaces()
        if self._place >= len(self._tokens):
            return ""
        if self._peek() == "{":
            self._place += 1
            return _unwrapped(self._group(in_text=in_text))
        if self._peek() == "}":
            return ""
        with self._one_deeper():
            return self._piece([], in_text=in_text)

    def _group(self, *, in_text: bool) -> str:
        with self._one_deeper():
            content = self._sequence(in_text=in_text)
        if self._place >= len(self._tokens):
            raise _UnbalancedError
        self._place += 1
        return content

    @contextmanager
    def _one_deeper(self) -> Iterator[None]:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _UnbalancedError
        yield
        self._depth -= 1

    def _skip_spaces(self) -> None:
        while self._place < len(self._tokens) and self._tokens[self._place].isspace():
            self._place += 1

    def _peek(self) -> str:
        return self._tokens[self._place] if self._place < len(self._tokens) else ""

    def _peek_beyond_spaces(self) -> str:
        place = self._place
        while place < len(self._tokens) and self._tokens[place].isspace():
            place += 1
        return self._tokens[place] if place < len(self._tokens) else ""

    def _next(self) -> str:
        self._place += 1
        return self._tokens[self._place - 1]


_ATOM = re.compile(r"[0-9]+(?:\.[0-9]+)?|[A-Za-z]|\\[A-Za-z]+ ?")


def _is_atom(text: str) -> bool:
    return _ATOM.fullmatch(text) is not None


def _may_stand_bare(content: str, before: list[str]) -> bool:
    """Whether a sum or list keeps its meaning without braces: at the start, or after a token that does not bind it."""
    last = "".join(before[-2:]).rstrip()
    return not last or last[-1] in "=,;([<>|:" or last.endswith((" ", "\\cup")) or not re.search(r"[-+,;=<>]", content)


def _unwrapped(content: str) -> str:
    """{{5}} as an argument is {5}."""
    inner = content.strip()
    while inner.startswith("{") and _closes_at_end(inner):
        inner = inner[1:-1].strip()
    return inner if inner != content.strip() else content


def _closes_at_end(text: str) -> bool:
    depth = 0
    for place, char in enumerate(text):
        is_brace = char in "{}" and (place == 0 or text[place - 1] != "\\")
        depth += ((char == "{") - (char == "}")) if is_brace else 0
        if depth == 0:
            return place == len(text) - 1
    return False
