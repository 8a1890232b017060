"""Weights that moved, against checkpoints made up for it: every count, norm and rank is known."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from analysis.cli import app
from analysis.curves.build import build_study
from analysis.curves.weighed import with_weights
from analysis.figures.weights import weights_figure
from analysis.reading.load import load_path
from analysis.report.weights_finding import weights_finding
from analysis.weights.moved import moved_weights
from orz_bench.errors import ConfigError, DataError
from tests.support.runs import a_run
from tests.support.safetensors_files import save

Array = np.ndarray[Any, Any]
NAMES = ("A", "B")
RNG = np.random.default_rng(0)
UP, DOWN = "model.layers.0.mlp.up_proj.weight", "model.layers.1.mlp.up_proj.weight"


def test_known_changes(tmp_path: Path) -> None:
    """Layer 0 moves by a matrix of rank 1, layer 1 by three equal orthogonal directions, the norm in one weight."""
    before = {UP: np.ones((6, 4)), DOWN: np.zeros((4, 4)), "model.norm.weight": np.full(5, 2.0)}
    after = {name: values.copy() for name, values in before.items()}
    after[UP] += np.outer(np.array([1, 0, 0, 0, 0, 2.0]), np.array([1, 1, 0, 0.0]))
    after[DOWN] += np.diag([0.5, 0.5, 0.5, 0])
    after["model.norm.weight"][3] += 2**-18
    found = moved_weights(save(tmp_path / "a", before), save(tmp_path / "b", after), names=NAMES)
    up, down, norm = found.tensors
    assert (up.kind, up.layer, up.num, up.num_changed, up.num_beyond) == ("mlp.up_proj", 0, 24, 4, 4)
    assert up.norm == pytest.approx(np.sqrt(10))
    assert up.relative == pytest.approx(np.sqrt(10 / 24))
    assert up.rank is not None
    assert (up.rank.full, up.rank.numerical, up.rank.for_99) == (4, 1, 1)
    assert up.rank.effective == pytest.approx(1)
    assert down.relative is None
    assert down.rank is not None
    assert (down.rank.numerical, down.rank.for_99) == (3, 3)
    assert down.rank.effective == pytest.approx(3)
    assert (norm.kind, norm.layer, norm.num_changed, norm.num_beyond, norm.rank) == ("norm", None, 1, 0, None)
    assert norm.largest == 2**-18
    assert (found.all.num_tensors, found.all.num) == (3, 45)
    assert found.all.changed == pytest.approx(8 / 45)
    assert found.all.beyond == pytest.approx(7 / 45)
    (kind, _) = found.kinds
    assert (kind.kind, kind.num_tensors) == ("mlp.up_proj", 2)
    assert kind.effective == pytest.approx((1 / 4 + 3 / 4) / 2)


def test_equal_checkpoints_did_not_move(tmp_path: Path) -> None:
    tensors = {UP: RNG.normal(size=(5, 3))}
    found = moved_weights(save(tmp_path / "a", tensors), save(tmp_path / "b", tensors), names=NAMES)
    assert (found.all.changed, found.all.norm, found.all.relative) == (0, 0, 0)
    assert found.tensors[0].rank is None


def test_bfloat16_is_read_exactly(tmp_path: Path) -> None:
    values = RNG.normal(size=(8, 8)).astype(np.float32)
    rounded = (values.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
    a, b = save(tmp_path / "a", {UP: values}, dtype="BF16"), save(tmp_path / "b", {UP: rounded})
    found = moved_weights(a, b, names=NAMES)
    assert found.types == ("BF16", "F32")
    assert found.all.changed == 0


def test_a_repeated_head_is_left_out(tmp_path: Path) -> None:
    table = RNG.normal(size=(9, 4))
    tied = {"model.embed_tokens.weight": table}
    a, b = save(tmp_path / "a", tied), save(tmp_path / "b", tied | {"lm_head.weight": table})
    assert [each.name for each in moved_weights(a, b, names=NAMES).tensors] == ["model.embed_tokens.weight"]
    c = save(tmp_path / "c", tied | {"lm_head.weight": table + 1})
    with pytest.raises(DataError, match=r"only .*c has lm_head.weight"):
        moved_weights(a, c, names=NAMES)


def test_other_shapes_are_refused(tmp_path: Path) -> None:
    a = save(tmp_path / "a", {UP: np.ones((3, 2)), DOWN: np.ones(3)})
    with pytest.raises(DataError, match=r"up_proj.weight has shape 3 x 2 in .*a and 2 x 3 in .*b and 1 other tensor"):
        moved_weights(a, save(tmp_path / "b", {UP: np.ones((2, 3)), DOWN: np.ones(2)}), names=NAMES)
    with pytest.raises(DataError, match=r"only .*a has .*; only .*c has other"):
        moved_weights(a, save(tmp_path / "c", {UP: np.ones((3, 2)), "other": np.ones(1)}), names=NAMES)
    with pytest.raises(DataError, match="numbers of type U8"):
        moved_weights(a, _quantised(tmp_path / "d"), names=NAMES)
    (tmp_path / "e").mkdir()
    with pytest.raises(ConfigError, match="no weights"):
        moved_weights(a, tmp_path / "e", names=NAMES)


def _quantised(folder: Path) -> Path:
    folder.mkdir()
    entries = {
        UP: {"dtype": "U8", "shape": [3, 2], "data_offsets": [0, 6]},
        DOWN: {"dtype": "U8", "shape": [3], "data_offsets": [6, 9]},
    }
    header = json.dumps(entries).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(9))
    return folder


def test_no_rank_of_large_matrices(tmp_path: Path) -> None:
    a, b = (save(tmp_path / name, {UP: RNG.normal(size=(5, 4))}) for name in "ab")
    assert moved_weights(a, b, names=NAMES, largest_rank=3).tensors[0].rank is None
    assert moved_weights(a, b, names=NAMES, largest_rank=4).tensors[0].rank is not None


def test_the_command_and_the_report(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", num_steps=2)
    for step in (1, 2):
        weights = {UP: RNG.normal(size=(4, 4)), DOWN: RNG.normal(size=(4, 4))}
        save(run.path / "checkpoints" / f"step={step:06d}" / "policy", weights)
    pair = [f"{run.path}@1", f"{run.path}@2"]
    shown = CliRunner().invoke(app, ["weights", *pair, "--out", str(tmp_path / "figures")])
    assert shown.exit_code == 0, shown.output
    assert "mlp.up_proj" in shown.output
    assert (tmp_path / "figures" / "weights.csv").exists()
    printed = json.loads(CliRunner().invoke(app, ["weights", *pair, "--tolerance", "0.5", "--json"]).stdout)
    assert printed["tolerance"] == 0.5
    assert printed["all"]["beyond"] < printed["all"]["changed"] == 1
    found = with_weights(build_study(load_path(run.path)[0])).weights
    assert found is not None
    assert "of the weights moved by more than 1e-05" in weights_finding(found).headline
    assert weights_figure(found) is not None
    for wrong, message in ((f"{run.path}@7", "it has 1, 2"), (str(run.path), "is a run"), ("absent", "no such folder")):
        done = CliRunner().invoke(app, ["weights", wrong, pair[1]])
        assert done.exit_code == 2
        assert message in " ".join(done.output.split())
