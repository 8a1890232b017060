"""Token ids and log-probabilities as immutable sequences over one NumPy buffer each, without a Python object a token.

A slice is a view. Columns of lists are made from such buffers, and read as views of the column's one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import Any, TypeVar, overload

import numpy as np
import pyarrow as pa

from orz_bench.errors import RecordError

Number = TypeVar("Number", int, float)
TOKEN_IDS = np.dtype(np.int32)
LOGPROBS = np.dtype(np.float32)
VERSIONS = np.dtype(np.int32)
ENTROPIES = np.dtype(np.float16)
FIELDS: Mapping[str, np.dtype[Any]] = MappingProxyType(
    {
        "prompt_token_ids": TOKEN_IDS,
        "token_ids": TOKEN_IDS,
        "logprobs": LOGPROBS,
        "token_versions": VERSIONS,
        "entropies": ENTROPIES,
    }
)
"""The fields of a rollout, and columns of its table, that hold numbers."""
_MOST_SHOWN = 80
_STEPS, _LEAST_EXPONENT = 24, -5
"""Stored entropies from 2^k to 2^(k + 1), and the exponent (of frexp) of those below 1/64, which are equally far apart
down to 0."""

Array = np.ndarray[Any, Any]


class Numbers(Sequence[Number]):
    """Numbers of one type, read-only. Equal to a tuple or list with the same numbers, rounded to that type."""

    __slots__ = ("array",)

    array: Array
    """One dimension, read-only."""

    def __init__(self, values: Any, dtype: np.dtype[Any]) -> None:
        """An array of that type is not copied. RecordError for what is no sequence of such numbers."""
        try:
            array = np.asarray(values)
        except (OverflowError, TypeError, ValueError) as error:
            raise _refusal(values, dtype) from error
        if array.dtype != dtype:
            array = _converted(array, dtype) if array.size else np.empty(array.shape, dtype)
        if array.ndim != 1:
            raise _refusal(values, dtype)
        self.array = array.view()
        self.array.flags.writeable = False

    def __len__(self) -> int:
        return len(self.array)

    @overload
    def __getitem__(self, index: int) -> Number: ...

    @overload
    def __getitem__(self, index: slice) -> Numbers[Number]: ...

    def __getitem__(self, index: Any) -> Any:
        found = self.array[index]
        return Numbers(found, self.array.dtype) if isinstance(index, slice) else found.item()

    def __iter__(self) -> Iterator[Number]:
        yield from self.array.tolist()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:  # noqa: FBT001 - NumPy's protocol
        """For NumPy's functions."""
        return np.array(self.array, dtype=dtype, copy=copy)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Numbers):
            return bool(np.array_equal(self.array, other.array))
        if not isinstance(other, tuple | list):
            return NotImplemented
        try:
            return self == Numbers(other, self.array.dtype)
        except RecordError:
            return False

    __hash__ = None  # type: ignore[assignment]  # as that of a list

    def __repr__(self) -> str:
        return repr(tuple(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return Numbers, (self.array, self.array.dtype)


_KINDS = MappingProxyType({"i": "iu", "f": "iuf"})
"""By kind of type: the kinds whose numbers it takes. A fraction is no token; texts and booleans are no numbers."""


def _converted(array: Array, dtype: np.dtype[Any]) -> Array:
    is_known = array.dtype.kind in _KINDS[dtype.kind]
    if dtype.kind == "i" and is_known:
        limits = np.iinfo(dtype)
        is_known = limits.min <= array.min() and array.max() <= limits.max
    if not is_known:
        raise _refusal(array.tolist(), dtype)
    with np.errstate(over="ignore"):
        return array.astype(dtype)


def _refusal(values: Any, dtype: np.dtype[Any]) -> RecordError:
    text = repr(values)
    shown = text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."
    return RecordError(f"found {shown}, wanted a sequence of numbers of type {dtype}.")


def as_numbers(values: Any, dtype: np.dtype[Any]) -> Any:
    """Any sequence of numbers as Numbers; None stays None."""
    if isinstance(values, Numbers):
        return values if values.array.dtype == dtype else Numbers(values.array, dtype)
    return None if values is None else Numbers(values, dtype)


def token_ids(values: Any) -> Numbers[int]:
    """Ids of tokens."""
    return Numbers(values, TOKEN_IDS)


def logprobs(values: Any) -> Numbers[float]:
    """Natural logarithms of probabilities."""
    return Numbers(values, LOGPROBS)


def versions(values: Any) -> Numbers[int]:
    """Numbers of weight updates."""
    return Numbers(values, VERSIONS)


def entropies(values: Any) -> Numbers[float]:
    """Entropies in nats on a grid of 24 steps an octave: off by 2 % at most, and below 1/64 by at most 1/3072.

    129 to 256 values occur in all but the shortest steps. A file then holds an index of one byte for each, which
    compresses as bytes do: all bits of a 16-bit number would take twice the space.
    """
    given = np.maximum(np.asarray(values, dtype=np.float64), 0.0)
    step = np.ldexp(1.0 / _STEPS, np.maximum(np.frexp(given)[1], _LEAST_EXPONENT) - 1)
    return Numbers((np.round(given / step) * step).astype(ENTROPIES), ENTROPIES)


def counts(values: Any) -> dict[int, int]:
    """How often each number is there."""
    found, times = np.unique(np.asarray(values), return_counts=True)
    return dict(zip(found.tolist(), times.tolist(), strict=True))


def to_column(rows: Sequence[Numbers[Any] | None], kind: pa.DataType) -> pa.Array:
    """A column of lists, put together from the rows' buffers; None is null."""
    arrays = [row.array for row in rows if row is not None]
    ends = np.cumsum([0, *(0 if row is None else len(row) for row in rows)], dtype=np.int64)
    if ends[-1] > np.iinfo(np.int32).max:
        raise RecordError(f"one part would have {ends[-1]:,} tokens, wanted at most 2^31 - 1; write several parts.")
    values = pa.array(np.concatenate(arrays) if arrays else [], kind.value_type)
    nulls = pa.array([row is None for row in rows], pa.bool_())
    column = pa.ListArray.from_arrays(ends.astype(np.int32), values, mask=nulls)
    return column.cast(kind)


def from_column(column: pa.ChunkedArray, dtype: np.dtype[Any]) -> list[Numbers[Any] | None]:
    """The inverse: each row a view of the column's buffer."""
    return list(chain.from_iterable(_from_chunk(chunk, dtype) for chunk in column.chunks))


def _view(array: Array) -> Numbers[Any]:
    """Of a read-only array, as it is."""
    numbers: Numbers[Any] = Numbers.__new__(Numbers)
    numbers.array = array
    return numbers


def _from_chunk(chunk: pa.ListArray, dtype: np.dtype[Any]) -> list[Numbers[Any] | None]:
    if chunk.values.null_count:
        raise RecordError(
            "a list of token ids or log-probabilities has an unknown number (null) in it; restore the file from a copy."
        )
    values, ends = chunk.values.to_numpy(zero_copy_only=False).astype(dtype, copy=False), chunk.offsets.to_numpy()
    values.flags.writeable = False
    known = chunk.is_valid().to_numpy(zero_copy_only=False)
    return [
        _view(values[start:end]) if is_known else None
        for start, end, is_known in zip(ends[:-1].tolist(), ends[1:].tolist(), known.tolist(), strict=True)
    ]
