"""A pack that holds a prompt once for all of its responses gives outputs and gradients of one forward a sequence."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from orz_rl.ppo.batch import Batch
from orz_rl.ppo.packed_attention import Keys, Layout, Sequences
from orz_rl.ppo.packed_forward import Pack, response_logprobs, response_values
from orz_rl.ppo.packs import Lengths
from tests.support.builders import a_rollout
from tests.unit.orz_rl.ppo.test_packed_forward import VOCABULARY, a_model

CPU = torch.device("cpu")
Text = tuple[int, ...]
TOKENS = st.integers(0, VOCABULARY - 1)


def texts(most: int) -> st.SearchStrategy[Text]:
    return st.lists(TOKENS, min_size=1, max_size=most).map(tuple)


GROUPS = st.lists(
    st.tuples(texts(12), st.lists(texts(9), min_size=1, max_size=6)), min_size=1, max_size=5, unique_by=lambda x: x[0]
)
"""Prompts, each with its responses; a response may be there twice."""


def a_batch(groups: list[tuple[Text, list[Text]]], *, share_prompts: bool = True) -> Batch:
    rows = [
        a_rollout(
            problem_id=f"p{number}",
            sample_index=index,
            prompt_token_ids=prompt,
            token_ids=response,
            logprobs=(-0.1,) * len(response),
            num_tokens=len(response),
            reward=1.0,
        )
        for index in range(6)
        for number, (prompt, responses) in enumerate(groups)
        for response in responses[index : index + 1]
    ]
    return Batch.of(rows, share_prompts=share_prompts)


def one_by_one(model: Any, batch: Batch) -> torch.Tensor:
    """The slow, obvious way, as (B, T)."""
    found = torch.zeros_like(batch.mask_BT)
    for row, rollout in enumerate(batch.rollouts):
        prompt, response = list(rollout.prompt_token_ids or ()), list(rollout.token_ids or ())
        model.set_attn_implementation("sdpa")
        logits = model(torch.tensor([prompt + response]), use_cache=False).logits[0, len(prompt) - 1 : -1]
        model.set_attn_implementation("packed_sdpa")
        logprobs = torch.log_softmax(logits.float(), dim=-1).gather(1, torch.tensor(response)[:, None])[:, 0]
        found = found.index_put((torch.tensor(row), torch.arange(len(response))), logprobs)
    return found


def gradient(model: Any, outputs: list[torch.Tensor], weights: list[torch.Tensor]) -> torch.Tensor:
    model.zero_grad()
    for output, weight in zip(outputs, weights, strict=True):
        (output * weight).sum().backward()
    found = torch.cat([parameter.grad.flatten() for parameter in model.parameters() if parameter.grad is not None])
    return found.double()


def relative(found: torch.Tensor, wanted: torch.Tensor) -> float:
    return float((found - wanted).norm() / wanted.norm())


@settings(max_examples=6)
@given(GROUPS, st.integers(21, 90), st.integers(1, 3), st.sampled_from([torch.float32, torch.float64]))
def test_outputs_and_gradients_do_not_depend_on_sharing_packs_and_ranks(
    groups: list[tuple[Text, list[Text]]], capacity: int, num_ranks: int, dtype: torch.dtype
) -> None:
    model = a_model("llama").to(dtype)
    batch = a_batch(groups)
    weight = torch.randn(batch.mask_BT.shape, generator=torch.Generator().manual_seed(0)) * batch.mask_BT
    alone = one_by_one(model, batch)
    wanted = gradient(model, [alone], [weight])
    shares = batch.shares(range(len(batch.rollouts)), capacity=capacity, num_ranks=num_ranks)
    packs = [[pack.to(CPU) for pack in share] for share in batch.packs(shares)]
    outputs = [[response_logprobs(model, pack) for pack in share] for share in packs]
    found = batch.from_packs([[each.detach() for each in share] for share in outputs], shares)
    assert torch.allclose(found, alone.detach(), atol=1e-5 if dtype == torch.float32 else 1e-6)
    weights = [each for share in batch.in_packs(weight, shares) for each in share]
    assert relative(gradient(model, [each for share in outputs for each in share], weights), wanted) < 1e-6


def test_a_prompt_is_computed_once() -> None:
    groups: list[tuple[Text, list[Text]]] = [((1, 2, 3, 4), [(5,), (6, 7), (5,)]), ((8,), [(9, 9)])]
    batch = a_batch(groups)
    shares = batch.shares(range(4), capacity=100, num_ranks=1)
    assert [batch.num_tokens(members) for members in shares[0]] == [8 + 3]
    pack = batch.packs(shares)[0][0].to(CPU)
    assert pack.tokens_N.tolist() == [1, 2, 3, 4, 5, 6, 7, 5, 8, 9, 9]
    assert pack.positions_N.tolist() == [0, 1, 2, 3, 4, 4, 5, 4, 0, 1, 2]
    assert pack.targets_R.tolist() == [4, 5, 6, 7, 9, 10]
    assert pack.sources_R.tolist() == [3, 3, 5, 3, 8, 9]
    unshared = a_batch(groups, share_prompts=False)
    assert [unshared.num_tokens(members) for members in unshared.shares(range(4), capacity=100, num_ranks=1)[0]] == [19]


LONG: Any = [tuple(range(1, 31)), *[(number, 39 - number) for number in range(3, 9)], (7,)]
"""A long prompt with short responses: its repetitions are made again in the backward pass."""
SHORT: Any = [(4, 5), (1, 2, 3), (3,) * 20, (1, 2, 3)]


def a_windowed(kind: str) -> Any:
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    shape = {"vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "sliding_window": 12}
    caps = {"attn_logit_softcapping": 0.5, "query_pre_attn_scalar": 8} if kind == "gemma2" else {}
    config = AutoConfig.for_model(kind, **shape, **heads, **caps)
    return AutoModelForCausalLM.from_config(config, attn_implementation="packed_sdpa")


@pytest.mark.parametrize("recomputes", [False, True])
@pytest.mark.parametrize("kind", ["llama", "mistral", "gemma2"])
def test_long_prompts_are_not_kept_for_each_response(kind: str, recomputes: bool) -> None:
    model = a_model("llama") if kind == "llama" else a_windowed(kind)
    if recomputes:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    model.train()
    shared = Pack.of([LONG, SHORT])
    assert Sequences(shared.lengths).must_repeat
    assert not Sequences(Pack.of([SHORT]).lengths).must_repeat
    layout = Layout(shared.lengths, CPU)
    assert any(block.query_SL.shape != block.key_SK.shape for block in layout.blocks)
    assert all(block.key_SK.numel() <= len(shared.tokens_N) for block in layout.blocks)
    assert all(block.query_SL.numel() <= len(shared.tokens_N) for block in layout.blocks)
    assert sum(len(block.query_SL) for block in layout.blocks) == 10
    packs = [Pack.of([(prompt, response)]) for prompt, *responses in (LONG, SHORT) for response in responses]
    weights = torch.randn(shared.num_targets, generator=torch.Generator().manual_seed(0))
    outputs = [response_logprobs(model, pack) for pack in packs]
    single = torch.cat(outputs).detach()
    wanted = gradient(model, [torch.cat(outputs)], [weights])
    output = response_logprobs(model, shared)
    assert torch.allclose(output.detach(), single, atol=1e-5)
    assert relative(gradient(model, [output], [weights]), wanted) < 1e-6


def test_values_of_shared_prompts_stand_before_the_tokens_they_judge() -> None:
    class Positions:
        config = type("Config", (), {"_attn_implementation": "packed_sdpa"})

        def __call__(self, **inputs: Any) -> Any:
            return inputs["position_ids"][..., None].float()

    pack = Pack.of([((1, 2, 3), (4, 5), (6, 7, 8)), ((1,), (2,))])
    assert response_values(Positions(), pack).tolist() == [2, 3, 2, 3, 4, 0]


def a_kernel(query: Any, key: Any, value: Any, *_: Any, **options: Any) -> Any:
    """Attention of runs aligned at their ends, as flash-attn defines it: a stand-in for its kernel."""
    outputs = []
    ends_q, ends_k = (options[f"cu_seq_lens_{name}"].tolist() for name in "qk")
    groups = query.shape[2] // key.shape[2]
    for (q0, q1), (k0, k1) in zip(zip(ends_q, ends_q[1:]), zip(ends_k, ends_k[1:]), strict=True):  # noqa: B905, RUF007
        assert q1 - q0 <= options["max_length_q"]
        assert k1 - k0 <= options["max_length_k"]
        q, k, v = query[0, q0:q1], key[0, k0:k1].repeat_interleave(groups, 1), value[0, k0:k1]
        scores = torch.einsum("qhd,khd->hqk", q, k) * options["softmax_scale"]
        distance = torch.arange(k1 - k0)[None, :] - torch.arange(q1 - q0)[:, None] - (k1 - k0 - q1 + q0)
        hidden = (distance > 0) | (distance <= -(options["sliding_window"] or k1))
        weights = torch.softmax(scores.masked_fill(hidden, float("-inf")), dim=-1)
        outputs.append(torch.einsum("hqk,khd->qhd", weights, v.repeat_interleave(groups, 1)))
    return torch.cat(outputs)[None]


@pytest.mark.parametrize("kind", ["llama", "mistral"])
@pytest.mark.parametrize("packed", [[LONG, SHORT], [SHORT], [(LONG[0], LONG[1]), (SHORT[0], SHORT[2])]])
def test_flash_attention_gets_the_keys_of_each_response(
    kind: str, packed: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a stand-in for the kernel, which needs a GPU."""
    monkeypatch.setattr("transformers.integrations.flash_attention._flash_attention_forward", a_kernel)
    model = a_model("llama") if kind == "llama" else a_windowed(kind)
    pack = Pack.of(packed)
    weights = torch.randn(pack.num_targets, generator=torch.Generator().manual_seed(0))
    found = {}
    for name in ("packed_sdpa", "flash_attention_2"):
        model.config._attn_implementation = name
        logprobs = response_logprobs(model, pack)
        found[name] = logprobs.detach(), gradient(model, [logprobs], [weights])
    ours, flash = found.values()
    assert torch.allclose(flash[0], ours[0], atol=1e-5)
    assert relative(flash[1], ours[1]) < 2e-6


def test_flash_attention_repeats_keys_only_where_a_prompt_is_shared() -> None:
    alone = Keys([Lengths(2, (3,)), Lengths(1, (1,))], CPU)
    assert alone.place_K is None
    assert alone.options["cu_seq_lens_q"].tolist() == alone.options["cu_seq_lens_k"].tolist() == [0, 5, 7]
    shared = Keys([Lengths(2, (3, 1)), Lengths(1, (1,))], CPU)
    assert shared.place_K is not None
    assert shared.place_K.tolist() == [0, 1, 2, 3, 4, 0, 1, 5, 6, 7]
    assert shared.options["cu_seq_lens_q"].tolist() == [0, 5, 6, 8]
    assert shared.options["cu_seq_lens_k"].tolist() == [0, 5, 8, 10]
