"""Texts and tokens of a response in stages stay the same thing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orz_bench.steering.drafts import Draft, first_stop
from tests.support.scripted_engine import Letters, a_request

PIECES = ("</think>", "ab", "b\n", "\n\n", " <answer", "think>\n")


@given(st.lists(st.sampled_from([*PIECES, "a", "b", "\n", " ", "é", "</"]), max_size=12), st.integers(0, 40))
def test_a_beginning_of_the_text_has_the_tokens_that_spell_it(parts: list[str], at: int) -> None:
    tokenizer = Letters(*PIECES)
    text = "".join(parts)
    ids = [one for part in parts for one in tokenizer.encode(part)]
    draft = Draft(request=a_request(), tokens=list(ids), text=text, logprobs=[-1.0] * len(ids))
    draft.cut(text[:at], tokenizer=tokenizer)
    assert draft.text == tokenizer.decode(draft.tokens) == text[:at]
    assert len(ids) - draft.num_cut + draft.num_put_in == len(draft.tokens)
    assert draft.logprobs is None or len(draft.logprobs) == len(draft.tokens)
    assert (draft.num_put_in == 0) == (draft.logprobs is not None)


def test_the_first_stop_string_behind_a_place() -> None:
    assert first_stop("a. b.", (".",), start=0) is not None
    found = first_stop("a. b.", (".",), start=2)
    assert found is not None
    assert (found.start, found.end) == (4, 5)
    assert first_stop("a</think>", (">", "</think>"), start=1).string == "</think>"  # type: ignore[union-attr]
    # A stop string may begin before what was sampled last.
    assert first_stop("x</think>", ("</think>",), start=8) is not None
    assert first_stop("x</think>", ("</think>",), start=9) is None
