"""Log-probabilities and entropies in chunks are those of all logits, with their gradients, in the memory of a chunk."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from orz_rl.ppo.losses import entropy
from orz_rl.ppo.packed_attention import register_packed_attention
from orz_rl.ppo.packed_forward import (
    Pack,
    response_logits,
    response_scores,
    response_top_tokens,
    token_logprobs,
)
from orz_rl.ppo.token_head import Question, TokenHead, with_token_head
from tests.support.live_bytes import LiveBytes
from tests.support.tiny_model import a_gemma2
from tests.unit.orz_rl.ppo.test_packed_forward import a_model, sequences


class Found(NamedTuple):
    """Values of the tokens and gradients of what they were computed from."""

    logprobs: torch.Tensor
    entropies: torch.Tensor
    gradients: list[torch.Tensor]


def a_layer(*, hidden: int = 6, vocabulary: int = 11, bias: bool = False, dtype: torch.dtype = torch.float32) -> Any:
    torch.manual_seed(0)
    return torch.nn.Linear(hidden, vocabulary, bias=bias).to(dtype)


def hidden_states(layer: Any, rows: int) -> Any:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(1, rows, layer.in_features, generator=generator).to(layer.weight.dtype)


def loss_of(logprobs: torch.Tensor) -> Any:
    return (logprobs * torch.linspace(-1, 2, len(logprobs))).sum() + (logprobs**2).mean()


def by_head(layer: Any, rows: int, *, temperature: float, **options: Any) -> Found:
    head = TokenHead(layer, **options)
    hidden = hidden_states(layer, rows).requires_grad_()
    tokens = torch.arange(rows) * 7 % layer.out_features
    with head.asked(Question(tokens[:, None], temperature, with_entropy=True)):
        scores = head.scores(head(hidden))
    assert scores is not None
    assert scores.entropy_R is not None
    return found(layer, hidden, scores.logprobs_R, scores.entropy_R)


def by_logits(layer: Any, rows: int, *, temperature: float, in_float32: bool = False) -> Found:
    """The obvious way."""
    hidden = hidden_states(layer, rows).requires_grad_()
    tokens = torch.arange(rows) * 7 % layer.out_features
    own, bias = (None if each is None else each.float() for each in (layer.weight, layer.bias))
    assert own is not None
    logits = torch.nn.functional.linear(hidden[0].float(), own, bias) if in_float32 else layer(hidden)[0]
    every = torch.log_softmax(logits.float() / temperature, dim=-1)
    return found(layer, hidden, every.gather(1, tokens[:, None])[:, 0], entropy(logits.float() / temperature))


def found(layer: Any, hidden: torch.Tensor, logprobs: torch.Tensor, entropies: torch.Tensor) -> Found:
    inputs = [hidden, layer.weight, *([] if layer.bias is None else [layer.bias])]
    gradients = torch.autograd.grad(loss_of(logprobs), inputs)
    return Found(logprobs.detach(), entropies.detach(), [each.float() for each in gradients])


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 40),
    chunk=st.integers(1, 500),
    temperature=st.sampled_from([1.0, 0.6, 1.3]),
    bias=st.booleans(),
    in_float32=st.booleans(),
)
def test_any_chunks_give_the_values_and_gradients_of_all_logits(
    rows: int, chunk: int, temperature: float, bias: bool, in_float32: bool
) -> None:
    layer = a_layer(bias=bias)
    wanted = by_logits(layer, rows, temperature=temperature)
    got = by_head(layer, rows, temperature=temperature, in_float32=in_float32, chunk_elements=chunk)
    assert torch.allclose(got.logprobs, wanted.logprobs, atol=1e-6)
    assert torch.allclose(got.entropies, wanted.entropies, atol=1e-6)
    for ours, theirs in zip(got.gradients, wanted.gradients, strict=True):
        assert float((ours - theirs).norm()) <= 1e-6 * max(1.0, float(theirs.norm()))


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(1, 20), chunk=st.integers(1, 300), num=st.integers(1, 11), temperature=st.sampled_from([1, 0.6])
)
def test_several_tokens_at_a_place_and_the_most_probable_ones(
    rows: int, chunk: int, num: int, temperature: float
) -> None:
    layer = a_layer(bias=True)
    head, hidden = TokenHead(layer, chunk_elements=chunk), hidden_states(layer, rows).requires_grad_()
    every = torch.log_softmax(layer(hidden)[0] / temperature, dim=-1)
    tokens = torch.rand(rows, 11, generator=torch.Generator().manual_seed(2)).argsort(dim=1)[:, :num]
    with head.asked(Question(tokens, temperature)):
        scores = head.scores(head(hidden))
    assert scores is not None
    got = torch.cat([scores.logprobs_R[:, None], scores.others_RK], dim=1)
    assert torch.allclose(got, every.gather(1, tokens), atol=1e-6)
    weights = torch.linspace(-1, 2, got.numel()).reshape(got.shape)
    inputs = [hidden, layer.weight, layer.bias]
    ours = torch.autograd.grad((got * weights).sum(), inputs, retain_graph=True)
    theirs = torch.autograd.grad((every.gather(1, tokens) * weights).sum(), inputs, retain_graph=True)
    assert all(float((a - b).norm()) <= 2e-6 * max(1.0, float(b.norm())) for a, b in zip(ours, theirs, strict=True))

    with torch.no_grad(), head.asked(Question(tokens[:, :1], temperature, top_k=num)):
        top = head.top_tokens(head(hidden))
    assert top is not None
    assert torch.allclose(top.own_R, every[range(rows), tokens[:, 0]], atol=1e-6)
    assert torch.allclose(top.logprobs_RK, every.topk(num, dim=1).values, atol=1e-6)
    assert torch.allclose(every.gather(1, top.ids_RK), top.logprobs_RK, atol=1e-6)


@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_one_chunk_is_bit_for_bit_what_autograd_computes(temperature: float) -> None:
    layer, rows = a_layer(hidden=32, vocabulary=300), 50
    got = by_head(layer, rows, temperature=temperature)
    hidden, tokens = hidden_states(layer, rows).requires_grad_(), torch.arange(rows) * 7 % 300
    logits = layer(hidden)[0]
    logprobs = token_logprobs(logits, tokens[:, None], temperature=temperature)[:, 0]
    wanted = found(layer, hidden, logprobs, entropy(logits / temperature))
    assert torch.equal(got.logprobs, wanted.logprobs)
    assert torch.equal(got.entropies, wanted.entropies)
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(got.gradients, wanted.gradients, strict=True))


@pytest.mark.parametrize("chunk", [2**20, 40 * 300 // 7])
def test_a_head_in_float32_does_not_round_logits_to_16_bits(chunk: int) -> None:
    layer = a_layer(hidden=32, vocabulary=300, bias=True, dtype=torch.bfloat16)
    wanted = by_logits(layer, 40, temperature=1.0, in_float32=True)
    got = by_head(layer, 40, temperature=1.0, in_float32=True, chunk_elements=chunk)
    rounded = by_head(layer, 40, temperature=1.0, chunk_elements=chunk)
    assert torch.allclose(got.logprobs, wanted.logprobs, atol=1e-6)
    assert torch.allclose(got.entropies, wanted.entropies, atol=1e-6)
    assert float((rounded.logprobs - wanted.logprobs).abs().max()) > 1e-4
    for ours, theirs in zip(got.gradients, wanted.gradients, strict=True):
        assert float((ours - theirs).norm() / theirs.norm()) < 4e-3  # handed over in the weights' 16 bits


def test_many_chunks_of_16_bits_do_not_lose_the_gradient_of_weights() -> None:
    layer = a_layer(hidden=32, vocabulary=300, dtype=torch.bfloat16)
    wanted = by_logits(layer, 200, temperature=1.0)
    got = by_head(layer, 200, temperature=1.0, chunk_elements=300)
    for ours, theirs in zip(got.gradients, wanted.gradients, strict=True):
        assert float((ours - theirs).norm() / theirs.norm()) < 1e-2


@pytest.mark.parametrize(("dtype", "in_float32"), [("float32", False), ("bfloat16", False), ("bfloat16", True)])
def test_the_peak_is_one_chunk_more_than_hidden_states_and_gradients(dtype: str, in_float32: bool) -> None:
    rows, hidden_size, vocabulary = 1024, 16, 5000
    layer = a_layer(hidden=hidden_size, vocabulary=vocabulary, dtype=getattr(torch, dtype))
    chunk = 64 * vocabulary
    head = TokenHead(layer, in_float32=in_float32, chunk_elements=chunk)
    hidden = hidden_states(layer, rows).requires_grad_()
    with LiveBytes() as memory:
        with head.asked(Question(torch.arange(rows)[:, None], 0.7, with_entropy=True)):
            scores = head.scores(head(hidden))
        assert scores is not None
        forward, memory.peak = memory.peak, memory.now
        loss_of(scores.logprobs_R).backward()
    states = rows * hidden_size * 4
    most = 4 * chunk * (1.6 if dtype == "float32" else 1.8)
    weights = vocabulary * hidden_size * (4 if dtype == "float32" else 6)
    assert forward < most + states
    assert memory.peak < most + 2 * states + weights
    assert memory.peak < 4 * rows * vocabulary / 4, "far from the logits of all rows"


@pytest.mark.parametrize("family", ["qwen2", "llama"])
def test_a_model_with_the_head_answers_as_without(family: str) -> None:
    pack = Pack.of(sequences())
    plain, model = a_model(family), a_model(family)
    with_token_head(model, in_float32=False)
    assert {*model.state_dict()} == {*plain.state_dict()}
    assert (model.lm_head.weight is model.model.embed_tokens.weight) == (family == "qwen2")
    found = []
    for each in (plain, model):
        scores = response_scores(each, pack, temperature=0.8, with_entropy=True)
        assert scores.entropy_R is not None
        loss_of(scores.logprobs_R).backward()
        gradients = torch.cat([parameter.grad.flatten() for parameter in each.parameters()])
        found.append((scores.logprobs_R, scores.entropy_R, gradients))
    assert model.lm_head.is_last
    for ours, theirs in zip(*found, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-6)


def test_a_model_that_caps_its_logits_gives_them_whole() -> None:
    register_packed_attention()
    model = a_gemma2(vocab_size=40, final_logit_softcapping=0.5)
    pack = Pack.of(sequences())
    wanted = response_scores(model, pack, with_entropy=True)
    every = torch.log_softmax(response_logits(model, pack) / 0.7, dim=-1)
    with_token_head(model, in_float32=False)
    for _ in range(2):
        got = response_scores(model, pack, with_entropy=True)
        assert all(torch.equal(ours, theirs) for ours, theirs in zip(got, wanted, strict=True))
        top = response_top_tokens(model, pack, top_k=5, temperature=0.7)
        assert torch.allclose(top.logprobs_RK, every.topk(5, dim=1).values, atol=1e-6)
        assert torch.allclose(every.gather(1, top.ids_RK), top.logprobs_RK, atol=1e-6)
        scores = response_scores(model, pack, temperature=0.7, others_RK=top.ids_RK)
        assert torch.allclose(scores.others_RK, top.logprobs_RK, atol=1e-6)
        assert torch.allclose(scores.logprobs_R, top.own_R, atol=1e-6)
        model.lm_head.is_last = None  # the first time, the head does not know yet
    assert response_top_tokens(model, pack, top_k=99).ids_RK.shape[1] == 40, "the whole vocabulary"
    assert model.lm_head.is_last is False


def test_a_layer_of_another_kind_is_left_alone() -> None:
    class Own(torch.nn.Linear):  # type: ignore[misc]  # torch is not followed
        pass

    model = a_model("llama")
    model.set_output_embeddings(Own(32, 40, bias=False))
    with_token_head(model, in_float32=False)
    assert type(model.lm_head) is Own
    assert response_scores(model, Pack.of(sequences())).logprobs_R.shape == (sum(len(r) for _, r in sequences()),)


def test_tokens_of_infinite_weight_give_no_finite_score() -> None:
    layer = a_layer()
    with torch.no_grad():
        layer.weight[3] = float("nan")
    head = TokenHead(layer)
    with head.asked(Question(torch.tensor([[0], [1]]), 1.0, with_entropy=False)):
        scores = head.scores(head(hidden_states(layer, 2)))
    assert scores is not None
    assert scores.logprobs_R.isnan().all()
    assert scores.entropy_R is None
