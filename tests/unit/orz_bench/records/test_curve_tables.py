"""The column with the step: by its name, and never guessed where two fit, in import and in analysis alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.reading.load import load_path
from orz_bench.errors import DataError
from orz_bench.exchange.import_files import ImportOptions, import_files
from orz_bench.records.curve_tables import points_of
from orz_bench.records.run_dir import RunDir


def _points(text: str, **options: str) -> list[tuple[float, str, float]]:
    names, *rows = [line.split(",") for line in text.split("\n")]
    found = points_of([dict(zip(names, row, strict=True)) for row in rows], where="t", **options)
    return [(one.step, one.metric, one.value) for one in found]


@pytest.mark.parametrize("name", ["step", "Step", "Global Step", "current_steps", "_step", "epoch"])
def test_names_of_the_step(name: str) -> None:
    assert _points(f"{name},loss\n3,0.5") == [(3, "loss", 0.5)]


def test_columns_that_agree_are_one_step_and_the_fullest_is_taken() -> None:
    assert _points("step,global_step,loss\n,1,0.5\n2,2,0.25") == [(1, "loss", 0.5), (2, "loss", 0.25)]
    assert _points("step,epoch,loss\n1,0.1,0.5") == [(1, "loss", 0.5)]


AMBIGUOUS = ["step,iteration,reward\n10,1,0.5\n20,2,0.75\n", "step,iteration,reward\n10,,0.5\n,2,0.75\n"]


@pytest.mark.parametrize("text", AMBIGUOUS, ids=["they differ", "no row has both"])
@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_import_and_analysis_refuse_alike_and_take_the_named_one(tmp_path: Path, text: str, suffix: str) -> None:
    path = tmp_path / f"curve{suffix}"
    names, *rows = [line.split(",") for line in text.strip().split("\n")]
    as_json = ["{" + ", ".join(f'"{k}": {v}' for k, v in zip(names, row, strict=True) if v) + "}\n" for row in rows]
    path.write_text(text if suffix == ".csv" else "".join(as_json))
    with pytest.raises(DataError) as by_import:
        list(import_files([path], tmp_path / "run", options=ImportOptions()))
    with pytest.raises(DataError) as by_analysis:
        load_path(path)
    assert str(by_import.value) == str(by_analysis.value)
    assert "step and iteration could both be the step" in str(by_import.value)
    assert "--step-column step" in str(by_import.value)
    assert not (tmp_path / "run").exists()
    list(import_files([path], tmp_path / "run", options=ImportOptions(step_column="iteration")))
    (run,) = load_path(path, step_column="iteration")
    assert [row["step"] for row in RunDir(tmp_path / "run").metrics()[0]] == run.metrics["step"].tolist()
    with pytest.raises(DataError, match=r"no column 'iter' with numbers \(did you mean 'iteration'\?\)"):
        load_path(path, step_column="iter")


TABLES = {
    "wide": "step,reward,loss\n1,0.5,2\n2,0.75,1\n",
    "long": "step,metric,value\n1,reward,0.5\n1,loss,2\n2,reward,0.75\n2,loss,1\n",
    "of a benchmark": "step,benchmark,accuracy\n1,aime,0.5\n2,aime,0.75\n",
    "of points": "panel,series,style,x,y,flag\nTRAINING,Reward,raw,1,0.5,ok\nTRAINING,Reward,smoothed,1,0.7,ok\n",
    "of epochs": "epoch,reward\n0.1,0.5\n0.2,0.75\n",
}


@pytest.mark.parametrize("text", TABLES.values(), ids=TABLES)
def test_import_and_analysis_read_the_same_curves(tmp_path: Path, text: str) -> None:
    path = tmp_path / "curve.csv"
    path.write_text(text)
    (of_file,) = load_path(path)
    list(import_files([path], tmp_path / "run", options=ImportOptions()))
    (of_run,) = load_path(tmp_path / "run")
    assert of_file.metrics.to_dict("list") == of_run.metrics[of_file.metrics.columns].to_dict("list")
    assert len(of_file.metrics) > 0
    assert len(of_file.metrics.columns) == len(of_run.metrics.columns)
