"""The page Data in a real browser, on a set that the real curation made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from app.curated.pairs import Pair, pairs_at, pairs_file
from app.judging.pair_verdicts import pair_annotations, response_of, verdicts
from app.judging.side_folder import side_folder
from app.queries.export_reading import rows_in
from tests.browser.conftest import LAPTOP, open_page, settled
from tests.browser.contrast import faint_texts, go_dark
from tests.browser.served import served
from tests.browser.test_rollouts import WAIT_MS, eventually
from tests.support.app_runs import HOSTILE
from tests.support.curated_sets import curated

NARROW = {"width": 920, "height": 1100}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A runs folder without a run, and with a set."""
    found = tmp_path_factory.mktemp("sets")
    curated(found / "mix")
    return found


@pytest.fixture(scope="module")
def site(folder: Path) -> Iterator[str]:
    with served(folder) as found:
        yield f"{found}/data"


def _parameters(page: Any) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def _pairs(folder: Path) -> list[Pair]:
    return pairs_at(pairs_file(folder / "mix"), range(5))


def _click_row(page: Any, row: int, *, leads_to: str) -> None:
    """Click on the second column of a row of the first table, until the address says this.

    Cells are drawn on a canvas, and a table that is drawn anew takes its place a little later.
    """

    def leads() -> bool:
        if leads_to in page.url:
            return True
        box = page.locator('[data-testid="stDataFrame"]').first.bounding_box()
        page.mouse.click(box["x"] + 90, box["y"] + 40 + 28 * row + 14)
        page.wait_for_timeout(500)
        return leads_to in page.url

    eventually(leads)
    settled(page)


def test_from_the_list_to_the_rows_that_a_reason_dropped(page: Any, site: str, shoot: Any) -> None:
    open_page(page, site)
    _click_row(page, 0, leads_to="set=")
    assert _parameters(page)["set"] == ["runs/mix"]
    picture = page.locator('.stMain img[src^="data:image/svg"]')
    picture.wait_for(timeout=WAIT_MS)
    assert picture.evaluate("one => one.naturalWidth") > 900
    shoot("data-flow-light")
    assert faint_texts(page) == {}
    _click_row(page, 3, leads_to="view=rows")
    found = _parameters(page)
    assert (found["stage"], found["reason"]) == (["near"], ["near_duplicate"])
    page.get_by_text("2 rows").first.wait_for(timeout=WAIT_MS)
    read = page.locator('[data-testid="stMarkdownContainer"]').get_by_text("gives away 5 of the apples")
    read.first.wait_for(timeout=WAIT_MS)
    shoot("data-rows")
    _click_row(page, 1, leads_to="id=other")
    page.go_back()
    page.wait_for_url(lambda url: "id=" not in url, timeout=WAIT_MS)
    settled(page)
    open_page(page, f"{site}?set=runs/mix&view=rows")
    page.get_by_label("Open a row").fill("web:line 47")
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "id=" in url, timeout=WAIT_MS)
    settled(page)
    page.get_by_role("button", name="web ann").click()
    page.wait_for_url(lambda url: "view=pairs" in url, timeout=WAIT_MS)
    settled(page)
    assert page.locator(".orz-text").count() == 2


def test_pairs_are_judged_by_keys_and_a_colleague_sees_it(
    page: Any, colleague: Any, site: str, folder: Path, shoot: Any
) -> None:
    pairs = [pair for pair in _pairs(folder) if not pair.is_of_benchmark]
    at = f"{site}?set=runs/mix&view=pairs&pair={pairs[1].hash}"
    open_page(page, at)
    left, right = (page.locator(".orz-text").nth(side) for side in (0, 1))
    eventually(lambda: page.locator(".orz-text").count() == 2)
    assert left.inner_text() == pairs[1].question
    assert right.inner_text() == pairs[1].other_question
    assert (left.locator(".removed").all_inner_texts(), right.locator(".added").all_inner_texts()) == (["Ann"], ["Tom"])
    shoot("data-pair-light")
    open_page(colleague, at)
    page.mouse.click(1300, 740)
    page.keyboard.press("s")
    page.wait_for_url(lambda url: pairs[2].hash in url, timeout=WAIT_MS)
    settled(page)
    kept = pair_annotations(side_folder(folder), author="")
    assert verdicts(kept) == {pairs[1].hash: "same"}
    colleague.get_by_role("button", name="Different problems").click()
    colleague.get_by_text("somebody else has judged this meanwhile").wait_for(timeout=WAIT_MS)
    assert verdicts(kept) == {pairs[1].hash: "same"}
    settled(colleague)
    colleague.get_by_role("button", name="Different problems").click()
    eventually(lambda: verdicts(kept) == {pairs[1].hash: "different"})
    assert [entry.value for entry in kept.history(response_of(pairs[1].hash))] == ["different", "same"]


