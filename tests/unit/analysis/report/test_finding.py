"""The colour of a finding is that of its news, not of the word yes."""

from __future__ import annotations

import pytest

from analysis.report.finding import Answer, Finding


@pytest.mark.parametrize(
    ("wanted", "news"),
    [("yes", {"yes": "good", "no": "bad"}), ("no", {"yes": "bad", "no": "good"})],
)
def test_the_news_is_good_where_the_answer_is_the_wanted_one(wanted: Answer, news: dict[Answer, str]) -> None:
    for answer, expected in (news | {"unclear": "unclear", "unknown": "unknown"}).items():
        assert Finding(question="?", answer=answer, wanted=wanted, headline="!").news == expected
