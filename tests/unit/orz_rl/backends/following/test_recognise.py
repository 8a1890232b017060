from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tensorboardX import SummaryWriter

from orz_bench.errors import DataError
from orz_bench.records.run_dir import RunDir
from orz_rl.backends.following.recognise import AUTO, TOOLS, recognised
from tests.support import followed as made
from tests.support.followed import write


def _write(tool: str, folder: Path, sign: str) -> None:
    if sign == "events":
        with SummaryWriter(str(folder / "tb")) as writer:
            writer.add_scalar("train/policy_loss" if tool == "openrlhf" else "critic/score/mean", 0.5, 1)
    elif sign == "completions":
        made.write_completions(folder / "completions/completions_00001.parquet", 1)
    else:
        contents = {
            ("verl", "log"): made.verl_line(1),
            ("verl", "exp.jsonl"): made.verl_file_row(1),
            ("verl", "dumps/3.jsonl"): made.verl_dump(3),
            ("openrlhf", "log"): "✨ Global step 1: {'policy_loss': 0.5}\n",
            ("trl", "log"): made.trl_line(1),
            ("trl", "checkpoint-5/trainer_state.json"): made.trl_state([1]),
            ("prime-rl", "metrics.jsonl"): made.prime_rows(1, "trainer"),
            ("prime-rl", "rollouts/step_0/train/traces.jsonl"): json.dumps(made.an_episode(0)) + "\n",
        }
        write(
            folder / ("train.log" if sign == "log" else sign),
            "chatter\n" * 3 + contents[tool, sign] if sign == "log" else contents[tool, sign],
        )


SIGNS = [
    ("verl", "log"),
    ("verl", "exp.jsonl"),
    ("verl", "dumps/3.jsonl"),
    ("verl", "events"),
    ("openrlhf", "log"),
    ("openrlhf", "events"),
    ("trl", "log"),
    ("trl", "completions"),
    ("trl", "checkpoint-5/trainer_state.json"),
    ("prime-rl", "metrics.jsonl"),
    ("prime-rl", "rollouts/step_0/train/traces.jsonl"),
]


@pytest.mark.parametrize(("tool", "sign"), SIGNS)
def test_a_tool_by_its_files(tmp_path: Path, tool: str, sign: str) -> None:
    _write(tool, tmp_path, sign)
    write(tmp_path / "other.log", "step: 5, loss 0.1\n{'a': 1}\n")
    write(tmp_path / "data/1.jsonl", '{"question": "x"}\n')
    found, why = recognised(AUTO, (tmp_path,))
    assert found.name == tool
    assert str(tmp_path) in why


def test_nothing_to_recognise(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no training is recognised by its files") as caught:
        recognised(AUTO, (tmp_path,))
    assert all(f"{name}: {tool.signs}" in str(caught.value) for name, tool in TOOLS.items())
    assert recognised("verl", (tmp_path,))[0].name == "verl"


def test_several_tools(tmp_path: Path) -> None:
    for name, tool, sign in (("a", "verl", "log"), ("b", "trl", "log")):
        _write(tool, tmp_path / name, sign)
    with pytest.raises(DataError, match=r"found verl \(metrics in .*\) and trl \(metrics in .*\); say with --from"):
        recognised(AUTO, (tmp_path,))
    assert recognised("trl", (tmp_path,))[0].name == "trl"


def test_another_tool_than_the_wanted(tmp_path: Path) -> None:
    _write("verl", tmp_path, "dumps/3.jsonl")
    with pytest.raises(DataError, match=r"found verl \(rollouts in .*3\.jsonl\), wanted trl \(completions"):
        recognised("trl", (tmp_path,))


def test_an_unknown_tool(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=re.escape("--from prime_rl: unknown")):
        recognised("prime_rl", (tmp_path,))


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        recognised(AUTO, (tmp_path / "x",))


def test_run_directories_of_ours_are_passed_over(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    run.create(kind="train", command=(), seed=0, environment={})
    write(run.path / "train.log", made.verl_line(1))
    with pytest.raises(DataError, match="no training is recognised"):
        recognised(AUTO, (tmp_path,))