def test_verdicts_are_exported_and_imported(page: Any, site: str, folder: Path, tmp_path: Path) -> None:
    kept = pair_annotations(side_folder(folder), author="")
    before = verdicts(kept)
    open_page(page, f"{site}?set=runs/mix&view=pairs")
    page.get_by_text("Export", exact=True).click()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="JSON lines").click()
    path = Path(waiting.value.path())
    rows = list(rows_in(path.read_bytes(), name="pairs.jsonl"))
    assert [row["pair"] for row in rows] == [pair.hash for pair in _pairs(folder) if not pair.is_of_benchmark]
    assert {row["pair"]: row["override"] for row in rows if row["override"]} == before
    (tmp_path / "mix").mkdir()
    with served(tmp_path) as other:
        open_page(page, f"{other}/data")
        page.get_by_text("Import judgements").click()
        file = {"name": "pairs.jsonl", "mimeType": "text/plain", "buffer": path.read_bytes()}
        page.locator('input[type="file"]').set_input_files(file)
        page.get_by_role("button", name="Import", exact=True).click()
        number = sum(len(row["judgements"] or ()) for row in rows)
        page.get_by_text(f"{number} judgement").first.wait_for(timeout=WAIT_MS)
    assert verdicts(pair_annotations(side_folder(tmp_path), author="")) == before


def test_hostile_rows_and_pairs_stay_inert(page: Any, site: str, folder: Path, shoot: Any) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: dialog.dismiss())
    hostile = next(pair for pair in _pairs(folder) if pair.other_id == HOSTILE)
    for query in (
        f"view=pairs&pair={hostile.hash}",
        f"view=rows&text={quote('hacked = 2')}&id={quote('other hostile')}",
        f"view=rows&id={quote(HOSTILE.replace(chr(0), ''))}&source={quote(HOSTILE[:90])}&stage={quote('<b>x</b>')}",
        "view=rows&id=%2349",
    ):
        open_page(page, f"{site}?set=runs/mix&{query}")
        page.wait_for_timeout(300)
        assert page.evaluate("window.hacked") is None
        places = ".stMain a, .stMain script, .stMain iframe, .stMain img"
        assert page.locator(places).count() == 0
        assert "\u202e" not in page.locator(".stMain").inner_text()
    open_page(page, f"{site}?set=runs/mix&view=pairs&pair={hostile.hash}")
    assert "<script>window.hacked = 1" in page.locator(".orz-text").first.inner_text()
    assert "U+202E" in page.locator(".orz-text").first.inner_text()
    assert {urlsplit(url).hostname for url in asked if urlsplit(url).scheme.startswith(("http", "ws"))} == {"127.0.0.1"}


@pytest.mark.parametrize("view", ["flow", "rows", "pairs", "benchmarks"])
def test_every_view_is_readable_dark_and_narrow(page: Any, site: str, folder: Path, shoot: Any, view: str) -> None:
    pair = next(one for one in _pairs(folder) if one.is_of_benchmark == (view == "benchmarks"))
    open_page(page, f"{site}?set=runs/mix&view={view}&id=ann&pair={pair.hash}")
    go_dark(page)
    assert faint_texts(page) == {}
    shoot(f"data-{view}-dark")
    page.set_viewport_size(NARROW)
    page.wait_for_timeout(500)
    assert faint_texts(page) == {}
    shoot(f"data-{view}-narrow-dark")
    page.set_viewport_size(LAPTOP)
