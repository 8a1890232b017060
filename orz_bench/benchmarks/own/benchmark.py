"""A user's own table as a benchmark like any other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from orz_bench.benchmarks.benchmark import Benchmark, GivenProblems
from orz_bench.benchmarks.digests import data_hash
from orz_bench.benchmarks.own.address import HUB, TableAddress
from orz_bench.benchmarks.own.table import files_of, read_own, refuse_contradictions, with_benchmark

_MOST_BYTES = 80
"""Of a table's name in that of its benchmark, which names a folder."""


def own_benchmark(address: TableAddress) -> Benchmark:
    """Read the table. DataError for what is missing, ambiguous or broken in it.

    Its name is that of the table with eight digits of the hash of its problems, such as `my.jsonl-1f0c22ab`: a folder's
    name, one of no other benchmark (no other has a full stop), and another one for other questions or golds.
    """
    address = replace(address, place=_absolute(address.place))
    shown = address.place
    files = files_of(address)
    own = read_own(address, files, name=_stem(shown), benchmark="")
    refuse_contradictions(own, name=shown)
    name = f"{_safe(shown)}-{data_hash(own.problems)[:8]}"
    return Benchmark(
        name=name,
        title=Path(shown).name,
        kind=address.options.kind or "math",
        num_problems=len(own.problems),
        licence="your own data",
        default_protocol="lcb" if address.options.kind == "code" else "orz",
        given=GivenProblems(problems=tuple(with_benchmark(own, name)), tests=own.tests, source=address.text),
    )


def _absolute(place: str) -> str:
    return place if place.startswith(HUB) else str(Path(place).absolute())


def _stem(place: str) -> str:
    return Path(place.removeprefix(HUB)).stem or "row"


def _safe(place: str) -> str:
    """The table's name as the beginning of a folder's name."""
    name = "hub." + place.removeprefix(HUB).replace("/", "--") if place.startswith(HUB) else Path(place).name
    name = "".join(char if char.isalnum() or char in "._-" else "_" for char in name)
    name = name.encode()[-_MOST_BYTES:].decode(errors="ignore")
    return f"_{name}" if name.startswith((".", "-")) else name
