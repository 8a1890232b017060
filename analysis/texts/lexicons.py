"""Reflection lexicons: named, versioned sets of patterns for phrases like "wait, let me check again".

Every pattern begins with fixed letters and repeats only white space after them, so that search is linear for any text.
Sources and meaning of each lexicon: docs/reflection.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType

from orz_bench.errors import ConfigError, nearest
from orz_bench.extraction.responses import REFLECTION_PATTERNS
from orz_bench.installed.plugins import PluginGroup


@dataclass(frozen=True, slots=True)
class Match:
    """One reflection in a text: `text[start:end]`, matched by the lexicon's pattern number `pattern`."""

    start: int
    end: int
    pattern: int


@dataclass(frozen=True)
class Lexicon:
    """A set of patterns. A changed pattern needs a new version, because counts of two versions are not comparable."""

    name: str
    version: int
    source: str
    """Where the patterns come from."""
    patterns: Mapping[str, str]
    """Name -> regular expression (in lower case where case is ignored), in a fixed order."""
    ignores_case: bool = True
    """Applies to ASCII letters only; no pattern has others."""
    is_word_bounded: bool = False
    """Whether a match must be neither preceded nor followed by a letter, a digit or an underscore."""
    package: str = ""
    """Name and version of the package that adds it, which the registry fills in; empty for ours."""

    @property
    def label(self) -> str:
        """`orz-code v1`, for captions and tables."""
        return f"{self.name} v{self.version}{f' of {self.package}' if self.package else ''}"

    @cached_property
    def _compiled(self) -> tuple[re.Pattern[str], ...]:
        return tuple(re.compile(pattern) for pattern in self.patterns.values())

    def find(self, text: str) -> list[Match]:
        """All matches, by position; of overlapping matches, the one that starts first, then the longest.

        Linear in the length of `text` for each pattern.
        """
        searched = lower_ascii(text) if self.ignores_case else text
        found = sorted(self._candidates(searched), key=lambda match: (match.start, -match.end))
        kept: list[Match] = []
        for match in found:
            if not kept or match.start >= kept[-1].end:
                kept.append(match)
        return kept

    def _candidates(self, text: str) -> Iterator[Match]:
        # Pattern by pattern: search for a literal beginning runs at memory speed, an alternation of all does not.
        for number, pattern in enumerate(self._compiled):
            for found in pattern.finditer(text):
                if not self.is_word_bounded or _stands_alone(text, found):
                    yield Match(found.start(), found.end(), number)


def _stands_alone(text: str, found: re.Match[str]) -> bool:
    around = text[max(found.start() - 1, 0) : found.start()], text[found.end() : found.end() + 1]
    return not any(char.isalnum() or char == "_" for char in around)


def lower_ascii(text: str) -> str:
    """`text` with A-Z in lower case and all positions unchanged (str.lower turns some letters into two)."""
    if text.isascii():
        return text.lower()
    return text.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")


_FIVE = ("wait", "recheck", "retry", "alternatively", "however")

_ORZ_CODE = Lexicon(
    name="orz-code",
    version=1,
    source="Open-Reasoner-Zero, code at commit 3fdd9a0: case-sensitive, so that `Wait,` does not count",
    patterns={name: pattern.pattern for name, pattern in zip(_FIVE, REFLECTION_PATTERNS, strict=True)},
    ignores_case=False,
)

_ORZ_PAPER = Lexicon(
    name="orz-paper",
    version=1,
    source='Open-Reasoner-Zero, arXiv 2503.24290, figure 7 ("reflection patterns"), ignoring case',
    patterns=dict(zip(_FIVE, ("wait,", "recheck", "retry", "alternatively,", "however,"), strict=True)),
)

_FIFTEEN = (
    "recheck", "rethink", "reassess", "reevaluate", "re-evaluate", "reevaluation", "re-examine", "reexamine",
    "reconsider", "reanalyze", "double-check", "check again", "think again", "verify again", "go over the steps",
)  # fmt: skip

