"""The card of a curated set and the marks of its stages: read whole, or refused in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from orz_bench.errors import DataError
from orz_bench.records.curated import CARD, PAIR_COLUMNS, Card, Pair, checked_card, finished_stages, stages_in
from orz_bench.results.flow_picture import flow
from tests.support.curated_sets import curated


@pytest.fixture(scope="module")
def mix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return curated(tmp_path_factory.mktemp("records") / "mix")


def _card(mix: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((mix / CARD).read_text(encoding="utf-8"))
    return found


def test_the_card_that_curate_writes(mix: Path) -> None:
    card, written = checked_card(mix), _card(mix)
    assert (card.num_rows, card.num_kept) == (written["num_rows"], written["num_kept"])
    assert [stage.name for stage in card.stages] == [stage["name"] for stage in written["stages"]]
    assert card.stages == stages_in(written)
    assert PAIR_COLUMNS.names == [each.name for each in fields(Pair)]


def _put(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(card: dict[str, Any]) -> None:
        *names, last = path.split(".")
        at: Any = card
        for name in names:
            at = at[int(name) if name.isdigit() else name]
        at[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_put("schema", 2), "written by a newer version (schema 2, this one reads up to 1); update this installation"),
        (_put("schema", "<b>"), "is no data card"),
        (_put("schema", None), "is no data card"),
        (_put("num_rows", "many"), "num_rows is wrong"),
        (_put("num_rows", True), "num_rows is wrong"),
        (_put("num_kept", -1), "num_kept is wrong"),
        (_put("num_kept", 1.5), "num_kept is wrong"),
        (_put("stages", []), "stages is wrong"),
        (_put("stages.0.by_source", []), "stages.0.by_source is wrong"),
        (_put("stages.0.reasons", {"x": 1e400}), "stages.0.reasons.x is wrong"),
        (_put("sources", {}), "sources is wrong"),
        (_put("plan", None), "plan is wrong"),
    ],
)  # fmt: skip
def test_a_card_of_others(mix: Path, tmp_path: Path, change: Callable[[dict[str, Any]], None], said: str) -> None:
    card = _card(mix)
    change(card)
    (tmp_path / CARD).write_text(json.dumps(card), encoding="utf-8")
    with pytest.raises(DataError) as error:
        checked_card(tmp_path)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000, '{"schema": NaN}', "\udcff", "7"])
def test_a_card_that_is_no_object(tmp_path: Path, text: str) -> None:
    (tmp_path / CARD).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(DataError) as error:
        checked_card(tmp_path)
    assert CARD in str(error.value)
    assert "\n" not in str(error.value)


def test_a_card_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        checked_card(tmp_path)
    (tmp_path / CARD).mkdir()
    with pytest.raises(DataError, match="a folder, wanted a regular file"):
        checked_card(tmp_path)


def test_the_stages_of_an_unfinished_curation(tmp_path: Path) -> None:
    for name, counts in (("00-read", {"web": {"": 8, "no_answer": 2}}), ("01-exact", {"web": {"": 5, "duplicate": 3}})):
        (tmp_path / name).mkdir()
        (tmp_path / name / "done.json").write_text(json.dumps({"by_source": counts}))
    (tmp_path / "02-near").mkdir()
    found = finished_stages(tmp_path)
    assert [(stage.name, stage.num_in, stage.kept, stage.reasons) for stage in found] == [
        ("read", 10, 8, {"no_answer": 2}),
        ("exact", 8, 5, {"duplicate": 3}),
    ]
    for text in ("{", "{}", '{"by_source": {"web": {"": "8"}}}', '{"by_source": {"web": {"": -8}}}'):
        (tmp_path / "02-near" / "done.json").write_text(text)
        with pytest.raises(DataError, match=r"02-near/done\.json"):
            finished_stages(tmp_path)


def test_the_picture_shows_names_as_it_is_told(mix: Path) -> None:
    card = _card(mix)
    card["stages"] = json.loads(json.dumps(card["stages"]).replace('"web"', '"<script>"'))
    stages = Card.model_validate(card).stages
    assert "<script>" not in flow(stages)
    assert "&lt;script&gt;" in flow(stages)
    assert "??" in flow(stages, shown=lambda _: "??")
