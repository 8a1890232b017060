r"""One canonical text for texts that differ in markup only: Markdown, dollar signs, groups of digits, words.

`canonical` extends typesetting.plain to the text around LaTeX: afterwards words are in \text{...} however they were
typed, functions are commands, and numbers have no unambiguous thousands separators.
"""

from __future__ import annotations

import re
from functools import lru_cache

from orz_bench.grading.surface import units
from orz_bench.grading.surface.typesetting import plain
from orz_bench.grading.surface.vocabulary import (
    CLOSINGS,
    CONNECTIVES,
    COPULAS,
    FILLERS,
    FUNCTIONS,
    GREEK,
    MONTHS,
    MULTIPLIERS,
    TURNING,
    is_counted,
)

_PLAIN_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_BOLD = re.compile(r"(?<![\w*)])\*\*([^*\n]+)\*\*(?!\*)|(?<![\w_)])__([^_\n]+)__(?!_)")
_WRAPPED = re.compile(r"\*{1,3}([^*\n]+)\*{1,3}|_([^_\n]+)_|`([^`\n]+)`|``([^`\n]+)``|'([^'\n]+)'|\"([^\"\n]+)\"")
_HEADING = re.compile(r"^(?:#{1,6}\s+|#{3,6}\s*|[\u2022\u25cf]\s*)")
_TAG = re.compile(r"^(?:</?[A-Za-z]{2,12}/?>\s*)+|(?:\s*</?[A-Za-z]{2,12}/?>)+$")
_MATH_DELIMITER = re.compile(r"(?<!\\)\\[()\[\]]")
_DOLLAR = re.compile(r"(?<!\\)\$")
_PRICE = re.compile(r"(?<!\\)\$(?=\s*\d)")
_FINAL_DOT = re.compile(r"(?<!\.)(?:\.\.?|[,;:\s])+$|\\\\\s*$|(?<!\\)\\\s*$")

_NARROW = r"(?:\\[,;: ]|~|\\thinspace(?![a-zA-Z])|[ \u00a0\u2009\u202f])"
_COMMA_IN_BRACES = re.compile(r"(?<![\d.])(\d{1,3})((?:\{,\}\d{3})+)(?!\d)")
_DECIMAL_COMMA = re.compile(r"(\d)\{,\}(?=\d)")
_TIGHT_COMMA = re.compile(r"(\d),\s*\\!\s*(?=\d{3}(?!\d))")
_SPACED_DIGITS = re.compile(rf"(?<![\d.,^_}}a-zA-Z\\])(?<![,;] )(\d{{1,3}})((?:{_NARROW}\d{{3}})+)(?![\d/])")
_MARKED_DIGITS = re.compile(r"(?<![\w.'])(\d{1,3})((?:['_\u2019]\d{3})+)(?![\w'])")
_DOTS = re.compile(r"\.{3,}")
_TEN_TO = re.compile(r"(?<=\d)\s*(?:x|X|\*|\u00d7)\s*(?=10\s*(?:\^|\*\*))")
_E_PLUS_DIGIT = re.compile(r"[0-9]+e\+[0-9]")
"""2e+1 is a sum, 2e-1 and 2E+1 are numbers of a program."""
_EXPONENT = re.compile(r"(?<![A-Za-z0-9.^{])([0-9]{1,15}(?:\.[0-9]{1,15})?)[eE]([+-]?)0*([0-9]{1,3})(?![0-9A-Za-z.])")
_PYTHON_POWER = re.compile(r"\s*\*\*\s*(-?[0-9]+(?:\.[0-9]+)?|\([^()]*\))")
_TYPED_POWER = re.compile(r"(?<=[0-9A-Za-z)])\^(-?[0-9]{2,}(?:\.[0-9]+)?|-?[0-9]?\.[0-9]+|\([^()]*\))")
_NEGATIVE_POWER = re.compile(r"\^\s*-\s*([0-9]+|[A-Za-z])")
_DOUBLE_SIGN = re.compile(r"\+\s*-")
_PLUS_OR_MINUS = re.compile(r"\+\s?/\s?-|^\s*\+\s?-(?=\s*[\dA-Za-z\\])")
_UNION = re.compile(r"(?<=[\])}]) *U *(?=[\[({])")
_AM_PM = re.compile(r"(?<=\d)\s?([AaPp])\.\s?[Mm]\.?(?![A-Za-z])|(?<=\d)\s?([AaPp])[Mm](?![A-Za-z])")
_ABBREVIATIONS = re.compile(r"\b(Rs|No|Nos|approx|sq|cu|in|ft|lb|lbs|oz|hr|hrs|min|mins|sec|secs|Ans)\.(?=\s|$)")