_URZ15 = Lexicon(
    name="urz15",
    version=1,
    source="understand-r1-zero, arXiv 2503.20783, after the method of Yeo et al., arXiv 2502.03373",
    patterns={phrase: phrase for phrase in _FIFTEEN},
)

_FURTHER = (
    "wait", "hold on", "hmm", "retry", "alternatively", "however",
    "recalculate", "recompute", "recount", "revisit", "re-check", "re-think", "re-assess", "re-read", "reread",
    "double check", "let me check", "let's check", "let me verify", "let's verify", "to verify", "verify this",
    "verify that", "sanity check", "try again", "start over", "let me try", "let's try",
    "another approach", "different approach", "on second thought", "i made a mistake", "made an error",
    "that's not right", "that is not right", "that's wrong", "that is wrong", "this is wrong", "is incorrect",
    "doesn't seem right", "does not seem right",
)  # fmt: skip

_INFLECTED = {
    "recheck": r"recheck(?:ed|ing|s)?", "rethink": r"rethink(?:ing)?", "reassess": r"reassess(?:ed|ing)?",
    "reevaluate": r"reevaluat(?:e|ed|ing)", "re-evaluate": r"re-evaluat(?:e|ed|ing)",
    "re-examine": r"re-examin(?:e|ed|ing)", "reexamine": r"reexamin(?:e|ed|ing)",
    "reconsider": r"reconsider(?:ed|ing)?", "reanalyze": r"reanaly(?:z|s)(?:e|ed|ing)",
    "double-check": r"double-check(?:ed|ing)?", "double check": r"double\s+check(?:ed|ing)?",
    "recalculate": r"recalculat(?:e|ed|ing)", "recompute": r"recomput(?:e|ed|ing)",
    "revisit": r"revisit(?:ed|ing)?", "recount": r"recount(?:ed|ing)?", "hmm": r"hm{2,}", "retry": r"retry(?:ing)?",
}  # fmt: skip

_EXTENDED = Lexicon(
    name="extended",
    version=1,
    source="the union of the lexicons above as whole words, inflected, with further phrases of verification and "
    "backtracking (behaviours of Gandhi et al., arXiv 2503.01307)",
    patterns={
        phrase: _INFLECTED.get(phrase) or re.escape(phrase).replace(r"\ ", r"\s+") for phrase in _FIFTEEN + _FURTHER
    },
    is_word_bounded=True,
)

LEXICONS: Mapping[str, Lexicon] = MappingProxyType(
    {lexicon.name: lexicon for lexicon in (_ORZ_CODE, _ORZ_PAPER, _URZ15, _EXTENDED)}
)
"""Ours."""


def _fault_of(lexicon: Lexicon) -> str | None:
    """A pattern that is no regular expression, or matches where there is nothing."""
    for name, pattern in lexicon.patterns.items():
        try:
            if re.compile(pattern).match(""):
                return f"the pattern {name} matches the empty text"
        except re.error as error:
            return f"the pattern {name} is no regular expression ({error})"
    return None if lexicon.patterns else "it has no patterns"


LEXICON_GROUP: PluginGroup[Lexicon] = PluginGroup(
    name="orz.lexicons", noun="lexicon", kind=Lexicon, built_in=LEXICONS, fault_of=_fault_of
)
"""Ours, and those that other packages add."""


def get_lexicon(name: str) -> Lexicon:
    """The newest version of a lexicon. Raises ConfigError for an unknown name, and for one that cannot be used."""
    if name in LEXICONS:
        return LEXICONS[name]
    if name not in LEXICON_GROUP.others():
        known = LEXICON_GROUP.names()
        raise ConfigError(f"unknown lexicon {name!r}{nearest(name, known)}; choose one of {', '.join(known)}.")
    return replace(LEXICON_GROUP.load(name), package=LEXICON_GROUP.package_of(name))
