"""Packs of every kind of model are right to 1e-5, gradients and critics included, or refused with a reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from orz_bench.errors import ConfigError
from orz_rl.ppo.packed_forward import Pack, response_logprobs
from orz_rl.workers.model_loading import load_model
from orz_rl.workers.pack_check import check_packs
from tests.unit.orz_rl.workers.test_model_rank import a_spec

LLAMA = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "bos_token_id": 1,
    "eos_token_id": 0,
    "pad_token_id": 0,
}
HEADS = {"head_dim": 8}
WINDOW = {"sliding_window": 8, "num_hidden_layers": 4}
LINEAR = {
    **HEADS,
    "num_hidden_layers": 4,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 2,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
}
EXPERTS = {**HEADS, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}
GPT2 = {"vocab_size": 64, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 128, "eos_token_id": 0}
SMALL = {"vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "eos_token_id": 0}
MAMBA = {"mamba_d_ssm": 32, "mamba_n_heads": 4, "mamba_d_head": 8, "mamba_d_state": 8, "mamba_chunk_size": 8}
LONG_ROPE = {
    "rope_type": "longrope",
    "rope_theta": 10_000.0,
    "short_factor": [1.0] * 4,
    "long_factor": [4.0] * 4,
    "original_max_position_embeddings": 40,
}

RIGHT: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", LLAMA),
    "qwen2": ("qwen2", LLAMA),
    "qwen3": ("qwen3", LLAMA | HEADS),
    "qwen3_moe": ("qwen3_moe", LLAMA | EXPERTS),
    "gemma2 with a soft cap": (
        "gemma2",
        LLAMA | HEADS | WINDOW | {"attn_logit_softcapping": 0.5, "query_pre_attn_scalar": 8},
    ),
    "gemma3": ("gemma3_text", LLAMA | HEADS | WINDOW | {"num_hidden_layers": 6, "query_pre_attn_scalar": 8}),
    "phi": ("phi", LLAMA),
    "phi3 with a window": ("phi3", LLAMA | WINDOW),
    "mistral with a window": ("mistral", LLAMA | WINDOW),
    "olmo2": ("olmo2", LLAMA),
    "olmo3": ("olmo3", LLAMA | WINDOW),
    "granite": ("granite", LLAMA),
    "cohere2": ("cohere2", LLAMA | WINDOW),
    "gpt_neox": ("gpt_neox", SMALL | {"intermediate_size": 48, "attention_dropout": 0.3}),
    "gpt2 with dropout": ("gpt2", GPT2),
    "opt with dropout": ("opt", SMALL | {"ffn_dim": 48, "max_position_embeddings": 128, "word_embed_proj_dim": 32}),
}
REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "linear attention": ("qwen3_5_text", LLAMA | LINEAR, "some layers carry a state from one to the next"),
    "linear attention and experts": (
        "qwen3_next",
        LLAMA | LINEAR | EXPERTS | {"shared_expert_intermediate_size": 16},
        "carry a state",
    ),
    "mamba beside attention": ("falcon_h1", LLAMA | HEADS | MAMBA, "carry a state"),
    "mamba": (
        "mamba",
        {"vocab_size": 64, "hidden_size": 32, "state_size": 8, "num_hidden_layers": 2},
        "cannot be loaded",
    ),
    "recurrent": (
        "recurrent_gemma",
        LLAMA | HEADS | {"num_hidden_layers": 3, "attention_window_size": 8, "lru_width": 32},
        r"carry a state|cannot compute",
    ),
    "alibi": ("bloom", {"vocab_size": 64, "hidden_size": 32, "n_layer": 2, "n_head": 4}, "cannot be loaded"),
    "an attention of its own": ("falcon", SMALL, "cannot be loaded|cannot compute"),
    "positions are not passed on": ("stablelm", LLAMA, "do not pass the positions of packed sequences"),
    "attention in chunks": (
        "llama4_text",
        LLAMA | HEADS | {"num_local_experts": 2, "attention_chunk_size": 8, "intermediate_size_mlp": 48},
        "differ by",
    ),
    "positions that depend on the pack's longest": (
        "phi3",
        LLAMA | {"rope_parameters": LONG_ROPE, "original_max_position_embeddings": 40},
        "differ by",
    ),
}


NUM_TOKENS = [(2, 19), (7, 23, 9, 1), (2, 3), (1, 12, 12, 5), (2, 28)]
"""Of each prompt in a pack and its responses."""


def a_checkpoint(folder: Path, kind: str, settings: dict[str, Any]) -> Path:
    """A random model whose weights are large enough for everything to matter."""
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **settings))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.add_(0.3 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    return folder


def gradients(model: Any, loss: torch.Tensor) -> dict[str, torch.Tensor]:
    model.zero_grad()
    loss.backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("name", RIGHT)
def test_packs_are_right(name: str, tmp_path: Path) -> None:
    spec = a_spec(a_checkpoint(tmp_path, *RIGHT[name]))
    model = load_model(spec)
    check_packs(model, spec=spec, max_tokens=100)
    generator = torch.Generator().manual_seed(1)
    texts = [[torch.randint(3, 64, (n,), generator=generator).tolist() for n in of] for of in NUM_TOKENS]
    sequences = [(prompt, response) for prompt, *responses in texts for response in responses]
    weights = torch.randn(sum(len(response) for _, response in sequences), generator=generator)
    model.train()
    packed = response_logprobs(model, Pack.of(list(map(tuple, texts))))
    found = gradients(model, (packed * weights).sum())
    model.eval()
    model.set_attn_implementation("eager")
    alone = []
    for prompt, response in sequences:
        logits = model(input_ids=torch.tensor([prompt + response]), use_cache=False).logits[0, len(prompt) - 1 : -1]
        alone.append(torch.log_softmax(logits, dim=-1)[torch.arange(len(response)), response])
    assert torch.allclose(packed, torch.cat(alone), atol=2e-5)
    wanted = gradients(model, (torch.cat(alone) * weights).sum())
    assert found.keys() == wanted.keys()
    for weight, gradient in wanted.items():
        assert torch.allclose(found[weight], gradient, atol=1e-4 * float(gradient.abs().max()) + 1e-5), weight


@pytest.mark.parametrize("name", REFUSED)
def test_models_that_packing_changes_are_refused(name: str, tmp_path: Path) -> None:
    kind, settings, reason = REFUSED[name]
    spec = a_spec(a_checkpoint(tmp_path, kind, settings))
    with pytest.raises(ConfigError, match=reason):
        check_packs(load_model(spec), spec=spec, max_tokens=100)


@pytest.mark.parametrize(("kind", "settings"), [("qwen2", LLAMA), ("gpt2", GPT2)])
def test_packs_of_critics_are_right(kind: str, settings: dict[str, Any], tmp_path: Path) -> None:
    """Compared by their states: a head of zeros would hide everything."""
    spec = a_spec(a_checkpoint(tmp_path, kind, settings), role="critic", value_head_init="zero")
    check_packs(load_model(spec), spec=spec, max_tokens=100)


def test_packs_of_critics_that_leak_are_refused(tmp_path: Path) -> None:
    spec = a_spec(a_checkpoint(tmp_path, "qwen3_5_text", LLAMA | LINEAR), role="critic", value_head_init="zero")
    with pytest.raises(ConfigError, match=r"\(critic, qwen3_5_text\): outputs of a sequence change by"):
        check_packs(load_model(spec), spec=spec, max_tokens=100)


def test_bfloat16_is_coarser_and_leaks_still_show(tmp_path: Path) -> None:
    for name in ("llama", "gemma2 with a soft cap", "qwen3_moe"):
        spec = a_spec(a_checkpoint(tmp_path / name, *RIGHT[name]), dtype="bfloat16")
        check_packs(load_model(spec), spec=spec, max_tokens=100)
    kind, settings, _ = REFUSED["linear attention"]
    spec = a_spec(a_checkpoint(tmp_path / kind, kind, settings), dtype="bfloat16")
    with pytest.raises(ConfigError, match="carry a state"):
        check_packs(load_model(spec), spec=spec, max_tokens=100)


def test_a_checkpoint_keeps_the_dropout_of_its_base(tmp_path: Path) -> None:
    spec = a_spec(a_checkpoint(tmp_path, "gpt2", GPT2))
    model = load_model(spec)
    assert model.config.resid_pdrop == model.config.embd_pdrop == 0.1
    assert {module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)} == {0.0}
