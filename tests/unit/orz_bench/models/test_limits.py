"""The context that a configuration allows, and what a broken configuration says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orz_bench.errors import ConfigError
from orz_bench.models.limits import ModelConfig

LENGTH = {"max_position_embeddings": 512}


def rope(kind: str | None, *, name: str = "rope_parameters", key: str = "rope_type", **settings: Any) -> dict[str, Any]:
    return LENGTH | {name: settings | ({key: kind} if kind else {})}


# (configuration, what vLLM 0.32's own rule gave for it, what is allowed here)
CONTEXTS = [
    (LENGTH, 512, 512),
    (LENGTH | {"rope_scaling": None, "rope_parameters": None}, 512, 512),
    (rope("default", rope_theta=1e4), 512, 512),
    (rope("linear", factor=2.0), 1024, 1024),
    (rope("linear", name="rope_scaling", key="type", factor=2.0), 1024, 1024),
    (rope("dynamic", factor=2.0), 1024, 1024),
    (rope("linear", factor=None), 512, 512),
    (rope("llama3", factor=8.0, original_max_position_embeddings=128), 512, 512),
    (rope("longrope", factor=4.0, original_max_position_embeddings=128), 512, 512),
    (rope("yarn", factor=4.0, original_max_position_embeddings=512), 512, 2048),
    (rope("yarn", name="rope_scaling", key="type", factor=4.0, original_max_position_embeddings=512), 512, 2048),
    (rope("yarn", factor=4.0), 512, 2048),
    (rope("yarn", factor=4.0, original_max_position_embeddings=128), 512, 512),
    (rope("yarn", factor=4.0, original_max_position_embeddings=400), 512, 1600),
    (LENGTH | {"model_max_length": 256}, 256, 256),
    (LENGTH | {"model_max_length": 2048}, 2048, 2048),
    ({"n_positions": 1024}, 1024, 1024),
    ({"text_config": None} | LENGTH, 512, 512),
    ({"text_config": LENGTH, "max_position_embeddings": 9}, 512, 512),
    ({"text_config": rope("linear", factor=8.0) | {"model_type": "gemma3_text"}}, 512, 512),
    (LENGTH | {"rope_parameters": {"full": {"rope_type": "linear", "factor": 2.0}, "sliding": None}}, 1024, 1024),
    ({}, None, None),
]


def a_config(folder: Path, content: Any) -> ModelConfig:
    path = folder / "config.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return ModelConfig(path)


@pytest.mark.parametrize(("content", "plain", "allowed"), CONTEXTS)
def test_contexts(tmp_path: Path, content: dict[str, Any], plain: int | None, allowed: int | None) -> None:
    config = a_config(tmp_path, content)
    assert (config.plain_context, config.context) == (plain, allowed)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("[]", "holds a list, wanted a JSON object"),
        ("null", "holds a NoneType, wanted a JSON object"),
        ('{"a": ', "broken JSON"),
        ("[" * 200_000, "broken JSON"),
        ({"text_config": []}, r"text_config is \[\], wanted an object"),
        ({"max_position_embeddings": "512"}, "max_position_embeddings is '512', wanted a whole number above 0"),
        ({"max_position_embeddings": -1}, "wanted a whole number above 0"),
        ({"max_position_embeddings": True}, "wanted a whole number above 0"),
        ({"max_position_embeddings": 51.5}, "wanted a whole number above 0"),
        (LENGTH | {"rope_scaling": [1]}, "rope_scaling is .*, wanted an object or null"),
        (rope("linear", factor="two"), "the RoPE factor is 'two', wanted a number above 0"),
        ({"vocab_size": None, "model_type": None}, "model_type is missing"),
        ({"model_type": ["llama"]}, "model_type is"),
    ],
)
def test_a_broken_configuration_says_what_is_wrong(tmp_path: Path, content: Any, what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        _ = [(found := a_config(tmp_path, content)).context, found.vocabulary, found.model_type]
