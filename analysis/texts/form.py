r"""Does a response keep the form that the prompt asks for: reasoning, `</think>`, one `<answer>` block with a box, end.

Goes in: texts (each follows the prompt's `<think>`). Comes out: yes or no for every part of the form.
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
    r"""One row a text, all boolean.

    closes_think     `</think>` stands in it
    has_answer_block `<answer>` stands in it, with `</answer>` behind
    has_boxed        `\boxed{` stands in it
    has_one_answer   exactly one `<answer>` and exactly one `</answer>`, in that order
    has_text_after   something other than white space follows the last `</answer>`
    keeps_form       the whole form, as `format/adherence` in metrics.jsonl: orz_bench.extraction.responses.keeps_format
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
