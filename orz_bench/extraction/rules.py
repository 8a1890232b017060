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
READERS: Mapping[str, tuple[str, tuple[str, ...]]] = MappingProxyType(
    {
        "math": ("mathematics", tuple(EXTRACTORS)),
        "choice": (
            "letters",
            tuple(name for name in EXTRACTOR_NAMES if name not in (*MATH_EXTRACTORS, *CODE_EXTRACTORS)),
        ),
    }
)
"""Kinds of answers that not every rule reads, in words, with the rules that do. Programs have rules of their own
(code_extractors), and instructions are about the whole response."""
RULES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "orz": (
            "any answer, as Open-Reasoner-Zero's reward does",
            r"the last balanced box in what `<answer>.*?(\\boxed{.*}).*?</answer>` captures; it ignores thought tags",
        ),
        "boxed": ("any answer", "the last balanced box outside of thoughts"),
        "final": (
            "any answer",
            "the answer a reader would take, outside of thoughts: the last box of the last `<answer>` block that is "
            "closed and not empty, otherwise the block's text; without such a block, the last box",
        ),
        "whole": ("any answer", "the response itself"),
        "phrase": (
            "any answer",
            'what follows the last announcement in words: "the answer is" (Wei et al. 2022), "final answer is … I hope '
            'it is correct" (Minerva), "Answer:", `####` (GSM8K), up to the end of its sentence; thoughts are ignored',
        ),
        "phrase-multilingual": (
            "any answer",
            "the same also in Chinese, Japanese, French, Spanish, German, Portuguese, Italian and Russian",
        ),
        "last-number": ("mathematics", "the last number, as lm-eval's flexible-extract for GSM8K finds it"),
        MATH_VERIFY: (
            "mathematics",
            "the whole response, in which Math-Verify looks for the answer itself; slow on long responses",
        ),
        "mmlu-pro": (
            "letters",
            "MMLU-Pro's official rules: the first `answer is (X)`, else the last `Answer: X` of the first line that "
            "has one, else the last separate letter from A to J",
        ),
        "answer-is": ("letters", "the first of these rules alone, as lm-eval's task"),
        LIKELIHOOD: ("letters", "the most likely option; nothing is generated"),
        "lcb": ("programs", "LiveCodeBench's: the text between the last two lines that contain three backticks"),
        "fence": ("programs", "the last closed code block, as in Markdown"),
    }
)
"""What each rule reads, and where it finds the answer: the table of docs/grading.md."""
OTHER_RULES = ("final", "phrase", "last-number")
"""What a score under another rule is shown for, where many responses have no answer under the protocol's."""
_SECOND = {"boxed": "orz", "mmlu-pro": "answer-is", LIKELIHOOD: LIKELIHOOD}


def second_extractor(extractor: str) -> str:
    """The extractor of mathematics or letters whose verdict is reported beside the one that counts."""
    return _SECOND.get(extractor, "boxed")
