"""Tables of the hub: which files of a dataset `hub:OWNER/NAME` means."""

from __future__ import annotations

import pytest

from orz_bench.benchmarks.own.hub import _HubAddress, _only_table
from orz_bench.errors import DataError

FILES = ["README.md", "main/test-00000-of-00002.parquet", "main/test-00001-of-00002.parquet", "main/train.parquet"]


def table(place: str, files: list[str] = FILES) -> list[str]:
    return _only_table(files, _HubAddress.of(place), place=place)


def test_the_parts_of_a_table_belong_together() -> None:
    assert table("hub:o/n/main/test") == FILES[1:3]
    assert table("hub:o/n", ["README.md", "data/all.jsonl"]) == ["data/all.jsonl"]


@pytest.mark.parametrize("place", ["hub:o/n", "hub:o/n@abc", "hub:o/n/main"])
def test_several_tables_are_named_and_none_is_chosen(place: str) -> None:
    with pytest.raises(DataError, match=r"has 2 tables \(main/test, main/train\); name one: hub:o/n(@abc)?/main/test"):
        table(place)


def test_a_dataset_without_tables() -> None:
    with pytest.raises(
        DataError, match=r"has no table here .*; it has main/test, main/train\. Name one file: hub:o/n/FILE"
    ):
        table("hub:o/n/other")
    with pytest.raises(DataError, match="has no table here"):
        table("hub:o/n", ["README.md"])


@pytest.mark.parametrize("place", ["hub:", "hub:o", "hub:/n", "hub:o/", "hub:o//f.csv"])
def test_an_address_that_is_none(place: str) -> None:
    with pytest.raises(DataError, match=r"wanted hub:OWNER/NAME/FILE .*, or hub:OWNER/NAME\."):
        _HubAddress.of(place)
