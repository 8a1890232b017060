"""Token ids and log-probabilities stay one buffer from the engine to the file, and nothing else passes for a number."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orz_bench.errors import RecordError
from orz_bench.records import parquet
from orz_bench.records.arrays import LOGPROBS, TOKEN_IDS, entropies, from_column, logprobs, to_column, token_ids
from orz_bench.records.rollout import Completion
from tests.support.builders import a_rollout
from tests.support.opaque_numbers import an_opaque_rollout

IDS = st.lists(st.integers(-(2**31), 2**31 - 1))
FLOATS = st.lists(st.floats(width=32, allow_nan=False))


@given(IDS)
def test_they_are_a_sequence(ids: list[int]) -> None:
    numbers = token_ids(ids)
    assert numbers == ids == list(numbers) == [numbers[at] for at in range(len(ids))]
    assert numbers == tuple(ids)
    assert numbers != [*ids, 1]
    assert numbers[1:] == ids[1:]
    assert numbers[::-2] == ids[::-2]
    assert repr(numbers) == repr(tuple(ids))
    assert all(type(number) is int for number in numbers)


@given(FLOATS)
def test_copies_are_equal_and_numbers_are_rounded_to_their_type(values: list[float]) -> None:
    numbers = logprobs(values)
    assert numbers == values
    assert pickle.loads(pickle.dumps(numbers)) == copy.deepcopy(numbers) == numbers
    assert logprobs([0.1]) == [0.1]
    assert logprobs([0.1]) == logprobs(np.array([0.1]))
    assert logprobs([1.0]) == token_ids([1])
    assert token_ids([1]) == logprobs([1.0])


def test_they_cannot_be_changed_and_what_they_were_made_of_stays_writable() -> None:
    buffer = np.arange(3, dtype=np.int32)
    numbers = token_ids(buffer)
    assert np.shares_memory(numbers.array, buffer)
    with pytest.raises(ValueError, match="read-only"):
        numbers.array[0] = 9
    buffer[0] = 7


@pytest.mark.parametrize(
    "values",
    [
        [1.5],
        "12",
        ["1"],
        [True],
        [None],
        [2**31],
        [2**70],
        np.array([2**40]),
        np.array([2**32 - 1], dtype=np.uint32),
        np.array([1.0]),
        [[1, 2]],
        [[1], [2, 3]],
        [[]],
        5,
        {1: 2},
    ],
)
def test_what_is_no_token_id_is_refused_and_never_rounded_or_wrapped(values: Any) -> None:
    with pytest.raises(RecordError, match="wanted a sequence of numbers of type int32"):
        token_ids(values)


@pytest.mark.parametrize("values", [[None], [-0.5, None], ["-0.5"], [False], [[-0.5]], -0.5])
def test_what_is_no_log_probability_is_refused(values: Any) -> None:
    with pytest.raises(RecordError, match="wanted a sequence of numbers of type float32"):
        logprobs(values)


def test_a_record_keeps_the_buffer_of_the_engine_and_takes_any_sequence() -> None:
    ids, floats = np.array([5, 6], dtype=np.int32), np.array([-1, -2], dtype=np.float32)
    parts: dict[str, Any] = {"problem_id": "p", "sample_index": 0, "seed": 0, "text": "", "num_tokens": 2}
    kept: Any = Completion(**parts, stop_reason="eos", token_ids=token_ids(ids), logprobs=logprobs(floats))
    assert np.shares_memory(kept.token_ids.array, ids)
    assert np.shares_memory(kept.logprobs.array, floats)
    assert Completion(**parts, stop_reason="eos", token_ids=[5, 6], logprobs=(-1.0, -2.0)) == kept
    with pytest.raises(RecordError, match=r"found \[-1\.0, -2\.0\], wanted .* int32"):
        Completion(**parts, stop_reason="eos", token_ids=logprobs(floats))  # type: ignore[arg-type]


@given(st.lists(st.none() | IDS.map(token_ids)), st.integers(0, 3), st.integers(0, 3))
def test_a_column_holds_the_rows_and_every_slice_of_it_reads_back(rows: list[Any], start: int, length: int) -> None:
    column = to_column(rows, pa.list_(pa.int32()))
    assert column.to_pylist() == [None if row is None else list(row) for row in rows]
    chunks = pa.chunked_array([column.slice(start, length), column], pa.list_(pa.int32()))
    assert from_column(chunks, TOKEN_IDS) == [*rows[start : start + length], *rows]


def test_read_rows_are_views_of_one_buffer(tmp_path: Path) -> None:
    parquet.write_part(tmp_path, [an_opaque_rollout(index) for index in range(3)])
    rows: list[Any] = parquet.rollouts_from_table(parquet.read_parts(tmp_path))
    assert rows[0].token_ids.array.base is not None
    assert rows[0].token_ids.array.base is rows[2].token_ids.array.base


def test_files_from_python_lists_and_files_from_buffers_are_the_same_to_every_reader(tmp_path: Path) -> None:
    """As files were written before there were buffers, and as code from then reads them."""
    rollouts = [an_opaque_rollout(index, length=index) for index in range(3)] + [a_rollout(sample_index=3)]
    parquet.write_part(tmp_path, rollouts)
    read = parquet.rollouts_from_table(parquet.read_parts(tmp_path))
    rows: list[Any] = parquet.read_parts(tmp_path).to_pylist()
    assert [row["token_ids"] for row in rows] == [[], [10], [10, 11], None]
    old = pa.table(
        {each.name: pa.array([row[each.name] for row in rows], each.type) for each in parquet.ROLLOUT_SCHEMA},
        schema=parquet.ROLLOUT_SCHEMA,
    )
    (tmp_path / "old").mkdir()
    pq.write_table(old, tmp_path / "old" / "part-000000.parquet", compression="zstd")
    assert parquet.rollouts_from_table(parquet.read_parts(tmp_path / "old")) == read
    schemas = [pq.read_schema(folder / "part-000000.parquet") for folder in (tmp_path, tmp_path / "old")]
    assert schemas[0].equals(schemas[1], check_metadata=True)


@given(st.lists(st.floats(0, 12), max_size=30))
def test_entropies_are_on_a_grid(values: list[float]) -> None:
    found = entropies(values)
    assert found.array.dtype == np.float16
    for kept, value in zip(found, values, strict=True):
        assert abs(kept - value) <= max(value * (1 / 48 + 2**-11), 1 / 3072) + 1e-9
    assert entropies(found) == found
    assert list(entropies(sorted(values))) == sorted(entropies(values))


def test_fewer_than_256_values_occur() -> None:
    """Up to the entropy of a vocabulary of 262,144 tokens."""
    every = np.arange(0, np.log(2**18), 1e-4)
    assert len(set(entropies(every))) < 256


def test_a_negative_entropy_is_a_rounding_error_of_zero() -> None:
    assert list(entropies([-1e-7])) == [0.0]


def test_an_unknown_number_inside_a_list_is_refused() -> None:
    column = pa.chunked_array([pa.array([[-1.0, None]], pa.list_(pa.float32()))])
    with pytest.raises(RecordError, match="an unknown number"):
        from_column(column, LOGPROBS)
