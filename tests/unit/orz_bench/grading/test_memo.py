"""Replies are remembered where they cannot change, the least recently used are forgotten."""

from __future__ import annotations

from collections.abc import Sequence

from orz_bench.grading.jobs import Reply
from orz_bench.grading.memo import Memo

RIGHT, WRONG, ERROR = Reply("correct", "same"), Reply("wrong", "another"), Reply("error", "died")


def test_the_least_recently_used_reply_is_forgotten() -> None:
    memo: Memo[str] = Memo(("correct", "wrong"), max_entries=2)
    memo.put("a", RIGHT)
    memo.put("b", WRONG)
    memo.get("a")
    memo.put("c", WRONG)
    assert (memo.get("a"), memo.get("b"), memo.get("c"), len(memo)) == (RIGHT, None, WRONG, 2)


def test_each_key_is_asked_once_unless_its_verdict_may_change() -> None:
    asked: list[list[str]] = []

    def ask(keys: Sequence[str]) -> list[Reply]:
        asked.append(list(keys))
        return [ERROR if key == "odd" else RIGHT for key in keys]

    memo: Memo[str] = Memo(("correct",))
    assert memo.replies(["a", "odd", "a"], ask) == {"a": RIGHT, "odd": ERROR}
    assert memo.replies(["b", "a", "odd"], ask) == {"b": RIGHT, "a": RIGHT, "odd": ERROR}
    assert asked == [["a", "odd"], ["b", "odd"]]
