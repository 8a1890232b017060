"""A digest covers every byte of a model and no byte of anything else, and its memory is never believed too long."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orz_bench.errors import ConfigError
from orz_bench.models.digest import NAMED_FILES, checkpoint_digest, file_digest, is_partial
from tests.support.safetensors_files import write_safetensors

SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")


def a_sharded(folder: Path, *, size: int = 3_000_000) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"model_type": "llama"}', encoding="utf-8")
    (folder / "tokenizer.json").write_text("{}", encoding="utf-8")
    for number, shard in enumerate(SHARDS):
        write_safetensors(folder / shard, {f"w{number}": bytes([number + 1]) * size})
    weight_map = {f"w{number}": shard for number, shard in enumerate(SHARDS)}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_sharded(tmp_path_factory.mktemp("digest") / "m")


def flip(file: Path, at: int) -> None:
    with file.open("r+b") as stream:
        stream.seek(at)
        (byte,) = stream.read(1)
        stream.seek(at)
        stream.write(bytes([byte ^ 1]))


@given(shard=st.sampled_from(SHARDS), place=st.floats(0, 1, exclude_max=True))
def test_one_bit_anywhere_in_any_shard_changes_it(model: Path, shard: str, place: float) -> None:
    """Through a memory that has seen the model before, and with the file's time set back."""
    cache = model.parent / "memory.json"
    file = model / shard
    before, stat = checkpoint_digest(model, cache=cache), file.stat()
    at = 200 + int(place * (stat.st_size - 200))
    flip(file, at)
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    changed = checkpoint_digest(model, cache=cache)
    flip(file, at)
    assert changed != before == checkpoint_digest(model, cache=cache)


@pytest.mark.parametrize(
    "stray",
    ["eval_results.json", "train_log.txt", "README.md", ".gitattributes", "trainer_state.json", "optimizer.pt",
     "training_args.bin", "all_results.json", "rng_state.pth", "notes.txt", "scheduler.pt"],
)  # fmt: skip
def test_a_stray_file_does_not_count(model: Path, stray: str) -> None:
    before = checkpoint_digest(model)
    (model / stray).write_text("{}", encoding="utf-8")
    assert checkpoint_digest(model) == before
    (model / stray).unlink()


@pytest.mark.parametrize(
    "name", ["config.json", "generation_config.json", "tokenizer_config.json", "chat_template.jinja", "merges.txt",
             "additional_chat_templates/rag.jinja"],
)  # fmt: skip
def test_a_file_of_the_model_counts(tmp_path: Path, name: str) -> None:
    folder = a_sharded(tmp_path / "m", size=8)
    before = checkpoint_digest(folder)
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text('{"other": 1}', encoding="utf-8")
    assert checkpoint_digest(folder) != before


def test_every_vocabulary_file_that_transformers_knows_counts() -> None:
    import transformers

    root = Path(transformers.__file__).parent
    sources = [path.read_text(encoding="utf-8") for path in root.glob("models/*/tokenization_*.py")]
    tables = [table for text in sources for table in re.findall(r"VOCAB_FILES_NAMES[^=]*= *\{(.*?)\}", text, re.DOTALL)]
    found = {name for table in tables for name in re.findall(r':\s*"([^"]+)"', table)}
    of_causal_models = {name for name in found if name.startswith(("tokenizer", "vocab.", "merges", "spiece", "sent"))}
    assert len(of_causal_models) > 5
    assert of_causal_models <= NAMED_FILES


def test_the_same_bytes_are_the_same_model_wherever_they_lie(model: Path, tmp_path: Path) -> None:
    shutil.copytree(model, tmp_path / "copy")
    (tmp_path / "link").symlink_to(model)
    assert checkpoint_digest(tmp_path / "copy") == checkpoint_digest(tmp_path / "link") == checkpoint_digest(model)


def test_the_memory_saves_reading_and_a_broken_one_is_no_fault(model: Path, tmp_path: Path) -> None:
    cache = tmp_path / "deep" / "memory.json"
    for shard in SHARDS:
        os.utime(model / shard)
    before = checkpoint_digest(model, cache=cache)
    assert not cache.exists(), "files that have just changed are not remembered"
    stamps = {}
    for shard in SHARDS:
        stat = (model / shard).stat()
        stamp = [stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
        stamps[str((model / shard).resolve())] = [*stamp, file_digest(model / shard)]
    cache.parent.mkdir()
    cache.write_text(json.dumps({"scheme": "blake3", "files": stamps}), encoding="utf-8")
    assert checkpoint_digest(model, cache=cache) == before
    poisoned = {path: [*stamp[:-1], "0" * 64] for path, stamp in stamps.items()}
    cache.write_text(json.dumps({"scheme": "blake3", "files": poisoned}), encoding="utf-8")
    assert checkpoint_digest(model, cache=cache) != before, "the memory is used"
    for broken in ("", "[]", "{", '{"scheme": "blake3", "files": {"x": 1}}', "[" * 100_000):
        cache.write_text(broken, encoding="utf-8")
        assert checkpoint_digest(model, cache=cache) == before
    assert checkpoint_digest(model, cache=Path("/proc/no/such/place.json")) == before


def test_digests_of_earlier_versions_are_told_apart(model: Path) -> None:
    assert is_partial("0123456789abcdef")
    assert not any(map(is_partial, (checkpoint_digest(model), "fake:fake", "20260101-run:40", "")))


def test_a_folder_without_weights(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ConfigError, match="no weights"):
        checkpoint_digest(tmp_path)
