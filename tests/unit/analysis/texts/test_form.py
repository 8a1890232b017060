"""Every part of the ORZ form, and the whole."""

from __future__ import annotations

import pytest

from analysis.texts.form import FORM_PARTS, form_features


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (
            " 7 </think> <answer> \\boxed{7} </answer>",
            "closes_think has_answer_block has_boxed has_one_answer keeps_form",
        ),
        (" 7 </think> <answer> 7 </answer>\n", "closes_think has_answer_block has_one_answer keeps_form"),
        (" 7 </think> <answer> 7 </answer> ok", "closes_think has_answer_block has_one_answer has_text_after"),
        ("</think><answer>1</answer><answer>2</answer>", "closes_think has_answer_block"),
        (" 7 <answer> 7", ""),
        (" </answer> <answer>", "has_text_after"),
        ("\\boxed {7}", "has_boxed"),
        ("", ""),
    ],
)
def test_parts(text: str, parts: str) -> None:
    row = form_features([text]).iloc[0]
    assert [part for part in FORM_PARTS if row[part]] == parts.split()


def test_no_texts_give_boolean_columns() -> None:
    empty = form_features([])
    assert list(empty.columns) == list(FORM_PARTS)
    assert {str(dtype) for dtype in empty.dtypes} == {"bool"}
