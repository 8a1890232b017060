from __future__ import annotations

import json
from pathlib import Path

import pytest
from transformers.convert_slow_tokenizer import bytes_to_unicode

from app.reader.tokens import read_vocabulary, token_texts, vocabulary_path
from orz_bench.records.run_dir import RunDir
from tests.support.shared_data import PROJECT

LETTERS = bytes_to_unicode()


def _token(data: bytes) -> str:
    return "".join(LETTERS[byte] for byte in data)


VOCABULARY = {n: _token(data) for n, data in enumerate([b"so", b" it", "ä".encode()[:1], "ä".encode()[1:], b"\n"])}
VOCABULARY |= {9: "</think>", 10: "<|endoftext|>"}


@pytest.mark.parametrize(
    ("ids", "completion", "texts"),
    [
        ([0, 1, 4], "so it\n", ["so", " it", "\n"]),
        ([0, 2, 3], "soä", ["so", "", "ä"]),
        ([0, 9], "so</think>", ["so", "</think>"]),
        ([0, 10], "so", ["so", ""]),
        ([], "", []),
    ],
)
def test_pieces_join_to_the_completion(ids: list[int], completion: str, texts: list[str]) -> None:
    found = token_texts(ids, VOCABULARY, completion=completion)
    assert found == texts
    assert "".join(found) == completion


@pytest.mark.parametrize(("ids", "completion"), [([0, 1], "so that"), ([7], "x"), ([0], "so it"), ([0, 0, 0], "so")])
def test_no_layer_rather_than_a_wrong_one(ids: list[int], completion: str) -> None:
    assert token_texts(ids, VOCABULARY, completion=completion) is None


def test_the_vocabulary_of_the_tiny_model(tmp_path: Path) -> None:
    (path,) = (PROJECT / "orz_rl" / "assets" / "tiny").glob("**/tokenizer.json")
    vocabulary = read_vocabulary(path)
    assert len(vocabulary) > 256
    run = RunDir(tmp_path)
    assert vocabulary_path(tmp_path) is None
    policy = tmp_path / "checkpoints" / "step=000001" / "policy"
    policy.mkdir(parents=True)
    (policy / "tokenizer.json").write_text("broken", encoding="utf-8")
    assert not run.exists()
    assert vocabulary_path(tmp_path) == policy / "tokenizer.json"
    assert read_vocabulary(policy / "tokenizer.json") == {}


def test_odd_files_hold_no_vocabulary(tmp_path: Path) -> None:
    for number, content in enumerate(([], {"model": []}, {"model": {"vocab": []}}, {"added_tokens": [3]})):
        path = tmp_path / f"{number}.json"
        path.write_text(json.dumps(content), encoding="utf-8")
        assert read_vocabulary(path) == {}
