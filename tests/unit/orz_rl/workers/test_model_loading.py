"""Training starts from whole models only; a critic may lack its value head, and leaves the output layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from orz_bench.errors import EngineError
from orz_rl.workers.messages import ModelSpec, Role
from orz_rl.workers.model_loading import load_model
from tests.support.tiny_model import a_tiny_checkpoint

ROLES: tuple[Role, ...] = ("policy", "reference", "critic")


def test_whole_models_load_and_others_do_not(tmp_path: Path) -> None:
    file = a_tiny_checkpoint(tmp_path) / "model.safetensors"
    for role in ROLES:
        load_model(ModelSpec.plain(tmp_path, role))
    tensors = load_file(file)
    up = "model.layers.1.mlp.up_proj.weight"
    faults: dict[str, tuple[dict[str, Any], tuple[Role, ...]]] = {
        f"1 tensor missing: .*{up.removeprefix('model.')}": ({k: v for k, v in tensors.items() if k != up}, ROLES),
        "1 tensor missing: lm_head": ({k: v for k, v in tensors.items() if k != "lm_head.weight"}, ROLES[:2]),
        "1 tensor not part of this model: extra": (tensors | {"extra.weight": torch.zeros(2)}, ROLES),
        "1 tensor with a wrong shape": (tensors | {up: torch.zeros(2, 2)}, ROLES),
    }
    for what, (changed, roles) in faults.items():
        save_file(changed, file, metadata={"format": "pt"})
        for role in roles:
            with pytest.raises(EngineError, match=what):
                load_model(ModelSpec.plain(tmp_path, role))
