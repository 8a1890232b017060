"""The page Data, run without a browser: on whole sets, and on what is damaged, foreign, unfinished or gone."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from streamlit.testing.v1 import AppTest

from app.curated.pairs import pairs_at, pairs_file
from app.judging.pair_verdicts import pair_annotations, verdicts
from app.judging.side_folder import side_folder
from orz_bench.records.curated import CARD, FATES, PAIRS, WORK
from tests.support.app_runs import HOSTILE
from tests.support.curated_sets import curated


@pytest.fixture(scope="module")
def mix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return curated(tmp_path_factory.mktemp("page") / "mix")


def _script() -> None:
    from app.shell import PAGES, show_page

    show_page(next(spec for spec in PAGES if spec.name == "data"), {})


Open = Callable[..., AppTest]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Open:
    """Open the page on `tmp_path/runs` and `tmp_path/data`."""
    for name in ("runs", "data"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(sys, "argv", ["main.py", "--runs", str(tmp_path / "runs"), "--data", str(tmp_path / "data")])

    def run(**parameters: str | list[str]) -> AppTest:
        page = AppTest.from_function(_script, default_timeout=600)
        for name, value in parameters.items():
            page.query_params[name] = value
        page.run()
        assert not page.exception
        assert "fault of the app" not in _texts(page)
        return page

    return run


def _texts(page: AppTest) -> str:
    boxes = [*page.error, *page.warning, *page.info, *page.caption, *page.markdown]
    return "\n".join(str(box.value).replace("\\", "") for box in boxes)


def _chips(page: AppTest) -> str:
    """What is said of the open row or pair."""
    return "".join(
        body for one in page.get("html") if "orz-facts" in (body := str(one.proto.body)) and "<style" not in body
    )


def test_a_folder_without_sets_says_what_to_do(opened: Open, tmp_path: Path) -> None:
    page = opened()
    assert f"No curated set in {tmp_path / 'runs'} and {tmp_path / 'data'} yet" in _texts(page)
    assert "orz-rl curate --source" in page.code[0].value


def test_a_folder_of_data_that_is_not_there(opened: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "argv", ["main.py", "--runs", str(tmp_path / "runs"), "--data", str(tmp_path / "none")])
    assert "none: no such folder; name the folder that holds curated sets" in _texts(opened())
    monkeypatch.setattr(sys, "argv", ["main.py", "--runs", str(tmp_path / "runs"), "--data"])
    assert "name the folder of runs, or that of curated data" in _texts(opened())


def test_the_list_says_which_sets_there_are_and_which_cannot_be_read(opened: Open, mix: Path, tmp_path: Path) -> None:
    shutil.copytree(mix, tmp_path / "data" / "good")
    shutil.copytree(mix, tmp_path / "runs" / "x" / "newer")
    _change_card(tmp_path / "runs" / "x" / "newer", schema=2)
    shutil.copytree(mix, tmp_path / "data" / HOSTILE[:50].replace("/", "|"))
    table: Any = opened().dataframe[0].value
    assert set(table["set"]) == {"data/good", "runs/x/newer", f"data/{HOSTILE[:50].replace('/', '|')}"}
    by_name = table.set_index("set")
    assert by_name.loc["data/good", ["state", "rows", "kept", "sources", "note"]].tolist() == [
        "complete",
        53,
        48,
        "web",
        "",
    ]
    assert by_name.loc["runs/x/newer", "state"] == "! unreadable"
    assert "newer version (schema 2" in by_name.loc["runs/x/newer", "note"]


def _change_card(folder: Path, **changes: Any) -> None:
    card = json.loads((folder / CARD).read_text(encoding="utf-8")) | changes
    (folder / CARD).write_text(json.dumps(card), encoding="utf-8")


def test_the_flow_and_what_was_dropped(opened: Open, mix: Path, tmp_path: Path) -> None:
    shutil.copytree(mix, tmp_path / "data" / "mix")
    page = opened(set="data/mix")
    assert "48 of 53 rows kept; seed 42" in _texts(page).replace("*", "")
    table = page.dataframe[0].value
    assert list(zip(table["stage"], table["reason"], table["rows"], table["of web"], strict=True)) == [
        ("read", "no_answer", 1, 1),
        ("decontaminate", "contaminated", 1, 1),
        ("exact", "duplicate", 1, 1),
        ("near", "near_duplicate", 2, 2),
        ("mix", "kept", 48, 48),
    ]
    assert "Compared with: arithmetic." in _texts(page)


def test_rows_are_filtered_searched_and_paged_by_the_address(opened: Open, mix: Path, tmp_path: Path) -> None:
    shutil.copytree(mix, tmp_path / "data" / "mix")
    page = opened(set="data/mix", view="rows", page="3")
    assert "53 rows" in _texts(page).replace("*", "")
    assert len(page.dataframe[0].value) == 13
    page = opened(set="data/mix", view="rows", stage=["near", "exact"], text="GREEN PEARS")
    assert page.dataframe[0].value["id"].tolist() == ["ann"]
    page = opened(set="data/mix", view="rows", page="9", stage="nothing")
    assert "No row matches these filters" in _texts(page)
    page = opened(set="data/mix", view="rows", page="9", fate="lost")
    assert "The address names page 9; the list has 3" in _texts(page)
    assert "fate='lost' in the address: wanted one of , kept, dropped" in _texts(page)


@pytest.mark.parametrize("view", ["rows", "pairs", "benchmarks"])
def test_the_first_of_the_list_is_open_without_being_in_the_address(
    opened: Open, mix: Path, tmp_path: Path, view: str
) -> None:
    """Never an empty half page; what the address names and the set lacks has nothing in its place."""
    shutil.copytree(mix, tmp_path / "data" / "mix")
    first = {"rows": "web-0", "pairs": "again", "benchmarks": "sum"}[view]
    page = opened(set="data/mix", view=view)
    assert first in _chips(page)
    assert not {"id", "pair"} & set(page.query_params)
    assert _chips(opened(set="data/mix", view=view, id="nobody", pair="nothing")) == ""


def test_the_first_of_a_later_page_is_open_on_that_page(opened: Open, mix: Path, tmp_path: Path) -> None:
    shutil.copytree(mix, tmp_path / "data" / "mix")
    page = opened(set="data/mix", view="rows", page="2")
    assert "web-20" in _chips(page)
    page.button(key="id:Next").click().run()
    assert page.query_params["id"] in ("web-21", ["web-21"])


def test_a_row_is_looked_up_with_its_evidence(opened: Open, mix: Path, tmp_path: Path) -> None:
    shutil.copytree(mix, tmp_path / "data" / "mix")
    for name in ("ann", "web:line 48", "#47"):
        page = opened(set="data/mix", view="rows", id=name)
        chips = "".join(str(one.proto.body) for one in page.get("html"))
        assert "near_duplicate" in chips
        assert "similarity" in chips
        labels = [button.label.replace("\\", "") for button in page.button]
        assert any(label.startswith("dropped · minhash") and label.endswith("web tom") for label in labels)
    assert "No row 'nobody' in this set" in _texts(opened(set="data/mix", view="rows", id="nobody"))


def test_a_pair_is_judged_and_the_next_one_opened(opened: Open, mix: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(mix, tmp_path / "data" / "mix")
    table = pairs_file(folder)
    first, second, third, fourth = [pair for pair in pairs_at(table, range(5)) if not pair.is_of_benchmark]
    page = opened(set="data/mix", view="pairs", pair=first.hash)
    page.text_input(key=f"pair:because:{first.hash}").set_value("spaces only")
    page.button(key=f"pair:same:{first.hash}").click().run()
    assert page.query_params["pair"] in (second.hash, [second.hash])
    kept = pair_annotations(side_folder(tmp_path / "runs"), author="")
    assert verdicts(kept) == {first.hash: "same"}
    page = opened(set="data/mix", view="pairs", judged="open")
    assert page.dataframe[0].value["id"].tolist() == [one.id.split("\n")[0] for one in (second, third, fourth)]
    page = opened(set="data/mix", view="pairs", judged="same", pair=first.hash)
    assert page.dataframe[0].value["judged"].tolist() == ["="]
    page.button(key=f"pair:undo:{first.hash}").click().run()
    assert verdicts(kept) == {}
    assert "No pair 'ffff' in this set" in _texts(opened(set="data/mix", view="pairs", pair="ffff"))


def test_overlap_with_benchmarks_has_both_texts(opened: Open, mix: Path, tmp_path: Path) -> None:
    shutil.copytree(mix, tmp_path / "data" / "mix")
    page = opened(set="data/mix", view="benchmarks")
    assert page.dataframe[0].value["id"].tolist() == ["sum"]
    shown = "".join(str(one.proto.body) for one in page.get("html"))
    assert "benchmark" in shown
    assert "arithmetic" in shown
    assert "orz-text" in shown


@pytest.mark.parametrize("view", ["flow", "rows", "pairs", "benchmarks"])
def test_a_set_that_was_stopped_half_way(opened: Open, mix: Path, tmp_path: Path, view: str) -> None:
    folder = tmp_path / "data" / "mix"
    (folder / WORK / "00-read").mkdir(parents=True)
    (folder / WORK / "plan.json").write_text("{}")
    counts = {"by_source": {"web": {"": 50, "no_answer": 3}}}
    (folder / WORK / "00-read" / "done.json").write_text(json.dumps(counts))
    (folder / ".lock").write_text("")
    page = opened(set="data/mix", view=view)
    if view == "flow":
        assert "This set is being written. These stages are done." in _texts(page)
        assert page.dataframe[0].value["rows"].tolist() == [3, 50]
    else:
        assert "is written when all stages are done; this set is being written" in _texts(page)


def _remove(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).unlink()


BROKEN: dict[str, Callable[[Path], Any]] = {
    "gone": shutil.rmtree,
    "newer": lambda folder: _change_card(folder, schema=2),
    "a card of others": lambda folder: _change_card(folder, stages=[{"name": HOSTILE}]),
    "no card": lambda folder: (folder / CARD).write_text("{"),
    "cut": lambda folder: [(folder / name).write_bytes((folder / name).read_bytes()[:-40]) for name in (FATES, PAIRS)],
    "empty": lambda folder: [(folder / name).write_bytes(b"") for name in (FATES, PAIRS)],
    "foreign": lambda folder: [pq.write_table(pa.table({"a": [1]}), folder / name) for name in (FATES, PAIRS)],
    "only fates": lambda folder: _remove(folder, CARD, PAIRS),
}


@pytest.mark.parametrize("kind", BROKEN)
@pytest.mark.parametrize("view", ["flow", "rows", "pairs", "benchmarks"])
def test_what_cannot_be_shown_is_said_in_a_line(opened: Open, mix: Path, tmp_path: Path, kind: str, view: str) -> None:
    shutil.copytree(mix, tmp_path / "data" / "other")
    folder = shutil.copytree(mix, tmp_path / "data" / "mix")
    BROKEN[kind](folder)
    page = opened(set="data/mix", view=view, id="ann", pair="f" * 32)
    said = [str(box.value) for box in [*page.error, *page.info]]
    is_readable = (kind, view) == ("only fates", "rows") or (
        kind in ("newer", "a card of others", "no card") and view != "flow"
    )
    is_readable = is_readable or (view == "flow" and kind in ("cut", "empty", "foreign"))
    assert is_readable or said
    assert all("\n" not in one and len(one) < 700 and "SELECT" not in one for one in said)
    assert kind != "only fates" or view != "flow" or "No stage is done yet." in said[0]


def test_another_set_never_takes_the_place_of_a_missing_one(opened: Open, mix: Path, tmp_path: Path) -> None:
    shutil.copytree(mix, tmp_path / "data" / "mix")
    page = opened(set="data/../mix")
    assert "no curated set 'data/../mix' here (did you mean 'data/mix'?)" in _texts(page)
    assert not page.dataframe
