"""A merged adapter is W + scale * B A: against the model's own forward with B A added beside each layer."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from orz_bench.errors import ConfigError
from orz_bench.models.checkpoint import Checkpoint, find_checkpoints
from tests.support.tiny_model import a_tiny_checkpoint

IDS = [[40, 41, 42, 43, 44, 45]]
Q, UP, EMBED = "model.layers.0.self_attn.q_proj", "model.layers.1.mlp.up_proj", "model.embed_tokens"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_tiny_checkpoint(tmp_path_factory.mktemp("base"))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def an_adapter(folder: Path, base: Path, *, modules: tuple[str, ...] = (Q, UP), rank: int = 4, **settings: Any) -> Path:
    folder.mkdir(parents=True)
    weights = load_file(base / "model.safetensors")
    random = torch.Generator().manual_seed(0)
    tensors: dict[str, Tensor] = {}
    for module in modules:
        out, into = weights[f"{module}.weight"].shape
        down, up = ("lora_embedding_A", "lora_embedding_B") if "embed" in module else ("lora_A.weight", "lora_B.weight")
        out, into = (into, out) if "embed" in module else (out, into)
        tensors[f"base_model.model.{module}.{down}"] = torch.randn(rank, into, generator=random) * 0.1
        tensors[f"base_model.model.{module}.{up}"] = torch.randn(out, rank, generator=random) * 0.1
    save_file(tensors, folder / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": str(base), "r": rank}
    config |= {"lora_alpha": 8, "lora_dropout": 0.1, "bias": "none", "target_modules": list(modules)}
    (folder / "adapter_config.json").write_text(json.dumps(config | settings), encoding="utf-8")
    return folder


def found(adapter: Path) -> Checkpoint:
    (checkpoint,) = find_checkpoints(str(adapter), engine="transformers", step=None)
    return checkpoint


def logits(folder: Path | str, *, adapter: Path | None = None, scales: dict[str, float] | None = None) -> Tensor:
    """Of a model, with an adapter's own paths beside its layers."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder)
    tensors = load_file(adapter / "adapter_model.safetensors") if adapter else {}
    for module, scale in (scales or {}).items():
        layer, stored = model.get_submodule(module), f"base_model.model.{module}"
        if f"{stored}.lora_A.weight" in tensors:
            down, up = tensors[f"{stored}.lora_A.weight"], tensors[f"{stored}.lora_B.weight"]
            layer.register_forward_hook(lambda _, given, out, a=down, b=up, s=scale: out + s * (given[0] @ a.T @ b.T))
        else:
            down, up = tensors[f"{stored}.lora_embedding_A"], tensors[f"{stored}.lora_embedding_B"]
            layer.register_forward_hook(lambda _, given, out, a=down, b=up, s=scale: out + s * (a.T[given[0]] @ b.T))
    with torch.inference_mode():
        return model(torch.tensor(IDS)).logits


@pytest.mark.parametrize(
    ("settings", "scales"),
    [
        ({}, {Q: 2.0, UP: 2.0}),
        ({"use_rslora": True}, {Q: 4.0, UP: 4.0}),
        ({"alpha_pattern": {"q_proj": 2, r"layers\.1\.mlp\.up_proj": 12}}, {Q: 0.5, UP: 3.0}),
        ({"alpha_pattern": {"proj": 2}}, {Q: 2.0, UP: 2.0}),
        ({"modules": (Q, EMBED)}, {Q: 2.0, EMBED: 2.0}),
        ({"modules": (Q, "lm_head")}, {Q: 2.0, "lm_head": 2.0}),
    ],
)
def test_the_sum_is_exact(base: Path, tmp_path: Path, settings: dict[str, Any], scales: dict[str, float]) -> None:
    adapter = an_adapter(tmp_path / "a", base, **settings)
    merged = logits(found(adapter).path)
    assert torch.allclose(merged, logits(base, adapter=adapter, scales=scales), atol=1e-5)
    assert not torch.allclose(merged, logits(base), atol=1e-2)


def test_transposed_matrices_and_names_without_their_first_part(base: Path, tmp_path: Path) -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    shutil.copytree(base, tmp_path / "gpt2")
    (tmp_path / "gpt2" / "model.safetensors").unlink()
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=99, n_embd=32, n_layer=1, n_head=2, n_positions=64, bos_token_id=0, eos_token_id=0)
    GPT2LMHeadModel(config).save_pretrained(tmp_path / "gpt2")
    down, up = torch.randn(4, 32) * 0.1, torch.randn(96, 4) * 0.1
    adapter = an_adapter(
        tmp_path / "a", base, modules=(), fan_in_fan_out=True, base_model_name_or_path=str(tmp_path / "gpt2")
    )
    stored = "base_model.model.transformer.h.0.attn.c_attn"
    save_file({f"{stored}.lora_A.weight": down, f"{stored}.lora_B.weight": up}, adapter / "adapter_model.safetensors")
    wanted = logits(tmp_path / "gpt2", adapter=adapter, scales={"transformer.h.0.attn.c_attn": 2.0})
    assert torch.allclose(logits(found(adapter).path), wanted, atol=1e-5)


def test_whole_tensors_and_a_longer_vocabulary(base: Path, tmp_path: Path) -> None:
    adapter = an_adapter(tmp_path / "a", base)
    tensors = load_file(adapter / "adapter_model.safetensors")
    rows = {f"base_model.model.{name}.weight": torch.randn(105, 64) * 0.1 for name in (EMBED, "lm_head")}
    save_file(tensors | rows, adapter / "adapter_model.safetensors")
    merged = Path(found(adapter).path)
    assert json.loads((merged / "config.json").read_text(encoding="utf-8"))["vocab_size"] == 105
    assert torch.equal(
        load_file(merged / "model.safetensors")["lm_head.weight"], rows["base_model.model.lm_head.weight"]
    )
    assert logits(merged).shape[-1] == 105