_WORDS_ONLY = r"(?:\s*(?:\\text\{[^{}]*\}|\^\{-?\d\}|\\cdot(?![a-z])))+\s*"
_RUN = re.compile(
    r"\\text\{[^{}]*\}|\\(?:begin|end|mathbb|mathcal)\{[^{}]*\}|\\[A-Za-z]+|\\.|[A-Za-z]+(?:n't|'s(?![A-Za-z]))?"
)
_FRACTION_OF_UNITS = re.compile(rf"\\frac\{{({_WORDS_ONLY})\}}\{{({_WORDS_ONLY})\}}")
_TEMPERATURE = re.compile(r"(\^\{\\circ\})\s*([CF])(?![A-Za-z])")
_UNIT_IN_BRACKETS = re.compile(r"(?<=[\d}])\s*\(\s*(?:\\text\{)?([A-Za-z]{2,})\}?\s*\)$")
_O_CLOCK = re.compile(r"(?<=\d)\s*(?:\\text\{\s*)?o'clock\}?")
_RATE = re.compile(
    r"(?<=\d)\s*\b(m|km|cm|ft|mi|g|kg|mg|J|N)\s?/\s?(s|h|hr|min|sec|mL|L|m|mol|kg|K|cm)(\^\{?[23]\}?)?(?=\.?\s*$)"
)
"""Units of a rate, as typed without markup."""
_CALL = re.compile(r"(?<![A-Za-z\\])\\?(sqrt|exp|cbrt)\s*\(")
_ARRAY = re.compile(r"\\begin\{array\}\s*(?:\{[^{}]*\})?")
_WITHOUT = re.compile(r"(\\mathbb\{[RZNQC]\})\s*-\s*(?=\\\{)")
_AMERICAN = re.compile(r"\bU\.?S\.?\s?(?=\\?\$)")
_NO_BRACKET = re.compile(r"\\(?:left|right)\s*\.(?!\d)")
_SPACE = re.compile(r"\s+")
_OPERATORS = frozenset("+-*/^_=<>|({[\\")
_BEGINNING = re.compile(r"^\s*=")
"""A leading equals sign has no meaning."""
_ARTICLE_OF = re.compile(r"\s+(?:\\text\{)?[A-Za-z]{3,}")
_ENGLISH = FILLERS | CLOSINGS | TURNING | CONNECTIVES | COPULAS
_BINDING = re.compile(r"\s*[*/^_=<>|)}\]]|[-+]|\s+[-+]\s")
_VOWELS = frozenset("aeiouAEIOU")


@lru_cache(maxsize=8192)
def canonical(text: str) -> str:
    """The canonical text of an answer or a gold."""
    if _PLAIN_NUMBER.fullmatch(text):
        return text
    text = plain(_ascii_mathematics(_join_digits(_without_markup(text))))
    text = _UNIT_IN_BRACKETS.sub(_without_brackets, _TEMPERATURE.sub(r"\1 \\text{\2}", text))
    text = _WITHOUT.sub(r"\1 \\setminus ", text)
    text = _FRACTION_OF_UNITS.sub(r"\1/(\2)", _mark_words(text))
    return _SPACE.sub(" ", text).strip()


def _without_markup(text: str) -> str:
    text = _TAG.sub("", text.strip()).replace("~~", "\\sout ")
    before = None
    while text != before:
        before = text
        text = _BOLD.sub(lambda found: found[1] or found[2], _HEADING.sub("", text)).strip()
        if whole := _WRAPPED.fullmatch(text):
            text = next(part for part in whole.groups() if part is not None).strip()
    text = _NO_BRACKET.sub("", _AMERICAN.sub("", _MATH_DELIMITER.sub(" ", text)))
    text = _ARRAY.sub(r"\\begin{pmatrix}", text).replace("\\end{array}", "\\end{pmatrix}")
    if "$" in text:
        text = _without_dollars(text)
    text = _O_CLOCK.sub(":00", text)
    text = _AM_PM.sub(lambda found: f" {found[1] or found[2]}m ", _ABBREVIATIONS.sub(r"\1 ", text))
    return _without_end(_RATE.sub(r" \\text{\1}/\\text{\2}\3", text))


def _without_brackets(found: re.Match[str]) -> str:
    return f" \\text{{{found[1]}}}" if units.is_unit(found[1]) else found[0]


def _without_dollars(text: str) -> str:
    """Dollar signs are delimiters, except an unpaired one before a number: that is money."""
    if len(_DOLLAR.findall(text)) % 2 and _PRICE.search(text):
        text = _PRICE.sub(r"\\$", text, count=1)
    return _DOLLAR.sub(" ", text)


def _without_end(text: str) -> str:
    before = None
    while text != before:
        before = text
        text = text.strip()
        if len(text) > 1 and not text.endswith(("...", "\\.", "\\,", "\\;", "\\:", "right.")):
            text = _FINAL_DOT.sub("", text)
    return text


def _join_digits(text: str) -> str:
    text = text.replace("\\text{,}", "{,}")
    text = _COMMA_IN_BRACES.sub(lambda found: found[1] + found[2].replace("{,}", ""), text)
    text = _TIGHT_COMMA.sub(r"\1", _DECIMAL_COMMA.sub(r"\1.", text))
    for pattern in (_SPACED_DIGITS, _MARKED_DIGITS):
        text = pattern.sub(lambda found: found[1] + "".join(re.findall(r"\d{3}", found[2])), text)
    return text


