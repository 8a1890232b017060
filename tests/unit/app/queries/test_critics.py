"""Values of critics in the index and of one response: the last critic's, those of this text, and never wrong ones."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.queries.critics import critics_of, stored_values
from app.queries.filters import Filters
from app.queries.index import RunIndex
from app.queries.keys import RowKey
from app.queries.rows import Row, one_row
from app.queries.selection import select
from orz_bench.records.parquet import rollouts_from_table
from orz_bench.records.run_dir import EvaluationDir, RunDir, read_json, to_json, write_text
from orz_bench.records.values import VALUES_SCHEMA, ValuesDir
from tests.support.app_runs import open_index
from tests.support.assessed import CRITIC, assess
from tests.support.runs import a_run

KEY = RowKey("arithmetic", 0, "0123456789ab", "0", 0)
SECOND = "wbbbbbbbbbbbbbbb"


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    return a_run(tmp_path / "run", num_steps=1)


def evaluation(run: RunDir) -> EvaluationDir:
    return run.evaluation(benchmark="arithmetic", step=0, fingerprint="0123456789ab")


def row(index: RunIndex, key: RowKey = KEY) -> Row:
    found = one_row(index, key)
    assert found is not None
    return found


def text(run: RunDir) -> str:
    rows = evaluation(run).read(["problem_id", "sample_index", "completion"]).to_pylist()
    return next(str(one["completion"]) for one in rows if (one["problem_id"], one["sample_index"]) == ("0", 0))


def test_a_run_without_values(run: RunDir) -> None:
    index = open_index(run.path)
    assert index.critics() == []
    assert row(index).final_value is None
    assert critics_of(index, row(index)) == []
    assert select(index, Filters(reasons=("value_high_wrong", "value_low_right"))).total == 0


def test_values_come_into_an_open_index_part_by_part(run: RunDir) -> None:
    index = open_index(run.path)
    values = assess(evaluation(run), num=1)
    index.refresh()
    assert index.critics() == [CRITIC]
    found = row(index)
    wanted = 0.8 if found.verdict == "correct" else 0.4
    assert found.final_value == pytest.approx(wanted)
    assert row(index, RowKey("arithmetic", 0, "0123456789ab", "1", 0)).final_value is None
    (card,) = critics_of(index, found)
    assert card.digest == CRITIC
    stored = stored_values(index, found, critic=CRITIC, text=text(run))
    assert stored is not None
    assert stored.char_ends == tuple(range(1, len(text(run)) + 1))
    assert stored.values[0] == pytest.approx(0.6)
    for path in values.paths():
        path.unlink()
    index.refresh()
    assert row(index).final_value is None


def test_right_and_wrong_answers_of_which_a_critic_was_sure_of_the_contrary(run: RunDir) -> None:
    folder = evaluation(run)
    values = assess(folder)
    (part,) = values.paths()
    table = pq.read_table(part, partitioning=None)
    rows = table.to_pylist()
    for at, one in enumerate(rows):
        one["values"] = [0.5, [0.8, 0.2, 0.79, 0.21][at % 4]] * 200
        one["values"] = one["values"][-len(one["char_ends"]) :]
    pq.write_table(pa.Table.from_pylist(rows, VALUES_SCHEMA), part)
    index = open_index(run.path)
    high = select(index, Filters(reasons=("value_high_wrong",), bench=("arithmetic",), kind="eval", step=(0,)))
    low = select(index, Filters(reasons=("value_low_right",), bench=("arithmetic",), kind="eval", step=(0,)))
    facts = {
        (one["problem_id"], one["sample_index"]): one
        for one in folder.read(["problem_id", "sample_index", "verdict", "stop_reason"]).to_pylist()
    }
    order = [(one["problem_id"], one["sample_index"]) for one in rows]
    assert high.total == sum(facts[key]["verdict"] != "correct" for key in order[::4])
    assert low.total == sum(
        facts[key]["verdict"] == "correct" and facts[key]["stop_reason"] != "length" for key in order[1::4]
    )
    assert high.total > 0
    assert low.total > 0


def test_of_several_critics_the_last_one_counts_and_each_can_be_read(run: RunDir) -> None:
    folder = evaluation(run)
    first, second = assess(folder), assess(folder, SECOND)
    for at, values in enumerate((second, first)):
        for path in values.paths():
            os.utime(path, (1000 + at, 1000 + at))
    index = open_index(run.path)
    assert index.critics() == [CRITIC]
    assert [card.digest for card in critics_of(index, row(index))] == [CRITIC, SECOND]
    for digest in (CRITIC, SECOND):
        assert stored_values(index, row(index), critic=digest, text=text(run)) is not None
    assert stored_values(index, row(index), critic="wc", text=text(run)) is None


def test_values_of_another_text_are_none(run: RunDir) -> None:
    folder = evaluation(run)
    assess(folder)
    (part,) = (path for path in folder.path.glob("part-*.parquet"))
    rows = rollouts_from_table(folder.read())
    changed = [
        type(one)(**{f: getattr(one, f) for f in one.__dataclass_fields__} | {"completion": "x"}) for one in rows
    ]
    folder.replace(changed)
    assert not part.exists() or part.stat().st_size
    index = open_index(run.path)
    assert row(index).final_value is None
    assert stored_values(index, row(index), critic=CRITIC, text="x") is None


def test_samples_that_were_graded_again_have_the_values_of_their_texts(run: RunDir) -> None:
    old = evaluation(run)
    assess(old)
    new = old.under("a" * 12)
    new.path.mkdir()
    new.append(rollouts_from_table(old.read()))
    write_text(new.protocol_path, to_json(read_json(old.protocol_path) | {"regraded_from": old.fingerprint}))
    index = open_index(run.path)
    found = row(index, RowKey("arithmetic", 0, "a" * 12, "0", 0))
    assert found.final_value is not None
    assert stored_values(index, found, critic=CRITIC, text=text(run)) is not None


@pytest.mark.parametrize(
    "change",
    [
        {"values": []},
        {"values": [float("nan")], "char_ends": [1]},
        {"values": None},
        {"values": [0.9, 0.9], "char_ends": [5, 3]},
        {"values": [None, None], "char_ends": [1, 2]},
        {"values": [0.9] * 3, "char_ends": [1, 2]},
    ],
)
def test_odd_rows_have_no_values(run: RunDir, change: dict[str, object]) -> None:
    values = assess(evaluation(run))
    rows = pq.read_table(values.paths()[0], partitioning=None).to_pylist()
    pq.write_table(pa.Table.from_pylist([one | change for one in rows], VALUES_SCHEMA), values.paths()[0])
    index = open_index(run.path)
    assert row(index).final_value is None
    assert stored_values(index, row(index), critic=CRITIC, text=text(run)) is None


def test_damaged_doubled_and_foreign_parts_do_no_harm(run: RunDir) -> None:
    values = assess(evaluation(run))
    (part,) = values.paths()
    whole = part.read_bytes()
    (values.path / "part-900000.parquet").write_bytes(whole)
    index = open_index(run.path)
    assert select(index, Filters(kind="eval", step=(0,))).total == 40
    (values.path / "part-900000.parquet").write_bytes(whole[:-30])
    (values.path / "part-900001.parquet").write_bytes(b"")
    pq.write_table(pa.table({"x": [1]}), values.path / "part-900002.parquet")
    os.mkfifo(values.path / "part-900003.parquet")
    index.refresh()
    assert select(index, Filters(kind="eval", step=(0,))).total == 40
    assert row(index).final_value is not None
    (values.path / "critic.json").write_text("[", encoding="utf-8")
    assert critics_of(index, row(index)) == []
    assert ValuesDir(values.path).paths()
