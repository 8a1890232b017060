"""The estimated memory of a pack is that of all tensors of a forward and a backward pass, counted on fake ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from orz_rl.planning import pack_memory
from orz_rl.planning.architectures import PUBLISHED, Architecture, architecture_of
from orz_rl.planning.pack_memory import PackShape, pack_bytes
from orz_rl.ppo import packed_attention, token_head
from orz_rl.ppo.packed_attention import register_packed_attention
from orz_rl.ppo.packed_forward import response_scores
from orz_rl.ppo.packs import Lengths, PackSlice
from orz_rl.ppo.token_head import with_token_head
from tests.support.live_bytes import LiveBytes

SEVEN = PUBLISHED["Qwen/Qwen2.5-7B"]
TYPES = {2: torch.bfloat16, 4: torch.float32}


def a_fake_model(shape: Architecture, dtype: torch.dtype, *, head_float32: bool) -> Any:
    from transformers import AutoModelForCausalLM, Qwen2Config

    register_packed_attention()
    config = Qwen2Config(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        tie_word_embeddings=shape.tied,
    )
    model = AutoModelForCausalLM.from_config(config, dtype=dtype, attn_implementation="packed_sdpa")
    with_token_head(model, in_float32=head_float32)
    return model


def of_four(tokens: int) -> tuple[Lengths, ...]:
    return (Lengths(16, (tokens // 4 - 16,)),) * 4


def counted(shape: Architecture, pack: PackShape, lengths: tuple[Lengths, ...]) -> int:
    """The peak of a pack of these sequences, beyond weights and gradients."""
    with FakeTensorMode(allow_non_fake_inputs=True), LiveBytes() as memory:
        model = a_fake_model(shape, TYPES[pack.size], head_float32=pack.head_float32)
        if pack.recomputes:
            model.gradient_checkpointing_enable({"use_reentrant": False})
        model.train()
        for parameter in model.parameters():
            parameter.grad = torch.zeros_like(parameter)
        inputs = PackSlice(torch.zeros(pack.tokens, dtype=torch.int32), lengths).to(torch.device("cpu"))
        before = memory.peak = memory.now
        scores = response_scores(model, inputs, with_entropy=True)
        scores.logprobs_R.sum().backward()
        needed: int = memory.peak - before
        return needed


@pytest.mark.parametrize(
    ("model", "pack"),
    [
        (replace(SEVEN, layers=2, vocabulary=20_000), PackShape(tokens=8_192, size=2, recomputes=True)),  # in a layer
        (replace(SEVEN, layers=1), PackShape(tokens=2_048, size=2, recomputes=True)),
        (replace(SEVEN, layers=1), PackShape(tokens=2_048, size=4, recomputes=True)),  # at the output layer
        (replace(SEVEN, layers=1), PackShape(tokens=1_024, size=2, recomputes=True, head_float32=True)),
        (replace(PUBLISHED["Qwen/Qwen2.5-0.5B"], layers=1), PackShape(tokens=4_096, size=2, recomputes=True)),  # tied
        (architecture_of("tiny"), PackShape(tokens=4_096, size=4, recomputes=False)),  # a single chunk
        (architecture_of("tiny"), PackShape(tokens=4_096, size=2, recomputes=False)),
    ],
)
def test_the_peak_is_within_a_tenth_of_what_is_counted(model: Architecture, pack: PackShape) -> None:
    assert pack_bytes(model, pack) == pytest.approx(counted(model, pack, of_four(pack.tokens)), rel=0.1)


@pytest.mark.parametrize(
    ("model", "pack"),
    [
        (replace(SEVEN, layers=2, vocabulary=20_000), PackShape(tokens=8_192, size=2, recomputes=True)),
        (architecture_of("tiny"), PackShape(tokens=4_096, size=4, recomputes=False)),
    ],
)
def test_shared_prompts_take_at_most_what_is_planned_for_them(model: Architecture, pack: PackShape) -> None:
    pack = replace(pack, share_prompts=True)
    planned, length = pack_bytes(model, pack), pack.tokens // 32
    most = (Lengths(length, (length,) * 31),)  # nearly twice the pack with every prompt, queries repeated, too
    assert counted(model, pack, most) == pytest.approx(planned, rel=0.1)
    for prompt, response in ((16, length), (pack.tokens // 2, pack.tokens // 64), (pack.tokens - 64, 2)):
        lengths = (Lengths(prompt, (response,) * ((pack.tokens - prompt) // response)),)
        assert counted(model, replace(pack, tokens=lengths[0].num_tokens), lengths) < 1.1 * planned


def test_the_plan_knows_the_numbers_of_the_forward_pass() -> None:
    assert pack_memory.CHUNK_ELEMENTS == token_head.CHUNK_ELEMENTS
    assert pack_memory.MOST_REPEATS == packed_attention.MOST_REPEATS


def test_a_model_that_changes_its_logits_is_planned_with_all_of_them() -> None:
    pack = PackShape(tokens=16_384, size=2, recomputes=True)
    logits = 16_384 * SEVEN.vocabulary * 2
    capped = pack_bytes(replace(SEVEN, changes_logits=True), pack)
    assert capped > pack_bytes(SEVEN, pack) + 1.0 * logits / 2
    assert capped > 2 * logits


def test_a_critic_needs_no_output_layer() -> None:
    pack = PackShape(tokens=1_024, size=2, recomputes=True)
    assert pack_bytes(SEVEN, replace(pack, has_head=False)) < pack_bytes(SEVEN, pack) - 2 * SEVEN.vocabulary
