"""Which rollouts of a run are assessed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orz_bench.errors import ConfigError, DataError
from orz_bench.records.run_dir import RunDir, write_text
from orz_bench.valuing.assess import sources_of
from tests.support.builders import a_rollout


def a_run(folder: Path, **card: str) -> RunDir:
    run = RunDir(folder)
    run.create(kind="eval", command=[], seed=0, environment={})
    for benchmark, step in (("arithmetic", 0), ("aime24", 10)):
        evaluation = run.evaluation(benchmark=benchmark, step=step, fingerprint="abc")
        evaluation.path.mkdir(parents=True)
        evaluation.append([a_rollout()])
        write_text(evaluation.protocol_path, json.dumps({"card": card}))
    return run


def test_all_evaluations_or_those_chosen(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    assert [each.name for each in sources_of(run.path)] == ["aime24, step 10", "arithmetic, step 0"]
    assert [each.name for each in sources_of(run.path, benchmarks=["aime24"])] == ["aime24, step 10"]
    assert [each.name for each in sources_of(run.path, step=0)] == ["arithmetic, step 0"]
    with pytest.raises(ConfigError, match="it has aime24 at step 10, arithmetic at step 0"):
        sources_of(run.path, step=5)
    with pytest.raises(ConfigError, match="no rollouts of that choice"):
        sources_of(run.path, rollouts=True)


def test_answers_of_a_chat_endpoint_have_no_values(tmp_path: Path) -> None:
    run = a_run(tmp_path, endpoint="chat")
    with pytest.raises(ConfigError, match="only the server knows the tokens of their prompts"):
        sources_of(run.path)


def test_a_file_has_rows_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    rows = [{"prompt": "p", "response": text, "id": "a", "token_ids": [1, 2]} for text in ("x", "y")]
    file.write_text("".join(json.dumps(row) + "\n" for row in [*rows, {"id": "b"}]), encoding="utf-8")
    (source,) = sources_of(file)
    found = list(source.rows())
    assert [(row["problem_id"], row["sample_index"]) for row in found[:2]] == [("a", 0), ("a", 1)]
    assert found[0]["token_ids"] == [1, 2]
    file.write_text("[1, 2]\n", encoding="utf-8")
    with pytest.raises(DataError):
        list(source.rows())
