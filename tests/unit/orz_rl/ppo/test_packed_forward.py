"""A packed forward gives the log-probabilities, values and gradients of one forward a sequence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from orz_rl.ppo.losses import policy_loss, token_weights
from orz_rl.ppo.packed_attention import register_packed_attention
from orz_rl.ppo.packed_forward import Pack, response_logprobs, response_values, token_logprobs
from orz_rl.ppo.packs import Lengths
from tests.support.tiny_model import a_gemma2

VOCABULARY = 40


def a_model(family: str, *, seed: int = 0, attention: str = "packed_sdpa") -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

    register_packed_attention()
    torch.manual_seed(seed)
    shape: dict[str, Any] = {
        "vocab_size": VOCABULARY,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": 128,
        "attn_implementation": attention,
    }
    if family == "qwen2":
        return Qwen2ForCausalLM(Qwen2Config(**shape, tie_word_embeddings=True))
    return LlamaForCausalLM(LlamaConfig(**shape))


def sequences(count: int = 5, *, seed: int = 0) -> list[tuple[list[int], list[int]]]:
    generator = torch.Generator().manual_seed(seed)

    def some(low: int, high: int) -> list[int]:
        length = int(torch.randint(low, high, (1,), generator=generator))
        return torch.randint(0, VOCABULARY, (length,), generator=generator).tolist()  # type: ignore[no-any-return]

    return [(some(1, 9), some(1, 17)) for _ in range(count)]


def alone(model: Any, prompt: list[int], response: list[int]) -> torch.Tensor:
    """The slow, obvious way: one sequence, no positions, transformers' own attention, log-softmax over all tokens."""
    model.set_attn_implementation("sdpa")
    logits = model(torch.tensor([prompt + response])).logits[0, len(prompt) - 1 : -1]
    model.set_attn_implementation("packed_sdpa")
    return torch.log_softmax(logits, dim=-1).gather(1, torch.tensor(response)[:, None])[:, 0]


@pytest.mark.parametrize("family", ["qwen2", "llama"])
def test_packed_logprobs_are_those_of_each_sequence_alone(family: str) -> None:
    model = a_model(family).eval()
    batch = sequences()
    with torch.inference_mode():
        packed = response_logprobs(model, Pack.of(batch))
        unpacked = torch.cat([alone(model, *sequence) for sequence in batch])
    assert torch.allclose(packed, unpacked, atol=1e-5)


@pytest.mark.parametrize("family", ["qwen2", "llama"])
def test_gradients_do_not_depend_on_how_sequences_are_packed(family: str) -> None:
    batch = sequences(6, seed=3)
    lengths = torch.tensor([len(response) for _, response in batch])
    weights = token_weights(lengths, "token").float()
    advantages = torch.linspace(-1, 1, len(batch))

    def gradient(packs: list[list[int]]) -> torch.Tensor:
        model = a_model(family)
        for members in packs:
            logprobs = response_logprobs(model, Pack.of([batch[index] for index in members]))
            repeats = lengths[members]
            policy_loss(
                logprobs,
                logprobs.detach() - 0.1,
                advantages_N=torch.repeat_interleave(advantages[members], repeats),
                weights_N=torch.repeat_interleave(weights[members], repeats),
                clip_low=0.2,
                clip_high=0.2,
            ).loss.backward()
        return torch.cat([parameter.grad.flatten() for parameter in model.parameters()])

    one_by_one = gradient([[index] for index in range(6)])
    assert float(one_by_one.norm()) > 0
    for packs in ([[0, 1, 2, 3, 4, 5]], [[5, 0], [3, 1, 4], [2]]):
        assert torch.allclose(gradient(packs), one_by_one, atol=1e-6)


def test_sequences_that_see_one_another_would_be_noticed() -> None:
    """Without the positions of the sequences the result is wrong: this is what `packed_sdpa` is for."""
    model = a_model("qwen2").eval()
    pack = Pack.of(sequences())
    leaking = replace(pack, lengths=(Lengths(len(pack.tokens_N), ()),))
    with torch.inference_mode():
        right, wrong = response_logprobs(model, pack), response_logprobs(model, leaking)
    assert not torch.allclose(right, wrong, atol=1e-2)


