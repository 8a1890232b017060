"""Drawing by inverting the distribution, and when a sample has ended."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
import torch

from orz_bench.engines.endings import Endings
from orz_bench.engines.engine import Sampling
from orz_bench.engines.transformers.decoding import Decoder, Draft, decode, sample_tokens


def test_the_token_at_a_quantile_is_that_of_a_walk_along_the_distribution() -> None:
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(50, 7, generator=generator)
    quantiles = torch.rand(50, generator=generator, dtype=torch.float64)
    tokens, logprobs = sample_tokens(logits, quantiles, sampling=Sampling(temperature=0.7))
    for row in range(50):
        shares = (logits[row].double() / 0.7).softmax(dim=0).tolist()
        left, token = float(quantiles[row]), 0
        while left >= shares[token]:
            left, token = left - shares[token], token + 1
        assert int(tokens[row]) == token
        assert float(logprobs[row].exp()) == pytest.approx(shares[token], abs=1e-6)


@pytest.mark.parametrize("quantile", [0.0, 1 - 2**-53])
def test_truncated_tokens_are_never_sampled(quantile: float) -> None:
    logits = torch.tensor([[0.0, 3.0, 2.0, -1.0]])
    tokens, _ = sample_tokens(logits, torch.tensor([quantile], dtype=torch.float64), sampling=Sampling(top_k=2))
    assert int(tokens[0]) in (1, 2)


class Letters:
    """A tokenizer whose tokens are texts."""

    def __init__(self, *pieces: str) -> None:
        self.pieces = pieces
        self.num_decoded = 0

    def decode(self, tokens: list[int], *, skip_special_tokens: bool = False) -> str:
        self.num_decoded += 1
        return "".join(self.pieces[token] for token in tokens)


@pytest.mark.parametrize(
    ("stop", "pieces", "ends_at"),
    [
        (("</answer>",), ("a", "</ans", "wer>", "b"), 3),
        (("</answer>",), ("</answer", ">> and more"), 2),
        (("User:",), ("User", " :", "Us", "er", ": x"), 5),
        (("停止",), ("a", "停", "止"), 3),
        (("x",), ("a", "b"), None),
        ((), ("a", "b"), None),
    ],
)
def test_a_stop_string_is_seen_with_the_token_that_completes_it(
    stop: tuple[str, ...], pieces: tuple[str, ...], ends_at: int | None
) -> None:
    endings = Endings(Letters(*pieces), stop=stop, eos=[99])
    tokens = list(range(len(pieces)))
    found = [endings.reason(tokens[:count]) for count in range(1, len(tokens) + 1)]
    assert [count for count, reason in enumerate(found, start=1) if reason][:1] == ([ends_at] if ends_at else [])


def test_text_is_decoded_only_where_it_may_end() -> None:
    tokenizer = Letters("a", "b", ">")
    endings = Endings(tokenizer, stop=("</answer>",), eos=[99])
    for count in range(1, 200):
        endings.reason([count % 2] * count)
    assert tokenizer.num_decoded == 2  # each of the two tokens once


class Counting:
    """A model that counts the tokens which it is fed."""

    def __init__(self, model: Any) -> None:
        self.model, self.config, self.num_tokens = model, model.config, 0

    def __call__(self, **inputs: Any) -> Any:
        self.num_tokens += inputs["input_ids"].numel()
        return self.model(**inputs)


def test_equal_prompts_run_once_and_ended_samples_leave(tmp_path: Any) -> None:
    from transformers import AutoModelForCausalLM

    from tests.support.tiny_model import a_tiny_checkpoint

    model = Counting(AutoModelForCausalLM.from_pretrained(a_tiny_checkpoint(tmp_path)).eval())
    prompts, rooms = [[5, 6, 7, 8]] * 4 + [[5, 6]], [1, 3, 3, 6, 2]
    drafts = [
        Draft(prompt=prompt, room=room, uniform=random.Random(seed).random)
        for seed, (prompt, room) in enumerate(zip(prompts, rooms, strict=True))
    ]
    decoder = Decoder(model=model, sampling=Sampling(), ending=lambda _: None, device=torch.device("cpu"))
    decode(decoder, drafts)
    assert [len(draft.tokens) for draft in drafts] == rooms
    assert {draft.ended for draft in drafts} == {"length"}
    # Two prompts of four places, then one token a sample that still needs a next one.
    assert model.num_tokens == 2 * 4 + sum(room - 1 for room in rooms)


@pytest.mark.parametrize("sampling", [Sampling(temperature=0.7, top_p=0.8), Sampling(temperature=1.5, top_k=3)])
def test_log_probabilities_are_under_the_sampled_distribution(sampling: Sampling) -> None:
    """Over many samples of one distribution, each token's share matches its log-probability."""
    logits = torch.tensor([[0.0, 3.0, 2.0, -1.0, 2.5]])
    count = 4000
    grid = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    tokens, logprobs = sample_tokens(logits.expand(count, 5), grid, sampling=sampling)
    drawn = {int(token): float(logprob) for token, logprob in zip(tokens, logprobs, strict=True)}
    assert sum(math.exp(logprob) for logprob in drawn.values()) == pytest.approx(1.0, abs=1e-6)
    for token, logprob in drawn.items():
        assert float((tokens == token).double().mean()) == pytest.approx(math.exp(logprob), abs=1e-3)
