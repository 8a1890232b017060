"""What counts as a checkpoint, and what each fault says."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from orz_bench.errors import ConfigError
from orz_bench.models.checkpoint import find_checkpoints
from orz_bench.models.digest import checkpoint_digest
from orz_bench.records.run_dir import RunDir
from tests.support.safetensors_files import write_safetensors


def a_checkpoint(folder: Path, *, weights: bytes = bytes(8)) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text('{"model_type": "llama"}', encoding="utf-8")
    (folder / "tokenizer.json").write_text("{}", encoding="utf-8")
    header = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, len(weights)]}}).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + weights)
    return folder


def fault(name: Path | str) -> str:
    with pytest.raises(ConfigError) as caught:
        find_checkpoints(str(name), engine="vllm", step=None)
    return str(caught.value)


def test_a_whole_one(tmp_path: Path) -> None:
    (found,) = find_checkpoints(str(a_checkpoint(tmp_path / "m")), engine="vllm", step=None)
    assert (found.model.label, found.model.step, len(found.model.digest)) == ("m", 0, 16)


@pytest.mark.parametrize("name", ["step=000120", "checkpoint-120", "global_step_120", "iter120", "iter2/ckpt-120"])
def test_the_step_is_read_from_the_path(tmp_path: Path, name: str) -> None:
    (found,) = find_checkpoints(str(a_checkpoint(tmp_path / name / "policy")), engine="vllm", step=None)
    assert found.model.step == 120
    (found,) = find_checkpoints(str(tmp_path / name / "policy"), engine="vllm", step=7)
    assert found.model.step == 7


def test_no_such_path() -> None:
    assert "no such file or folder, and no hub id" in fault("/no/such/folder/at/all")


def test_a_folder_without_config(tmp_path: Path) -> None:
    assert "not a checkpoint: config.json is missing" in fault(tmp_path)


def test_a_file(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"x")
    assert "not a checkpoint: it is a file" in fault(file)


def test_a_cut_weight_file(tmp_path: Path) -> None:
    folder = a_checkpoint(tmp_path, weights=bytes(1000))
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    assert "half-written; it holds" in fault(folder)
    weights.write_bytes(b"\x01")
    assert "not a whole safetensors file" in fault(folder)


def test_missing_shards(tmp_path: Path) -> None:
    folder = a_checkpoint(tmp_path)
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    assert "half-written; 1 of 2 weight files missing (model-00002-of-00002.safetensors)" in fault(folder)


def test_no_weights_and_no_tokenizer(tmp_path: Path) -> None:
    folder = a_checkpoint(tmp_path)
    (folder / "tokenizer.json").unlink()
    assert "no tokenizer beside the weights" in fault(folder)
    (folder / "model.safetensors").unlink()
    assert "no weights" in fault(folder)


def test_broken_config(tmp_path: Path) -> None:
    folder = a_checkpoint(tmp_path)
    (folder / "config.json").write_text("{", encoding="utf-8")
    assert "broken JSON" in fault(folder)


def test_the_digest_changes_with_weights_and_config(tmp_path: Path) -> None:
    digests = {
        checkpoint_digest(a_checkpoint(tmp_path / "a", weights=bytes(8))),
        checkpoint_digest(a_checkpoint(tmp_path / "b", weights=bytes(7) + b"\x01")),
        checkpoint_digest(a_checkpoint(tmp_path / "c", weights=bytes(9))),
    }
    (tmp_path / "a" / "config.json").write_text('{"model_type": "qwen2"}', encoding="utf-8")
    assert len({*digests, checkpoint_digest(tmp_path / "a")}) == 4
    assert checkpoint_digest(a_checkpoint(tmp_path / "d", weights=bytes(8))) in digests


def test_a_training_run_gives_all_its_checkpoints(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    run.create(kind="train", command=[], seed=0, environment={})
    for step in (20, 10):
        a_checkpoint(run.path / "checkpoints" / f"step={step:06d}" / "policy", weights=bytes([step]))
    found = find_checkpoints(str(run.path), engine="vllm", step=None)
    assert [(one.model.step, one.model.label) for one in found] == [(10, "run"), (20, "run")]
    assert [one.model.step for one in find_checkpoints(str(run.path), engine="vllm", step=20)] == [20]
    with pytest.raises(ConfigError, match="no checkpoint of step 30; there are 10, 20"):
        find_checkpoints(str(run.path), engine="vllm", step=30)


def test_a_run_without_checkpoints(tmp_path: Path) -> None:
    RunDir(tmp_path).create(kind="train", command=[], seed=0, environment={})
    assert "a run without checkpoints" in fault(tmp_path)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt"])
def test_pickled_weights_are_refused(tmp_path: Path, name: str) -> None:
    folder = a_checkpoint(tmp_path)
    (folder / "model.safetensors").rename(folder / name)
    assert "pickles" in fault(folder)


def test_tied_weights_with_another_output_layer_in_the_files(tmp_path: Path) -> None:
    """transformers would use it and vLLM would not."""
    folder = a_checkpoint(tmp_path)
    (folder / "config.json").write_text('{"model_type": "llama", "tie_word_embeddings": true}', encoding="utf-8")
    names = ("model.embed_tokens.weight", "lm_head.weight")
    write_safetensors(folder / "model.safetensors", {names[0]: b"12345678", names[1]: b"12345679"})
    assert "ties the output layer to the embedding, but lm_head.weight differs" in fault(folder)
    write_safetensors(folder / "model.safetensors", {names[0]: b"12345678", names[1]: b"12345678"})
    find_checkpoints(str(folder), engine="vllm", step=None)


def test_a_policy_that_was_changed_after_training_saved_it(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    run.create(kind="train", command=[], seed=0, environment={})
    policy = a_checkpoint(run.path / "checkpoints" / "step=000010" / "policy")
    manifest = {"digest": "run:10", "policy_digest": checkpoint_digest(policy)}
    (policy.parent / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    (found,) = find_checkpoints(str(run.path), engine="vllm", step=None)
    assert found.model.digest == "run:10"
    a_checkpoint(policy, weights=bytes(7) + b"1")
    assert "not what training saved there" in fault(run.path)
