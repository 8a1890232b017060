"""Folders of other programs are named, with the command that makes a checkpoint of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from orz_bench.errors import ConfigError
from orz_bench.models.checkpoint import find_checkpoints
from tests.support.safetensors_files import write_safetensors

KINDS = {
    "verl": (["actor/model_world_size_2_rank_0.pt", "actor/fsdp_config.json"], "FSDP shards of verl", "--backend fsdp"),
    "verl-megatron": (["actor/dist_ckpt/metadata.json"], "Megatron shards of verl", "--backend megatron"),
    "zero": (
        ["zero_to_fp32.py", "global_step5/zero_pp_rank_0_mp_rank_00_optim_states.pt"],
        "DeepSpeed",
        "zero_to_fp32",
    ),
    "zero-inner": (["mp_rank_00_model_states.pt"], "a DeepSpeed (ZeRO) training state", "zero_to_fp32.py"),
    "megatron": (["latest_checkpointed_iteration.txt", "iter_0000500/x"], "Megatron-LM", "tools/checkpoint/convert.py"),
    "fsdp": (
        ["pytorch_model_fsdp_0/__0_0.distcp", "pytorch_model_fsdp_0/.metadata"],
        "FSDP",
        "accelerate merge-weights",
    ),
    "dcp": ([".metadata", "__0_0.distcp"], "torch.distributed.checkpoint", "accelerate merge-weights"),
    "gguf": (["model-q4.gguf"], "GGUF", "gguf_file='model-q4.gguf'"),
    "meta": (["params.json", "consolidated.00.pth"], "original weights", "convert_llama_weights_to_hf"),
    "bin": (["config.json", "pytorch_model.bin"], "pickles", "save_pretrained"),
    "bins": (["config.json", "pytorch_model.bin.index.json"], "pickles", "save_pretrained"),
    "tf": (["config.json", "tf_model.h5"], "TensorFlow", "safetensors"),
    "pt": (["policy.pt"], "pickles", "save_pretrained"),
}


def fault(folder: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        find_checkpoints(str(folder), engine="vllm", step=None)
    return str(caught.value)


def with_files(folder: Path, names: list[str]) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text('{"model_type": "llama"}' if name.endswith("config.json") else "x", encoding="utf-8")
    return folder


@pytest.mark.parametrize(("names", "what", "remedy"), KINDS.values(), ids=KINDS.keys())
def test_named_with_its_remedy(tmp_path: Path, names: list[str], what: str, remedy: str) -> None:
    text = fault(with_files(tmp_path / "m", names))
    assert what in text
    assert remedy in text
    assert "wait for the save" not in text.lower()


def test_verls_tokenizer_folder_points_at_the_shards_above(tmp_path: Path) -> None:
    with_files(tmp_path / "actor", ["model_world_size_2_rank_0.pt", "huggingface/config.json"])
    assert f"--local_dir {tmp_path / 'actor'} " in fault(tmp_path / "actor" / "huggingface")


def test_checkpoints_inside_are_listed_in_their_order(tmp_path: Path) -> None:
    for step in (1000, 200):
        folder = with_files(tmp_path / "run" / f"checkpoint-{step}", ["config.json", "optimizer.pt"])
        write_safetensors(folder / "model.safetensors", {"w": b"1"})
    text = fault(tmp_path / "run")
    assert "2 inside run" in text
    assert text.index("checkpoint-200") < text.index("checkpoint-1000")


def test_shards_without_their_index(tmp_path: Path) -> None:
    with_files(tmp_path, ["config.json"])
    write_safetensors(tmp_path / "model-00001-of-00002.safetensors", {"w": b"1"})
    assert "weight files without model.safetensors.index.json" in fault(tmp_path)


def test_two_sets_of_weights(tmp_path: Path) -> None:
    with_files(tmp_path, ["config.json", "tokenizer.json"])
    for name in ("model.safetensors", "model-00001-of-00001.safetensors"):
        write_safetensors(tmp_path / name, {"w": b"1"})
    index = '{"weight_map": {"w": "model-00001-of-00001.safetensors"}}'
    (tmp_path / "model.safetensors.index.json").write_text(index, encoding="utf-8")
    assert "two sets of weights" in fault(tmp_path)


@pytest.mark.parametrize(
    ("index", "what"),
    [
        ('{"weight_map": {"w": "a.safetensors", "lost": "a.safetensors"}}', "names lost, which no file holds"),
        ('{"weight_map": {}}', "half-written"),
        ('{"weight_map": null}', "has no weight_map"),
        ("{}", "has no weight_map"),
        ('{"weight_map": {"w": "../a.safetensors"}}', "outside its folder"),
        ('{"weight_map": {"v": "a.safetensors"}}', "the files hold w, which"),
    ],
)
def test_an_index_that_does_not_belong_to_its_files(tmp_path: Path, index: str, what: str) -> None:
    with_files(tmp_path, ["config.json", "tokenizer.json"])
    write_safetensors(tmp_path / "a.safetensors", {"w": b"1"})
    (tmp_path / "model.safetensors.index.json").write_text(index, encoding="utf-8")
    assert what in fault(tmp_path)
