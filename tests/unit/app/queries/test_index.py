"""The index follows what is on disk: growing, replaced, damaged and deleted parts, with and without measures."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from app.judging.side_folder import NAME, side_folder
from app.queries.filters import Filters
from app.queries.index import RunIndex
from app.queries.keys import RowKey
from app.queries.measure_files import MeasureFiles
from app.queries.measuring import measure
from app.queries.parts import folders_of
from app.queries.reasons import REASONS, Reason
from app.queries.rows import group, one_row, page, text_of, tokens_of
from app.queries.selection import select, told_reasons
from orz_bench.errors import DataError, RunDirError
from orz_bench.records.judged import WITHOUT_TEXT
from orz_bench.records.parquet import part_files
from orz_bench.records.rollout import VERDICTS
from orz_bench.records.run_dir import RunDir
from tests.support.app_runs import open_index, write_evaluation, write_training
from tests.support.builders import a_rollout
from tests.support.runs import a_run, some_rollouts


def _total(index: RunIndex, **filters: object) -> int:
    return select(index, Filters(**filters)).total  # type: ignore[arg-type]


def _files(run: Path) -> MeasureFiles:
    return MeasureFiles.of(run, name=run.name, side=run.parent / NAME)


def test_an_empty_run(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    run.create(kind="train", command=[], seed=0, environment={})
    index = open_index(run.path)
    assert index.refresh().num_rollouts == 0
    selection = select(index, Filters(text="x"))
    assert (selection.total, selection.num_hits) == (0, 0)
    assert page(index, selection, offset=0, limit=10) == []


def test_a_run_of_a_newer_schema_is_refused(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", num_steps=1)
    path = part_files(run.rollouts(1).path)[0]
    table = pq.read_table(path, partitioning=None)
    pq.write_table(table.replace_schema_metadata({"orz_rollout_schema": "99"}), path)
    with pytest.raises(RunDirError, match="schema 99"):
        open_index(run.path, measured=False)


def test_a_growing_run_shows_new_steps_and_new_parts(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", num_steps=1)
    index = open_index(run.path)
    assert _total(index, kind="train") == 16
    before = index.generation
    index.refresh()
    assert index.generation == before
    write_training(run, 2, some_rollouts(2))
    run.rollouts(1).append([a_rollout(problem_id="p1-0", sample_index=9, step=1)])
    coverage = index.refresh()
    assert (coverage.num_rollouts, _total(index, kind="train")) == (80 + 33, 33)
    assert coverage.num_measured == coverage.num_parts - 3
    assert {row.group_size for row in group(index, RowKey("arithmetic", 1, "", "p1-0", 9))} == {5}


def test_a_replaced_step_shows_what_it_learned(tmp_path: Path) -> None:
    """Training puts one part with advantages in the place of all."""
    run = a_run(tmp_path / "run", num_steps=1)
    index = open_index(run.path)
    key = RowKey("arithmetic", 1, "", "p1-0", 0)
    row, second = one_row(index, key), one_row(index, RowKey("arithmetic", 1, "", "p1-1", 0))
    assert row is not None
    assert second is not None
    assert row.advantage is None
    rollouts = [a_rollout(problem_id="p1-0", sample_index=n, step=1, advantage=0.5, reward=1.0) for n in range(6)]
    run.rollouts(1).replace(rollouts)
    with pytest.raises(DataError, match="reload"):
        text_of(index, second)
    index.refresh()
    row = one_row(index, key)
    assert row is not None
    assert (row.advantage, row.num_same) == (0.5, None)
    assert (_total(index, kind="train"), _files(run.path).update(folders_of(run.path))) == (6, 3)
    assert sorted(path.name for path in _files(run.path).root.glob("rollouts/*/*")) == [
        f"{folder.parts[0].stamp}.parquet" for folder in folders_of(run.path) if folder.kind == "train"
    ]


def test_damaged_parts_are_left_out_and_named(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", num_steps=3)
    first, second = part_files(run.rollouts(1).path)
    first.write_bytes(first.read_bytes()[:-20])
    data = bytearray(part_files(run.rollouts(2).path)[0].read_bytes())
    data[100:2000] = bytes(1900)
    part_files(run.rollouts(2).path)[0].write_bytes(bytes(data))
    index = open_index(run.path)
    coverage = index.refresh()
    assert set(coverage.skipped) == {first, part_files(run.rollouts(2).path)[0]}
    assert _total(index, kind="train") == 48 - 16
    assert second not in coverage.skipped
    assert coverage.num_measured == coverage.num_parts


def test_a_deleted_evaluation_goes(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", num_steps=1)
    index = open_index(run.path)
    assert _total(index, kind="eval") == 80
    shutil.rmtree(run.path / "evals" / "arithmetic" / "step=000000")
    index.refresh()
    assert _total(index, kind="eval") == 40


def test_without_measures_everything_else_is_there(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", num_steps=1)
    index = open_index(run.path, measured=False)
    assert index.refresh().num_measured == 0
    rows = page(index, select(index, Filters()), offset=0, limit=3)
    assert all(row.question == "What is 1 + 1?" and row.preview and row.gold == "2" for row in rows)
    assert all(row.reflections is None and row.num_same is None for row in rows)
    assert _total(index, reasons=("truncated",)) > 0
    assert _total(index, reasons=("duplicate",)) == 0
    assert _total(index, min_reflections=0) == 0
    shown = [row.preview for row in rows]
    assert measure(_files(run.path))
    index.refresh()
    assert _total(index, min_reflections=0) == 96
    assert [row.preview for row in page(index, select(index, Filters()), offset=0, limit=3)] == shown


def test_groups_and_duplicates_stay_within_a_folder(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    run.create(kind="eval", command=[], seed=0, environment={})
    for fingerprint in ("aaaaaaaaaaaa", "bbbbbbbbbbbb"):
        rollouts = [a_rollout(sample_index=n, completion=f"text {n}", verdict="wrong") for n in range(3)]
        write_evaluation(run, 0, rollouts, benchmark="arithmetic", fingerprint=fingerprint)
    index = open_index(run.path)
    rows = page(index, select(index, Filters()), offset=0, limit=9)
    assert {(row.group_size, row.group_correct, row.num_same) for row in rows} == {(3, 0, 1)}


@pytest.mark.parametrize("why", WITHOUT_TEXT)
def test_nothing_is_suspected_of_responses_that_nobody_has(tmp_path: Path, why: str) -> None:
    """A file without texts: its right answers are not `without reasoning`, and no sample has the text of another."""
    run = RunDir(tmp_path / "run")
    run.create(kind="eval", command=[], seed=0, environment={})
    rows = [
        a_rollout(problem_id="p", sample_index=n, completion="", verdict="correct", gold="12", why=why)
        for n in range(3)
    ]
    empty = [a_rollout(problem_id="p", sample_index=n, completion="", verdict="no_answer", gold="12") for n in (3, 4)]
    write_evaluation(run, 0, [*rows, *empty], benchmark="arithmetic")
    index = open_index(run.path)
    found = {row.key.sample_index: row for row in page(index, select(index, Filters()), offset=0, limit=9)}
    assert [found[n].reasons for n in range(3)] == [()] * 3
    assert [found[n].reflections for n in range(5)] == [None] * 3 + [0] * 2
    assert ["duplicate" in found[n].reasons for n in (3, 4)] == [True] * 2, "they are really empty"
    assert found[3].num_same == 2
    assert found[0].text_hash is not None, "tags and notes hold on to it"


@pytest.mark.parametrize("why", ["", *WITHOUT_TEXT])
def test_a_reason_is_told_only_of_rollouts_that_have_what_it_looks_at(tmp_path: Path, why: str) -> None:
    run = RunDir(tmp_path / "run")
    run.create(kind="eval", command=[], seed=0, environment={})
    completion = "" if why else "so 12"
    rows = [a_rollout(sample_index=n, completion=completion, verdict="wrong", gold="12", why=why) for n in range(3)]
    write_evaluation(run, 0, rows, benchmark="arithmetic")
    of_texts = {"gold_at_end", "gold_in_text", "no_reasoning", "loop", "duplicate"}
    assert not told_reasons(open_index(run.path, measured=False)) & of_texts
    told = told_reasons(open_index(run.path))
    assert told & of_texts == (set() if why else of_texts)
    assert told >= {"truncated"}
    assert not told & {"value_high_wrong", "value_low_right", "reward_disagrees"}, "no critic and no reward"


@pytest.mark.parametrize("reason", REASONS, ids=lambda reason: reason.name)
def test_a_reason_names_what_it_looks_at(reason: Reason) -> None:
    """Whatever else a rollout is: without one of the columns its condition does not hold."""
    spare = {"reward": "0.0", "stop_reason": "'eos'", "shows_work": "false", "num_same": "2", "reasoning_chars": "1"}
    spare |= dict.fromkeys(("verdict", "second_verdict"), "'correct'") | {"final_value": "0.9"}
    spare |= dict.fromkeys(("ends_in_loop", "gold_at_end", "gold_in_text"), "true")
    for missing in reason.columns:
        for verdict in VERDICTS:
            row = spare | {"verdict": f"'{verdict}'", missing: "NULL"}
            columns = ", ".join(f"{value} AS {name}" for name, value in row.items())
            found = duckdb.execute(f"SELECT coalesce({reason.condition}, false) FROM (SELECT {columns})").fetchone()
            assert found == (False,), (missing, verdict)


def test_tokens_where_they_were_kept(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    run.create(kind="eval", command=[], seed=0, environment={})
    rows = [a_rollout(token_ids=(1, 2), logprobs=(-0.5, -1.5)), a_rollout(sample_index=1)]
    write_evaluation(run, 0, rows, benchmark="arithmetic")
    index = open_index(run.path)
    first, second = page(index, select(index, Filters()), offset=0, limit=2)
    kept = tokens_of(index, first)
    assert kept is not None
    assert (kept.token_ids, kept.logprobs) == ((1, 2), (-0.5, -1.5))
    assert tokens_of(index, second) is None


def test_a_selection_costs_nothing_again_and_goes_when_unused(tmp_path: Path) -> None:
    index = open_index(a_run(tmp_path / "run", num_steps=1).path)
    assert select(index, Filters()) is select(index, Filters())
    for limit in range(40):
        select(index, Filters(min_tokens=limit))
    tables = index.cursor().execute("SELECT count(*) FROM duckdb_tables() WHERE table_name LIKE 'kept_%'").fetchone()
    assert tables is not None
    assert tables[0] < 20


def test_the_side_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert side_folder(tmp_path) == tmp_path / NAME
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / NAME).write_text("in the way", encoding="utf-8")
    elsewhere = side_folder(tmp_path / "runs")
    assert elsewhere.is_relative_to(tmp_path / "state")
    assert side_folder(tmp_path / "runs") == elsewhere
    assert os.access(elsewhere, os.W_OK)


@pytest.mark.parametrize("prepared", ["nothing", "ours", "a link", "open to others", "a file"])
def test_the_side_folder_among_temporary_files_is_our_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prepared: str
) -> None:
    """Anybody can make a folder of a foreseeable name there, or a link to another place."""
    runs, foreseen = tmp_path / "runs", tmp_path / "tmp" / f"orz-app-{os.getuid()}"
    runs.mkdir()
    (tmp_path / "tmp").mkdir()
    (runs / NAME).write_text("in the way", encoding="utf-8")
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    monkeypatch.setenv("XDG_STATE_HOME", str(runs / NAME))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    if prepared == "a link":
        foreseen.symlink_to(tmp_path / "elsewhere")
    elif prepared == "a file":
        foreseen.write_text("", encoding="utf-8")
    elif prepared != "nothing":
        foreseen.mkdir()
        foreseen.chmod(0o700 if prepared == "ours" else 0o755)
    found = side_folder(runs)
    assert found.is_dir()
    assert (found.parent == foreseen) == (prepared in ("nothing", "ours"))
    assert (found.parent.stat().st_mode & 0o077, found.parent.is_symlink()) == (0, False)
    assert side_folder(runs) == found
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_what_exceeds_the_memory_goes_into_a_folder_of_this_process(tmp_path: Path) -> None:
    index = open_index(a_run(tmp_path / "run", num_steps=1).path)
    found = index.cursor().execute("SELECT current_setting('temp_directory')").fetchone()
    assert found is not None
    folder = Path(found[0])
    assert folder.name.startswith("orz-app-spilled-")
    assert folder.stat().st_mode & 0o077 == 0
