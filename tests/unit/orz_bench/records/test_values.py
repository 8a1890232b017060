"""Values beside rollouts: written in whole parts, read back, and refused where they are of something else."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from orz_bench.errors import ConfigError, RunDirError
from orz_bench.records.arrays import logprobs, token_ids
from orz_bench.records.parquet import part_files
from orz_bench.records.run_dir import RolloutsDir
from orz_bench.records.values import (
    CriticCard,
    TokenValues,
    ValuesDir,
    ValueSummary,
    require_same_text,
    values_beside,
    values_of,
)

CARD = CriticCard(digest="waaaaaaaaaaaaaaa", dtype="float32", format="orz", path="models/critic")


def a_row(index: int = 0, *, ids: bool = False) -> TokenValues:
    return TokenValues(
        problem_id="p",
        sample_index=index,
        values=logprobs([0.25, 0.5]),
        char_ends=token_ids([1, 3]),
        token_ids=token_ids([7, 8]) if ids else None,
    )


@pytest.fixture
def values(tmp_path: Path) -> ValuesDir:
    found = ValuesDir.beside(RolloutsDir(tmp_path), CARD.digest)
    found.open(CARD)
    return found


def test_rows_come_back_from_several_parts(values: ValuesDir) -> None:
    values.append([a_row(0), a_row(1, ids=True)])
    values.append([a_row(2)])
    assert len(part_files(values.path)) == 2
    assert values.keys() == {("p", 0), ("p", 1), ("p", 2)}
    assert values.read() == {row.key: row for row in (a_row(0), a_row(1, ids=True), a_row(2))}
    assert values.card() == CARD


def test_the_same_critic_elsewhere_joins_and_another_computation_does_not(values: ValuesDir) -> None:
    from dataclasses import replace

    values.open(replace(CARD, path="elsewhere"))
    with pytest.raises(ConfigError, match="dtype float32, now bfloat16"):
        values.open(replace(CARD, dtype="bfloat16"))


def test_critics_are_told_apart_and_chosen_by_the_start_of_their_digest(tmp_path: Path, values: ValuesDir) -> None:
    rollouts = RolloutsDir(tmp_path)
    assert values_of(rollouts, critic=None) == values
    other = ValuesDir.beside(rollouts, "wabbbbbbbbbbbbbb")
    other.open(CriticCard(digest="wabbbbbbbbbbbbbb", dtype="float32", format="orz", path=""))
    assert values_beside(rollouts) == [values, other]
    assert values_of(rollouts, critic="wab") == other
    for critic in (None, "wa"):
        with pytest.raises(ConfigError, match="values of 2 critics"):
            values_of(rollouts, critic=critic)


def test_a_row_that_is_there_twice_is_refused(values: ValuesDir) -> None:
    values.append([a_row(0)])
    values.append([a_row(0)])
    with pytest.raises(RunDirError, match="sample 0 of p is there twice"):
        values.read()


def test_a_damaged_part_and_a_newer_schema_are_refused(values: ValuesDir) -> None:
    values.append([a_row(0)])
    (part,) = part_files(values.path)
    table = pq.read_table(part)
    pq.write_table(table.replace_schema_metadata({b"orz_values_schema": b"2"}), part)
    with pytest.raises(RunDirError, match="values of schema 2, but this version reads up to 1"):
        values.read()
    part.write_bytes(part.read_bytes()[:50])
    with pytest.raises(RunDirError, match="not a readable part of values"):
        values.keys()


def test_a_card_that_is_none_is_refused(values: ValuesDir) -> None:
    (values.path / "critic.json").write_text(json.dumps({"digest": 3}), encoding="utf-8")
    with pytest.raises(RunDirError, match="not the card of a critic"):
        values.card()


def test_values_of_replaced_rollouts_are_refused() -> None:
    require_same_text(a_row(), "abc", where="run")
    with pytest.raises(RunDirError, match="are of a text with 3 characters, but it has 4"):
        require_same_text(a_row(), "abcd", where="run")


def test_a_summary_has_the_last_the_least_and_the_mean() -> None:
    assert ValueSummary.of(logprobs([0.5, 0.25, 0.75])) == ValueSummary(final=0.75, minimum=0.25, mean=0.5)
    assert ValueSummary.of(logprobs([])) == ValueSummary(final=0.0, minimum=0.0, mean=0.0)