def _ascii_mathematics(text: str) -> str:
    """Notation typed without LaTeX: 1e5, 2**10, 1.5 x 10^3, sqrt(2), +/-."""
    text = _EXPONENT.sub(
        _scientific, _TEN_TO.sub(r" \\times ", _PYTHON_POWER.sub(_braced_power, text).replace("**", "^"))
    )
    text = _DOTS.sub(r"\\ldots ", text)
    if "\\" not in text:
        text = _TYPED_POWER.sub(_braced_power, text)
        text = _UNION.sub(r" \\cup ", text)
    text = _NEGATIVE_POWER.sub(r"^{-\1}", _DOUBLE_SIGN.sub("-", _PLUS_OR_MINUS.sub(r"\\pm ", text)))
    if "sqrt" in text or "exp" in text or "cbrt" in text:
        text = _calls(text)
    return text.replace("<=", "\\le ").replace(">=", "\\ge ").replace("!=", "\\ne ")


def _braced_power(found: re.Match[str]) -> str:
    return f"^{{{found[1].strip('()')}}}"


def _scientific(found: re.Match[str]) -> str:
    if _E_PLUS_DIGIT.fullmatch(found[0]):
        return found[0]
    return f"{found[1]} \\times 10^{{{found[2].replace('+', '')}{found[3]}}}"


def _calls(text: str) -> str:
    """sqrt(x), cbrt(x) and exp(x) as LaTeX; the argument ends with its bracket."""
    openings = {"sqrt": "\\sqrt{", "cbrt": "\\sqrt[3]{", "exp": "e^{"}
    while found := _CALL.search(text):
        end = _end_of_bracket(text, found.end())
        if end is None:
            return text
        text = f"{text[: found.start()]}{openings[found[1]]}{text[found.end() : end]}}}{text[end + 1 :]}"
    return text


def _end_of_bracket(text: str, start: int) -> int | None:
    depth = 1
    for place in range(start, len(text)):
        depth += (text[place] == "(") - (text[place] == ")")
        if depth == 0:
            return place
    return None


def _mark_words(text: str) -> str:
    """Bare words as \\text{...}, bare names of functions and Greek letters as commands."""
    if not any(char.isalpha() for char in text):
        return text
    parts: list[str] = []
    place = depth = 0
    follows_word = False
    for found in _RUN.finditer(text):
        between = text[place : found.start()]
        depth += between.count("{") - between.count("}")
        marked = _marked(found, text, is_outside=depth <= 0, follows_word=follows_word and between.isspace())
        follows_word = marked.startswith("\\text{") and marked[6:-1].lower() in units.names()
        parts += [between, marked]
        place = found.end()
    return "".join([*parts, text[place:]])


def _marked(found: re.Match[str], text: str, *, is_outside: bool, follows_word: bool) -> str:
    run = found.group()
    if run == "a" and _ARTICLE_OF.match(text, found.end()) and not text[: found.start()].rstrip():
        return ""
    if run[0] == "\\" or len(run) == 1:
        return run
    if run.lower() in ("inf", "infinity", "infty"):
        return "\\infty "
    if run in FUNCTIONS and not (
        run in ("min", "sec", "deg", "dim", "mod", "sum") and text[: found.start()].rstrip()[-1:].isdigit()
    ):
        return f"\\{run} "
    if run in GREEK:
        return f"\\{run} "
    before = _BEGINNING.sub("", text[: found.start()].rstrip())[-1:]
    after = text[found.end() :].lstrip()[:1]
    if run.endswith("pi") and len(run) <= 3 and run != "pi" and run[:-2].islower() and run not in _vocabulary():
        return run
    is_alone = before not in _OPERATORS and (not _BINDING.match(text, found.end()) or not after)
    if _is_acronym(run, text) or _is_word(
        run, is_alone=is_alone, is_outside=is_outside, at_digit=before.isdigit() or after.isdigit() or follows_word
    ):
        return f"\\text{{{run}}}"
    return run


def _is_word(run: str, *, is_alone: bool, is_outside: bool, at_digit: bool) -> bool:
    lower = run.lower()
    if units.is_bare_unit(run) and at_digit:
        return True
    if units.is_unit(run) and len(run) < 4 and lower not in _ENGLISH:
        return at_digit
    if lower in _vocabulary() or is_counted(lower):
        return len(run) > 3 or (is_outside and is_alone) or (len(run) == 3 and is_outside)
    return is_outside and is_alone and _looks_like_a_word(run)


def _is_acronym(run: str, text: str) -> bool:
    return len(run) > 2 and run.isupper() and text.strip() == run


def _looks_like_a_word(run: str) -> bool:
    if len(run) == 2:
        return run[0].isupper() and run[1].islower() and bool(_VOWELS & set(run))
    is_product = len(set(run)) == len(run) and (set(run.lower()) <= set("abcd") or not _VOWELS & set(run))
    return not is_product


@lru_cache(maxsize=1)
def _vocabulary() -> frozenset[str]:
    return frozenset().union(
        FILLERS, CLOSINGS, COPULAS, CONNECTIVES, TURNING, MULTIPLIERS, MONTHS, units.names(), ("am", "pm")
    )
