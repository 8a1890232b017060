r"""Whether a response has the requested format: reasoning, `</think>`, one `<answer>` block with a box, end.

Input: texts (each follows the prompt's `<think>`). Output: true or false for every part of the format.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd

from orz_bench.extraction.responses import keeps_format

FORM_PARTS = ("closes_think", "has_answer_block", "has_boxed", "has_one_answer", "has_text_after", "keeps_form")
_OPEN, _CLOSE = "<answer>", "</answer>"
_BOXED = re.compile(r"\\boxed\s*\{")


def form_features(texts: Sequence[str]) -> pd.DataFrame:
    r"""One row per text, all boolean.

    closes_think     it contains `</think>`
    has_answer_block it contains `<answer>`, and `</answer>` after it
    has_boxed        it contains `\boxed{`
    has_one_answer   exactly one `<answer>` and exactly one `</answer>`, in that order
    has_text_after   something other than white space follows the last `</answer>`
    keeps_form       complete format, as `format/adherence` in metrics.jsonl (extraction.responses.keeps_format)
    """
    return pd.DataFrame([_form(text) for text in texts], columns=list(FORM_PARTS), dtype=bool)


def _form(text: str) -> tuple[bool, ...]:
    opening, closing = text.find(_OPEN), text.rfind(_CLOSE)
    has_block = 0 <= opening < closing
    return (
        "</think>" in text,
        has_block,
        _BOXED.search(text) is not None,
        has_block and text.count(_OPEN) == 1 and text.count(_CLOSE) == 1,
        closing >= 0 and bool(text[closing + len(_CLOSE) :].strip()),
        keeps_format(text),
    )
