r"""Left sides of an equals sign that make the right side the value: a name, f(x), m + n, an area."""

from __future__ import annotations

import re

from orz_bench.grading.surface.vocabulary import COPULAS, FUNCTIONS, SUBJECT_TURNING

_GREEK = (
    r"\\(?:alpha|beta|gamma|delta|epsilon|zeta|eta|theta|iota|kappa|lambda|mu|nu|xi|rho|sigma|tau|upsilon|phi|chi|psi|omega"
    r"|Gamma|Delta|Theta|Lambda|Xi|Sigma|Phi|Psi|Omega|ell|hbar|triangle|angle|overline|vec|hat|bar|mathcal|mathbb|widehat"
    r"|overrightarrow|tilde|nabla|partial|dot|ddot|Re|Im)(?![A-Za-z])"
)
_SCRIPTS = r"(?:\s*'|\s*_\{[^{}]*\}|\s*\^\{(?:\\prime|'|-1|\*|\\circ|\([^{}]*\))\})*"
_LETTER = rf"(?:{_GREEK}\s*(?:\{{[^{{}}]*\}})?|[A-Za-z]){_SCRIPTS}"
_NAME = re.compile(rf"\s*(?:{_LETTER}\s*)")
_ARGUMENT = re.compile(rf"\s*{_LETTER}\s*\([^()]*(?:\([^()]*\)[^()]*)*\)\s*")
_TRIGONOMETRIC = re.compile(
    r"\s*\\(?:sin|cos|tan|cot|sec|csc|det|deg|dim|arg|Re|Im|gcd|lcm|max|min)\s*"
    rf"(?:{_LETTER}|[A-Z]+|[\\a-z ]*\([^()]*\))?\s*"
)
_FIGURE = re.compile(
    r"\s*(?:\\(?:angle|triangle)\s*)?[A-Z]{2,6}\s*|\s*\|[A-Z]{2}\|\s*|\s*\[[A-Z]{3,8}\]\s*|\s*\|\\(?:vec|overrightarrow|mathbf)\{[^{}]*\}\|\s*"
)
_DERIVATIVE = re.compile(r"\s*\\frac\{d(?:\^\{\d\})?\s*[A-Za-z]?\}\{d\s*[A-Za-z](?:\^\{\d\})?\}\s*[A-Za-z]?\s*")
_TUPLE = re.compile(rf"\s*\(\s*{_LETTER}(?:\s*,\s*{_LETTER})+\s*\)\s*")
_WORDS = re.compile(r"(?:\s*\\text\{([^{}]*)\}|\s*[A-Za-z]\b|\s*_\{[^{}]*\}|\s*\([A-Za-z]\))+\s*")
_WORD = re.compile(r"\\text\{([^{}]*)\}")
_SUM = re.compile(r"[A-Za-z\\{}_+\-/: ()'^0-9]+")
_SCRIPT = re.compile(r"[_^]\{[^{}]*\}")
_SUBSCRIPTED = re.compile(r"[A-Za-z]_\{[^{}]*\}")
_LETTERS = re.compile(rf"\\frac|\\cdot|{_GREEK}|[A-Za-z]")


def is_one_name(text: str) -> bool:
    """x, x_1, f(x), sin A, AB, dy/dx, (x, y), or words such as "the area"."""
    if words := _WORD.findall(text):
        is_subject = not any(word.lower() in SUBJECT_TURNING or word.lower() in (FUNCTIONS | COPULAS) for word in words)
        return is_subject and _WORDS.fullmatch(text) is not None
    patterns = (_NAME, _ARGUMENT, _TRIGONOMETRIC, _FIGURE, _DERIVATIVE, _TUPLE)
    return any(pattern.fullmatch(text) for pattern in patterns)


def is_quantity(text: str) -> bool:
    """One name, or several added, multiplied or divided, without numbers: m + n, abc, x_1/x_2."""
    if is_one_name(text):
        return True
    if not _SUM.fullmatch(text) or "\\text" in text:
        return False
    bare = _SCRIPT.sub("", text)
    if "\\" in _LETTERS.sub("", bare):
        return False
    names = _SUBSCRIPTED.findall(text)
    letters = [letter for letter in _LETTERS.findall(bare) if letter not in ("\\frac", "\\cdot")]
    return max(len(set(letters)), len(set(names))) > 1 and not any(char.isdigit() for char in bare)