def test_shards_stay_shards_and_the_rest_is_the_bases(base: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    shutil.copytree(base, tmp_path / "shards")
    (tmp_path / "shards" / "model.safetensors").unlink()
    AutoModelForCausalLM.from_pretrained(base).save_pretrained(tmp_path / "shards", max_shard_size="100KB")
    adapter = an_adapter(tmp_path / "a", base, base_model_name_or_path=str(tmp_path / "shards"))
    merged = Path(found(adapter).path)
    assert len(list(merged.glob("model-*.safetensors"))) > 1
    assert (merged / "tokenizer.json").read_bytes() == (base / "tokenizer.json").read_bytes()
    assert torch.allclose(logits(merged), logits(base, adapter=adapter, scales={Q: 2.0, UP: 2.0}), atol=1e-5)


def test_identity_and_memory(base: Path, tmp_path: Path, cache: Path) -> None:
    """Base and adapter both count; a merged file that was changed is made anew."""
    first = an_adapter(tmp_path / "checkpoint-500", base)
    one, again = found(first), found(first)
    assert (one, one.model.step, one.model.label) == (again, 500, "checkpoint-500")
    assert str(first) in one.model.origin
    assert str(base) in one.model.origin
    assert found(an_adapter(tmp_path / "b", base, lora_alpha=9)).model.digest != one.model.digest
    shutil.copytree(base, tmp_path / "base2")
    weights = load_file(base / "model.safetensors")
    weights["model.norm.weight"][3] += 1
    save_file(weights, tmp_path / "base2" / "model.safetensors", metadata={"format": "pt"})
    assert found(an_adapter(tmp_path / "c", tmp_path / "base2")).model.digest != one.model.digest
    file = Path(one.path) / "model.safetensors"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert found(first) == one
    assert file.read_bytes() == whole
    assert {path.name for path in (cache / "orz" / "merged").iterdir()} >= {one.model.digest}
    assert not list((cache / "orz" / "merged").glob(".merging-*"))


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"use_dora": True}, "use_dora is True"),
        ({"init_lora_weights": "pissa"}, "init_lora_weights is 'pissa'"),
        ({"lora_bias": True}, "lora_bias is True"),
        ({"layer_replication": [[0, 2]]}, "layer_replication is"),
        ({"trainable_token_indices": [1]}, "trainable_token_indices is"),
        ({"a_new_setting": 3}, "a_new_setting is 3"),
        ({"peft_type": "IA3"}, "peft_type is IA3"),
        ({"task_type": "SEQ_CLS"}, "task_type is SEQ_CLS"),
        ({"base_model_name_or_path": None}, "names no base model"),
        (
            {"base_model_name_or_path": "/no/such/base"},
            "its base model /no/such/base is neither a folder here nor a hub id",
        ),
        ({"lora_alpha": None}, "lora_alpha is None, wanted a number"),
    ],
)
def test_what_is_not_merged_says_why(base: Path, tmp_path: Path, settings: dict[str, Any], what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        found(an_adapter(tmp_path / "a", base, **settings))


def test_tensors_that_do_not_fit(base: Path, tmp_path: Path) -> None:
    adapter = an_adapter(tmp_path / "a", base)
    good = load_file(adapter / "adapter_model.safetensors")
    key = f"base_model.model.{Q}.lora_"
    faults = {
        "the base model.* does not have": {"base_model.model.model.layers.9.x.lora_A.weight": torch.zeros(4, 64)},
        "has the shape": {f"{key}B.weight": torch.zeros(60, 4)},
        "which plain LoRA does not have": {f"{key}magnitude_vector.weight": torch.zeros(64)},
        "holds NaN or infinity": {f"{key}A.weight": torch.full((4, 64), float("nan"))},
    }
    for what, change in faults.items():
        save_file(good | change, adapter / "adapter_model.safetensors")
        with pytest.raises(ConfigError, match=what.replace("the base model", "its base ")):
            found(adapter)
    save_file(
        {name: good[name] for name in good if not name.endswith("B.weight")}, adapter / "adapter_model.safetensors"
    )
    with pytest.raises(ConfigError, match="half of the adapter"):
        found(adapter)
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")
    with pytest.raises(ConfigError, match="is a pickle"):
        found(adapter)


def test_tied_embeddings_a_second_adapter_and_a_model_beside_it(base: Path, tmp_path: Path) -> None:
    shutil.copytree(base, tmp_path / "tied")
    config = json.loads((base / "config.json").read_text(encoding="utf-8")) | {"tie_word_embeddings": True}
    (tmp_path / "tied" / "config.json").write_text(json.dumps(config), encoding="utf-8")
    tied = an_adapter(tmp_path / "a", base, modules=(EMBED,), base_model_name_or_path=str(tmp_path / "tied"))
    with pytest.raises(ConfigError, match=r"shares between input and output|ties the output layer"):
        found(tied)
    with pytest.raises(ConfigError, match="is an adapter too"):
        found(an_adapter(tmp_path / "b", base, base_model_name_or_path=str(tied)))
    shutil.copyfile(base / "model.safetensors", tied / "model.safetensors")
    with pytest.raises(ConfigError, match="holds a whole model and an adapter"):
        found(tied)
