r"""Characters as LaTeX: those typed instead of a command, and invisible ones."""

from __future__ import annotations

import re
import unicodedata

_LATEX = {
    "\u00d7": r"\times ", "\u2715": r"\times ", "\u22c5": r"\cdot ", "\u00b7": r"\cdot ", "\u2219": r"\cdot ",
    "\u00f7": r"\div ", "\u221e": r"\infty ", "\u2264": r"\le ", "\u2a7d": r"\le ", "\u2265": r"\ge ",
    "\u2a7e": r"\ge ", "\u2260": r"\ne ", "\u2248": r"\approx ", "\u2245": r"\approx ", "\u2261": r"\equiv ",
    "\u00b1": r"\pm ", "\u2213": r"\mp ", "\u222a": r"\cup ", "\u2229": r"\cap ", "\u2208": r"\in ",
    "\u2209": r"\notin ", "\u2205": r"\emptyset ", "\u00d8": r"\emptyset ", "\u2216": r"\setminus ",
    "\u2282": r"\subset ", "\u2286": r"\subseteq ", "\u00b0": r"^\circ ", "\u00ba": r"^\circ ", "\u2026": r"\ldots ",
    "\u22ef": r"\ldots ", "\u2192": r"\to ", "\u21d2": r"\Rightarrow ", "\u2234": r"\therefore ", "\u2220": r"\angle ",
    "\u25b3": r"\triangle ", "\u2225": r"\parallel ", "\u22a5": r"\perp ", "\u221d": r"\propto ", "\u2211": r"\sum ",
    "\u220f": r"\prod ", "\u222b": r"\int ", "\u2202": r"\partial ", "\u2207": r"\nabla ", "\u00ac": r"\neg ",
    "\u2228": r"\lor ", "\u2227": r"\land ", "\u230a": r"\lfloor ", "\u230b": r"\rfloor ", "\u2308": r"\lceil ",
    "\u2309": r"\rceil ", "\u27e8": r"\langle ", "\u27e9": r"\rangle ", "\u2329": r"\langle ", "\u232a": r"\rangle ",
    "\u3008": r"\langle ", "\u3009": r"\rangle ", "\u2032": "'", "\u2033": "''", "\u2212": "-", "\u2010": "-",
    "\u2011": "-", "\u2012": "-", "\u2013": "-", "\u2014": "-", "\ufe63": "-", "\uff0d": "-", "\u2796": "-",
    "\u2795": "+", "\u2044": "/", "\u2215": "/", "\u2236": ":", "\ufe55": ":", "\u2018": "'", "\u2019": "'",
    "\u201c": '"', "\u201d": '"', "\u3002": ".", "\u3001": ",", "\u066b": ".", "\u066c": ",", "\u20ac": r"\text{euros}",
    "\u00a3": r"\text{pounds sterling}", "\u00a5": r"\text{yen}", "\u20b9": r"\text{rupees}", "\u00a2": r"\text{cents}",
    "\u2022": " ", "\u25cf": " ", "\u2713": " ", "\u2714": " ", "\u25a0": " ", "\u25a1": " ", "\u220e": " ",
    "\u2705": " ", "\u00b5": r"\mu ", "\u2126": r"\Omega ", "\u212b": r"\text{angstroms}", "\u2102": r"\mathbb{C}",
    "\u2115": r"\mathbb{N}", "\u211a": r"\mathbb{Q}", "\u211d": r"\mathbb{R}", "\u2124": r"\mathbb{Z}",
    "\u03f5": r"\epsilon ", "\u03d5": r"\phi ", "\u03d1": r"\theta ", "\u2030": r"\text{permille}",
}  # fmt: skip
_GREEK = [
    "alpha",
    "beta",
    "gamma",
    "delta",
    "epsilon",
    "zeta",
    "eta",
    "theta",
    "iota",
    "kappa",
    "lambda",
    "mu",
    "nu",
    "xi",
    "omicron",
    "pi",
    "rho",
    "sigma",
    "sigma",
    "tau",
    "upsilon",
    "phi",
    "chi",
    "psi",
    "omega",
]
_LATEX |= {chr(0x3B1 + place): f"\\{name} " for place, name in enumerate(_GREEK) if name != "omicron"}
_LATEX |= {
    chr(0x391 + place): f"\\{name.capitalize()} "
    for place, name in enumerate(_GREEK)
    if name in ("gamma", "delta", "theta", "lambda", "xi", "pi", "upsilon", "phi", "psi", "omega") or place == 18
}
_INVISIBLE = re.compile(
    "[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\u00ad\u034f\u061c\u115f\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\ufe00-\ufe0f\ufeff]"
)
_REVERSED = "\u202e"
"""These show the following text from right to left: 42 appears as 24."""
_SUPERSCRIPTS = str.maketrans(
    "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079\u207a\u207b\u207f\u2071", "0123456789+-ni"
)
_SUBSCRIPTS = str.maketrans(
    "\u2080\u2081\u2082\u2083\u2084\u2085\u2086\u2087\u2088\u2089\u208a\u208b\u2099", "0123456789+-n"
)
_RAISED = re.compile("[\u2070\u00b9\u00b2\u00b3\u2074-\u207b\u207f\u2071]+")
_LOWERED = re.compile("[\u2080-\u208b\u2099]+")
_ROOT = re.compile("([\u221a\u221b\u221c])\\s*(\\d+(?:\\.\\d+)?|[A-Za-z]|\\([^()]*\\)|\\{[^{}]*\\})")
_DEGREE_OF_ROOT = {"\u221a": "", "\u221b": "[3]", "\u221c": "[4]"}
_TRANSLATION = str.maketrans(_LATEX)


def to_latex(text: str) -> str:
    r"""The text in ASCII where LaTeX has a notation for it: \u00bd as \frac{1}{2}, \u00b2 as ^{2}, \u03c1 as \rho."""
    if text.isascii() and text.isprintable():
        return text
    visible = _INVISIBLE.sub("", text)
    if _REVERSED in text and visible != visible[::-1]:
        return text
    text = visible
    if text.isascii():
        return text
    text = _ROOT.sub(_read_root, text)
    text = _RAISED.sub(lambda found: f"^{{{found.group().translate(_SUPERSCRIPTS)}}}", text)
    text = _LOWERED.sub(lambda found: f"_{{{found.group().translate(_SUBSCRIPTS)}}}", text)
    return "".join(map(_compatible, text.translate(_TRANSLATION))).translate(_TRANSLATION)


def _read_root(found: re.Match[str]) -> str:
    radicand = found[2][1:-1] if found[2][0] in "({" else found[2]
    return f"\\sqrt{_DEGREE_OF_ROOT[found[1]]}{{{radicand}}}"


def _compatible(char: str) -> str:
    """Full-width and styled letters and digits as plain ones, vulgar fractions as fractions; others are unchanged."""
    if char.isascii():
        return char
    plain = unicodedata.normalize("NFKC", char)
    top, slash, bottom = plain.partition("\u2044")
    if slash and top.isdigit() and bottom.isdigit():
        return f"\\frac{{{top}}}{{{bottom}}}"
    return plain if len(plain) == 1 or plain.isascii() else char