def test_a_sliding_window_is_kept() -> None:
    from transformers import MistralConfig, MistralForCausalLM

    register_packed_attention()
    torch.manual_seed(0)
    config = MistralConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        sliding_window=4,
        attn_implementation="packed_sdpa",
    )
    model = MistralForCausalLM(config).eval()
    batch = sequences()
    with torch.inference_mode():
        packed = response_logprobs(model, Pack.of(batch))
        unpacked = torch.cat([alone(model, *sequence) for sequence in batch])
    assert torch.allclose(packed, unpacked, atol=1e-5)


def test_soft_caps_and_windows_are_kept_where_scores_are_large() -> None:
    register_packed_attention()
    model = a_gemma2(vocab_size=VOCABULARY, sliding_window=4, attn_logit_softcapping=0.5)
    with torch.inference_mode():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.add_(0.3 * torch.randn_like(parameter))
        packed = response_logprobs(model, Pack.of(sequences()))
        model.set_attn_implementation("eager")
        unpacked = []
        for prompt, response in sequences():
            logits = model(torch.tensor([prompt + response])).logits[0, len(prompt) - 1 : -1]
            unpacked.append(torch.log_softmax(logits, dim=-1).gather(1, torch.tensor(response)[:, None])[:, 0])
    assert torch.allclose(packed, torch.cat(unpacked), atol=2e-5)


def test_other_attentions_are_told_where_sequences_end() -> None:
    class Inputs:
        config = type("Config", (), {"_attn_implementation": "flash_attention_2"})

        def __call__(self, **inputs: Any) -> Any:
            self.inputs = inputs
            return inputs["position_ids"][..., None].float()

    model = Inputs()
    response_values(model, Pack.of([([1, 2, 3], [4, 5]), ([1], [2, 3])]))
    keys = model.inputs["pack_keys"]
    assert keys.options["cu_seq_lens_q"].tolist() == keys.options["cu_seq_lens_k"].tolist() == [0, 5, 8]
    assert keys.options["max_length_q"] == keys.options["max_length_k"] == 5
    assert keys.place_K is None
    assert (model.inputs["use_cache"], model.inputs["attention_mask"]) == (False, None)


def test_log_probabilities_in_pieces_are_those_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def gradient_and_logprobs() -> tuple[torch.Tensor, torch.Tensor]:
        logits = torch.randn(9, 7, generator=torch.Generator().manual_seed(0)).requires_grad_()
        logprobs = token_logprobs(logits, (torch.arange(9) % 7)[:, None], temperature=0.7)[:, 0]
        (logprobs**2).sum().backward()
        assert logits.grad is not None
        return logits.grad, logprobs.detach()

    whole = gradient_and_logprobs()
    monkeypatch.setattr("orz_rl.ppo.packed_forward._LOGIT_ELEMENTS", 14)
    pieces = gradient_and_logprobs()
    assert all(torch.allclose(a, b) for a, b in zip(whole, pieces, strict=True))


def test_temperature_scales_the_logits() -> None:
    logits = torch.randn(3, 7, generator=torch.Generator().manual_seed(0))
    tokens = torch.tensor([1, 6, 0])
    wanted = torch.log_softmax(logits / 0.6, dim=-1).gather(1, tokens[:, None])[:, 0]
    assert torch.allclose(token_logprobs(logits, tokens[:, None], temperature=0.6)[:, 0], wanted, atol=1e-6)


def test_values_stand_before_the_tokens_they_judge() -> None:
    class Positions:
        config = type("Config", (), {"_attn_implementation": "packed_sdpa"})

        def __call__(self, **inputs: Any) -> Any:
            return inputs["position_ids"][..., None].float()

    pack = Pack.of([([1, 2, 3], [4, 5]), ([1], [2, 3, 4])])
    assert response_values(Positions(), pack).tolist() == [2, 3, 0, 1, 2]
