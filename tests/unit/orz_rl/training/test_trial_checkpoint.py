"""A checkpoint is written and read again before training starts, whatever the base model's small files say."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path
from typing import Any, cast

import pytest

from orz_bench.errors import ConfigError, OrzError, RunDirError
from orz_bench.records.run_dir import RunDir
from orz_rl.assets.resolve import TINY
from orz_rl.training.learner import Learner
from orz_rl.training.trial_checkpoint import check_saved, try_checkpoint
from tests.support.tiny_model import a_tiny_checkpoint
from tests.unit.orz_rl.workers.test_model_rank import a_rank, a_spec


class OneModel:
    """A model group of one rank; `fails` is raised instead of saving."""

    num_ranks = 1

    def __init__(self, checkpoint: Path, *, fails: Exception | None = None) -> None:
        self._rank, self._fails = a_rank(a_spec(checkpoint)), fails

    def save_model(self, folder: Path) -> OneModel:
        if self._fails is not None:
            raise self._fails
        self._rank.save_model(folder)
        return self

    def results(self) -> list[Any]:
        return [None]


class Models:
    def __init__(self, **groups: OneModel) -> None:
        self.groups = groups


def tried(run: Path, checkpoint: Path, *, fails: Exception | None = None) -> None:
    run.mkdir()
    models = Models(policy=OneModel(checkpoint, fails=fails))
    try:
        try_checkpoint(RunDir(run), cast("Learner", models), base=str(checkpoint))
    finally:
        assert list(run.iterdir()) == [], "nothing is left"


@pytest.mark.parametrize(
    "generation",
    [
        None,
        {"do_sample": False, "temperature": 0.6},
        {"do_sample": False, "top_p": 0.95, "top_k": 20},
        {"num_beams": 1, "early_stopping": True, "length_penalty": 0.5, "eos_token_id": [0, 1]},
        {"temperature": 0.0, "do_sample": True},
        {"do_sample": False, "typical_p": 0.9, "min_p": 0.1},
    ],
)
def test_any_generation_config_is_kept_as_it_is(generation: dict[str, Any] | None, tmp_path: Path) -> None:
    """transformers refuses to write some of those that it reads."""
    from orz_rl.training.checkpoint import copy_tokenizer

    checkpoint = a_tiny_checkpoint(tmp_path / "base")
    path = checkpoint / "generation_config.json"
    path.unlink()
    if generation is not None:
        path.write_text(json.dumps(generation), "utf-8")
    tried(tmp_path / "run", checkpoint)
    a_rank(a_spec(checkpoint)).save_model(tmp_path / "saved")
    copy_tokenizer(str(checkpoint), tmp_path / "saved")
    saved = (tmp_path / "saved" / path.name).read_bytes()
    assert generation is None or saved == path.read_bytes()


@pytest.mark.parametrize(
    ("fails", "kind", "words"),
    [
        (ValueError("`temperature` is set to 0.6"), ConfigError, "`temperature` is set to 0.6"),
        (OSError(errno.ENOSPC, "No space left on device"), RunDirError, "space"),
        (RunDirError("already explained"), RunDirError, "already explained"),
    ],
)
def test_a_model_that_cannot_be_saved_is_reported_before_training(
    fails: Exception, kind: type[OrzError], words: str, tmp_path: Path
) -> None:
    with pytest.raises(kind, match=words):
        tried(tmp_path / "run", a_tiny_checkpoint(tmp_path / "base"), fails=fails)


def test_a_model_that_changes_when_it_is_read_again_is_reported(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    check_saved(TINY, base=str(TINY))
    lost = shutil.copytree(TINY, tmp_path / "lost")
    weights = load_file(lost / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, lost / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ConfigError, match=r"1 tensor missing: model\.layers\.1\.mlp"):
        check_saved(lost, base=str(TINY))
    other = shutil.copytree(TINY, tmp_path / "other")
    tokenizer = json.loads((other / "tokenizer_config.json").read_text("utf-8")) | {"chat_template": "{{ messages }}"}
    (other / "tokenizer_config.json").write_text(json.dumps(tokenizer), "utf-8")
    with pytest.raises(ConfigError, match="another chat template"):
        check_saved(other, base=str(TINY))
