"""Rollouts survive Parquet unchanged; remains of a crash or of a newer version are recognised."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orz_bench.errors import RunDirError
from orz_bench.records import parquet
from orz_bench.records.rollout import Rollout
from tests.support.builders import a_rollout
from tests.support.opaque_numbers import an_opaque_rollout

ROLLOUTS = st.builds(
    a_rollout,
    problem_id=st.text(min_size=1),
    completion=st.text(),
    extracted=st.none() | st.text(),
    sample_index=st.integers(0, 2**31 - 1),
    seed=st.integers(0, 2**48 - 1),
    token_ids=st.none() | st.lists(st.integers(0, 2**31 - 1)).map(tuple),
    policy_version=st.none() | st.integers(0, 100),
    reward=st.none() | st.floats(allow_nan=False),
    extra=st.dictionaries(st.text(), st.text() | st.integers() | st.lists(st.booleans())),
)


@settings(max_examples=50, deadline=None)
@given(st.lists(ROLLOUTS, min_size=1, max_size=5))
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, rollouts: list[Rollout]) -> None:
    folder = tmp_path_factory.mktemp("parts")
    parquet.write_part(folder, rollouts)
    assert parquet.rollouts_from_table(parquet.read_parts(folder)) == rollouts


def test_parts_are_numbered_in_order_and_joined(tmp_path: Path) -> None:
    for index in range(12):
        parquet.write_part(tmp_path, [a_rollout(sample_index=index)])
    assert [path.name for path in parquet.part_files(tmp_path)][-1] == "part-000011.parquet"
    assert parquet.read_parts(tmp_path, ["sample_index"])["sample_index"].to_pylist() == list(range(12))


def test_an_absent_folder_has_no_rows(tmp_path: Path) -> None:
    assert parquet.read_parts(tmp_path / "nothing").num_rows == 0


def test_a_lone_surrogate_is_stored_as_a_replacement(tmp_path: Path) -> None:
    parquet.write_part(tmp_path, [a_rollout(completion="a\ud800b")])
    assert parquet.read_parts(tmp_path)["completion"].to_pylist() == ["a?b"]


def test_no_text_of_a_row_can_make_writing_fail(tmp_path: Path) -> None:
    odd = "a\ud800\x00\U0001f600"
    texts = dict.fromkeys(("benchmark", "problem_id", "question", "gold", "prompt", "completion", "why"), odd)
    row = a_rollout(**texts, extracted=odd, second_extracted=odd, grader_version=odd, extra={"level": odd, odd: 1})
    parquet.write_part(tmp_path, [row])
    (found,) = parquet.rollouts_from_table(parquet.read_parts(tmp_path))
    stored = odd.replace("\ud800", "?")
    assert {name: getattr(found, name) for name in texts} == dict.fromkeys(texts, stored)
    assert found.extra == {"level": stored, stored: 1}


@pytest.mark.parametrize("num_removed", [0, 1, 2, 3])
def test_a_replacement_that_is_killed_half_way_neither_loses_nor_doubles_a_row(
    tmp_path: Path, num_removed: int
) -> None:
    """The state after every step of the move: the merged part is whole, some of the others are gone."""
    rows = [a_rollout(sample_index=index) for index in range(3)]
    for row in rows:
        parquet.write_part(tmp_path, [row])
    learned = [replace(row, advantage=1.0) for row in rows]
    whole = tmp_path / "whole"
    whole.mkdir()
    parquet.write_part(whole, learned)
    for path in sorted(tmp_path.glob("part-*.parquet"), reverse=True)[:num_removed]:
        path.unlink()
    (whole / "part-000000.parquet").rename(tmp_path / ".merged.parquet")
    assert parquet.rollouts_from_table(parquet.read_parts(tmp_path)) == learned
    parquet.finish_parts(tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["part-000000.parquet"]
    assert parquet.rollouts_from_table(parquet.read_parts(tmp_path)) == learned


def test_unfinished_parts_are_not_read_and_can_be_removed(tmp_path: Path) -> None:
    parquet.write_part(tmp_path, [a_rollout()])
    leftover = tmp_path / ".part-000001.parquet.tmp"
    leftover.write_bytes(b"PAR1 half")
    assert parquet.read_parts(tmp_path).num_rows == 1
    parquet.finish_parts(tmp_path)
    assert not leftover.exists()


def test_a_damaged_part_is_named(tmp_path: Path) -> None:
    path = parquet.write_part(tmp_path, [a_rollout()])
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(RunDirError, match=r"part-000000\.parquet: not a readable part"):
        parquet.read_parts(tmp_path)


def test_only_a_part_with_every_column_is_whole(tmp_path: Path) -> None:
    whole = parquet.write_part(tmp_path, [a_rollout()])
    damaged = parquet.write_part(tmp_path, [a_rollout(sample_index=1)])
    damaged.write_bytes(damaged.read_bytes()[:-10])
    foreign = tmp_path / "foreign.parquet"
    pq.write_table(pq.read_table(whole).drop_columns(["problem_id"]), foreign)
    paths = (whole, damaged, foreign, tmp_path / "absent.parquet")
    assert [parquet.is_whole(path) for path in paths] == [True, False, False, False]


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = parquet.write_part(tmp_path, [a_rollout()])
    table = pq.read_table(path).replace_schema_metadata({b"orz_rollout_schema": b"99"})
    pq.write_table(table, path)
    with pytest.raises(RunDirError, match=r"schema 99.*upgrade"):
        parquet.read_parts(tmp_path)
    with pytest.raises(RunDirError, match=r"schema 99.*upgrade"):
        parquet.is_whole(path)


@pytest.mark.parametrize(("number", "words"), [(errno.ENOSPC, "no space left"), (errno.EACCES, "--out")])
def test_disk_errors_have_a_remedy(number: int, words: str) -> None:
    error = parquet.disk_error(Path("runs/x"), OSError(number, "reason"))
    assert words in str(error)
    assert "is safe" in str(error)


def test_the_schema_has_every_field_of_a_rollout() -> None:
    optional = {parquet.TOKEN_VERSIONS.name, parquet.ENTROPIES.name}
    assert {*parquet.ROLLOUT_SCHEMA.names, *optional} == ROLLOUT_FIELDS
    assert parquet.ROLLOUT_SCHEMA.field("token_ids").type == pa.list_(pa.int32())


ROLLOUT_FIELDS = set(Rollout.__dataclass_fields__)


def test_optional_columns_are_there_only_where_a_row_has_them(tmp_path: Path) -> None:
    rows = [a_rollout(sample_index=0), a_rollout(sample_index=1, entropies=[0.5, 0.0], token_versions=None)]
    parquet.write_part(tmp_path, rows[:1])
    assert parquet.all_columns(tmp_path) == parquet.ROLLOUT_SCHEMA.names
    parquet.write_part(tmp_path, rows[1:])
    names = parquet.all_columns(tmp_path)
    assert names == [*parquet.ROLLOUT_SCHEMA.names, "entropies"]
    table = parquet.read_parts(tmp_path, names)
    assert table["entropies"].to_pylist() == [None, [0.5, 0.0]]
    assert parquet.rollouts_from_table(table) == rows
    both = [a_rollout(entropies=[0.5], token_versions=[3])]
    parquet.replace_parts(tmp_path, both)
    assert parquet.all_columns(tmp_path)[-2:] == ["token_versions", "entropies"]
    assert parquet.rows_of_part(tmp_path / "part-000000.parquet") == both


def test_every_reader_takes_16_bit_numbers(tmp_path: Path) -> None:
    path = parquet.write_part(tmp_path, [a_rollout(entropies=[0.5, 2.0])])
    found = duckdb.sql(f"SELECT entropies FROM read_parquet('{path}')")
    assert found is not None
    assert found.fetchall() == [([0.5, 2.0],)]
    assert pd.read_parquet(path)["entropies"][0].tolist() == [0.5, 2.0]


def test_one_part_takes_the_place_of_all(tmp_path: Path) -> None:
    for index in range(3):
        parquet.write_part(tmp_path, [a_rollout(sample_index=index)])
    rollouts = [a_rollout(sample_index=index, reward=1.0) for index in range(3)]
    parquet.replace_parts(tmp_path, rollouts)
    assert [path.name for path in tmp_path.iterdir()] == ["part-000000.parquet"]
    assert parquet.rollouts_from_table(parquet.read_parts(tmp_path)) == rollouts


def test_every_part_says_its_schema(tmp_path: Path) -> None:
    """The number in files of runs that exist: a new one needs a reader of the old ones."""
    path = parquet.write_part(tmp_path, [a_rollout()])
    assert pq.read_schema(path).metadata[b"orz_rollout_schema"] == b"1"


def test_versions_of_tokens_are_a_column_only_where_there_are_some(tmp_path: Path) -> None:
    """Files of other runs stay as they were, byte for byte; whoever asks for the known columns gets these."""
    plain, carried = an_opaque_rollout(0), replace(an_opaque_rollout(1), token_versions=[3, 3, 4])
    parquet.write_part(tmp_path, [plain])
    assert pq.read_schema(tmp_path / "part-000000.parquet").names == parquet.ROLLOUT_SCHEMA.names
    assert parquet.all_columns(tmp_path) == parquet.ROLLOUT_SCHEMA.names
    path = parquet.write_part(tmp_path, [carried, replace(plain, sample_index=7)])
    assert pq.read_schema(path).names == [*parquet.ROLLOUT_SCHEMA.names, "token_versions"]
    assert parquet.read_parts(tmp_path).column_names == parquet.ROLLOUT_SCHEMA.names
    assert parquet.is_whole(path)
    rows = parquet.rollouts_from_table(parquet.read_parts(tmp_path, parquet.all_columns(tmp_path)))
    assert [row.token_versions for row in rows] == [None, (3, 3, 4), None]
    assert rows[1] == carried
    assert [row.versions for row in rows] == [{None: 4}, {3: 2, 4: 1}, {None: 4}]
    assert parquet.rows_of_part(path) == rows[1:]
    parquet.replace_parts(tmp_path, rows)
    assert parquet.rows_of_part(parquet.part_files(tmp_path)[0]) == rows
