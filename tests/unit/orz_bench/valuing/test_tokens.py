"""Tokens of stored rollouts: each ends somewhere in the text, and tokens of another tokenizer are refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from orz_bench.errors import DataError
from orz_bench.valuing.tokens import RolloutTokens, token_ends
from tests.support.tokenizers import FAMILIES, a_tokenizer

TEXTS = (
    "Let x = 2. So x^2 = 4, and 4 + 12 <= 100.",
    " 12 and 30 <think>wait</think>  two spaces\nand a line",
    "The sum is 42",
)
UNUSUAL = "caf\u00e9 \U0001f600 \u6570\u5b66 \u221a2 \ufffd end"


@dataclass
class FakeCritic:
    """Never asked for values here."""

    tokenizer: Any
    vocabulary: int = 1_000_000
    max_tokens: int | None = None

    def values(self, sequences: Any) -> Any:
        raise AssertionError


def a_row(**changes: Any) -> dict[str, Any]:
    row = {"problem_id": "p", "sample_index": 3, "prompt": "What is", "completion": TEXTS[0], "num_tokens": None}
    return row | {"prompt_token_ids": None, "token_ids": None, "stop_reason": "stop_string"} | changes


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("text", [*TEXTS, UNUSUAL])
def test_tokens_end_in_order_and_spell_the_text(family: str, text: str) -> None:
    tokenizer = a_tokenizer(family)
    ids = tokenizer.encode(text, add_special_tokens=False)
    if tokenizer.decode(ids, clean_up_tokenization_spaces=False) != text:
        with pytest.raises(DataError, match="does not decode to the stored text"):
            RolloutTokens(FakeCritic(tokenizer), where="run").of(a_row(completion=text))
        return
    found = RolloutTokens(FakeCritic(tokenizer), where="run").of(a_row(completion=text))
    ends = list(found.char_ends)
    assert found.was_tokenised
    assert list(found.response) == ids
    assert ends == sorted(ends)
    assert ends[-1] == len(text)
    for at, end in enumerate(ends):  # the text up to there is what the tokens up to there are, but for a cut character
        decoded = tokenizer.decode(ids[: at + 1], clean_up_tokenization_spaces=False)
        assert decoded.rstrip("\ufffd").startswith(text[:end].rstrip("\ufffd"))


def test_stored_ids_are_kept_even_if_the_text_would_be_tokenised_otherwise() -> None:
    tokenizer = a_tokenizer("byte-bpe")
    ids = [id_ for char in "The sum" for id_ in tokenizer.encode(char, add_special_tokens=False)]
    found = RolloutTokens(FakeCritic(tokenizer), where="run").of(a_row(completion="The sum", token_ids=ids))
    assert not found.was_tokenised
    assert list(found.response) == ids
    assert list(found.char_ends) == [1, 2, 3, 4, 5, 6, 7]


def test_the_end_token_is_no_text_and_is_added_where_the_model_ended() -> None:
    tokenizer = a_tokenizer("byte-bpe")
    end = tokenizer.eos_token_id
    ids = [*tokenizer.encode("The sum", add_special_tokens=False), end]
    for row in (a_row(token_ids=ids), a_row(stop_reason="eos")):
        found = RolloutTokens(FakeCritic(tokenizer), where="run").of(row | {"completion": "The sum"})
        assert list(found.response) == ids
        assert list(found.char_ends)[-2:] == [7, 7]


def test_a_token_may_go_on_behind_a_stop_string() -> None:
    pieces = ["a ", "</answer> and more"]
    assert token_ends([0, 1], "a </answer>", decode=lambda ids: "".join(pieces[id_] for id_ in ids)) == [2, 11]


def test_ids_of_another_tokenizer_are_refused() -> None:
    ours, other = a_tokenizer("byte-bpe"), a_tokenizer("unigram")
    ids = other.encode(TEXTS[0], add_special_tokens=False)
    with pytest.raises(DataError, match=r"run: sample 3 of p: its token ids do not decode to the stored text"):
        RolloutTokens(FakeCritic(ours), where="run").of(a_row(token_ids=ids))


def test_too_few_or_too_many_tokens_are_refused() -> None:
    tokenizer = a_tokenizer("byte-bpe")
    ids = tokenizer.encode(TEXTS[0], add_special_tokens=False)
    for wrong in (ids[:-1], ids + ids[:2]):
        with pytest.raises(DataError, match="do not decode"):
            RolloutTokens(FakeCritic(tokenizer), where="run").of(a_row(token_ids=wrong))


def test_an_unknown_id_a_long_sequence_and_a_missing_prompt_are_refused() -> None:
    tokenizer = a_tokenizer("byte-bpe")
    with pytest.raises(DataError, match="but the critic knows 5"):
        RolloutTokens(FakeCritic(tokenizer, vocabulary=5), where="run").of(a_row())
    with pytest.raises(DataError, match="the critic's context is 4"):
        RolloutTokens(FakeCritic(tokenizer, max_tokens=4), where="run").of(a_row())
    with pytest.raises(DataError, match="has no prompt"):
        RolloutTokens(FakeCritic(tokenizer), where="run").of(a_row(prompt=None))


def test_another_number_of_tokens_than_sampled_is_known() -> None:
    tokens = RolloutTokens(FakeCritic(a_tokenizer("byte-bpe")), where="run")
    num = len(tokens.of(a_row()).response)
    assert not tokens.of(a_row(num_tokens=num)).has_other_length
    assert tokens.of(a_row(num_tokens=num + 1)).has_other_length
