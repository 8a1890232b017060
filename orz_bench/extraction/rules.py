"""Every rule that finds an answer in a response, by name, and what each reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from orz_bench.extraction.answers import extract_boxed, extract_final, extract_orz, extract_whole
from orz_bench.extraction.phrases import extract_last_number, extract_phrase, extract_phrase_multilingual
from orz_bench.extraction.programs import CODE_EXTRACTORS

MATH_VERIFY = "math-verify"
"""The whole response, in which Math-Verify itself looks for the answer."""
EXTRACTORS: Mapping[str, Callable[[str], str | None]] = MappingProxyType(
    {
        "orz": extract_orz,
        "boxed": extract_boxed,
        "final": extract_final,
        "whole": extract_whole,
        "phrase": extract_phrase,
        "phrase-multilingual": extract_phrase_multilingual,
        "last-number": extract_last_number,
        MATH_VERIFY: extract_whole,
    }
)
"""Rules for answers of any form."""
MATH_EXTRACTORS = ("last-number", MATH_VERIFY)
"""Rules that cannot read the letter of an option."""
LIKELIHOOD = "likelihood"
LETTER_EXTRACTORS = ("mmlu-pro", "answer-is", LIKELIHOOD)
"""Rules for letters of options only: see letters.py."""
EXTRACTOR_NAMES = (*EXTRACTORS, *LETTER_EXTRACTORS, *CODE_EXTRACTORS)
"""Every name that --extractor may have."""
OTHER_RULES = ("final", "phrase", "last-number")
"""What a score under another rule is shown for, where many responses have no answer under the protocol's."""
_SECOND = {"boxed": "orz", "mmlu-pro": "answer-is", LIKELIHOOD: LIKELIHOOD}


def second_extractor(extractor: str) -> str:
    """The extractor of mathematics or letters whose verdict is reported beside the one that counts."""
    return _SECOND.get(extractor, "boxed")
