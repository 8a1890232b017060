"""What one comes to the app for, each from the start page, with the number of clicks it takes, and by keys alone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from app.queries.export_reading import rows_in
from app.views.changed_questions import MOST_LINKS
from tests.browser.clicks import WAIT_MS, Clicks, Keys
from tests.browser.conftest import LAPTOP, open_page, settled
from tests.browser.served import served
from tests.support.changed_runs import FINGERPRINT, NUM_MANY
from tests.support.curated_sets import curated

GRID = 'canvas[data-testid="data-grid-canvas"]'
ROW_PX = 28


def _query(page: Any) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def _waits(page: Any, part: str) -> None:
    """Until the address has this."""
    page.wait_for_url(lambda url: part in url, timeout=WAIT_MS)
    settled(page)


def _tick(page: Any, row: int, *, path: str = "") -> None:
    """Click on the second cell of a row of the first table."""
    table = page.locator('[data-testid="stDataFrame"]').first
    table.locator("canvas").first.wait_for(timeout=WAIT_MS)
    page.wait_for_timeout(500)
    box = table.bounding_box()
    page.mouse.click(box["x"] + 90, box["y"] + 40 + ROW_PX * row + ROW_PX / 2)
    if path:
        page.wait_for_url(lambda url: urlsplit(url).path == path, timeout=WAIT_MS)
    settled(page)


def test_a_question_at_any_two_runs(page: Any, finding: str) -> None:
    """Three clicks: Question, Add a run, the run; pass rates overlaid, and samples with their differences."""
    clicks = Clicks(page, finding)
    clicks.to("Question")
    clicks.choose("Add a run", "down")
    assert clicks.count == 3
    _waits(page, "at=")
    assert [side.partition("@")[0] for side in _query(page)["at"]] == ["up", "down"]
    page.locator(".orz-text").nth(1).wait_for(timeout=WAIT_MS)
    page.locator('[data-testid="stVegaLiteChart"]').first.wait_for(timeout=WAIT_MS)
    assert page.get_by_text("of the words are shared").count() == 1


def test_the_answers_to_a_question_and_how_they_move(page: Any, finding: str) -> None:
    """One click: Question; its answers with the gold and the majority, and a chart over the checkpoints."""
    clicks = Clicks(page, finding)
    clicks.to("Question")
    assert clicks.count == 1
    table = page.locator(".orz-answers-table")
    table.wait_for(timeout=WAIT_MS)
    assert table.locator("th").all_inner_texts() == ["answer", "samples", "step 0, %", "step 40, %"]
    assert page.get_by_text(re.compile("^Majority: 99 with 100% of the samples; it is not the gold, 2")).count() == 1
    page.locator('[data-testid="stVegaLiteChart"]').first.wait_for(timeout=WAIT_MS)


def test_a_gained_question_beyond_the_first_ones(page: Any, finding: str) -> None:
    """Three clicks: Benchmarks, the choice of the others, a question."""
    clicks = Clicks(page, f"{finding}/?run=many")
    clicks.to("Benchmarks")
    clicks.choose("Gained, the others", f"m{NUM_MANY - 1}")
    assert clicks.count == 3
    page.wait_for_url(lambda url: urlsplit(url).path == "/question", timeout=WAIT_MS)
    found = _query(page)
    assert (found["problem"], found["at"]) == (
        [f"m{NUM_MANY - 1}"], [f"many@0~{FINGERPRINT}", f"many@1~{FINGERPRINT}"],
    )  # fmt: skip
    page.go_back()
    page.wait_for_url(lambda url: urlsplit(url).path == "/benchmarks", timeout=WAIT_MS)
    page.locator("[class*='st-key-questions-gained'] a").nth(MOST_LINKS - 1).wait_for(timeout=WAIT_MS)


def test_the_matrix_by_rank_and_kind(page: Any, finding: str) -> None:
    """Five clicks: Matrix, an order, a kind of question."""
    clicks = Clicks(page, finding)
    clicks.to("Matrix")
    clicks.choose("Order", "most forgotten first")
    clicks.choose("Kind of question", "level 1")
    assert clicks.count == 5
    _waits(page, "about=")
    assert (_query(page)["rank"], _query(page)["about"]) == (["forgotten"], ["level=1"])
    page.get_by_text(re.compile("^4 questions x 5 checkpoints")).wait_for(timeout=WAIT_MS)


def test_the_matrix_of_two_runs(page: Any, finding: str) -> None:
    """Three clicks and a word: Matrix, the choice of runs, the run's name, a cell: the question in that run."""
    clicks = Clicks(page, finding)
    clicks.to("Matrix")
    clicks.on(page.get_by_label("Runs", exact=True).last)
    page.keyboard.type("down")
    page.keyboard.press("Enter")
    _waits(page, "run=down")
    page.keyboard.press("Escape")
    page.get_by_text(re.compile("^12 questions x 2 runs")).wait_for(timeout=WAIT_MS)
    chart = page.get_by_role("img", name="Pass rates, questions by checkpoint")
    chart.wait_for(timeout=WAIT_MS)
    page.wait_for_timeout(500)
    box = chart.bounding_box()
    clicks.at(box["x"] + box["width"] * 0.8, box["y"] + 60, path="/question")
    assert clicks.count == 3
    assert _query(page)["at"] == [f"down@40~{FINGERPRINT}"]


def test_a_long_response_is_read_by_its_outline(page: Any, finding: str) -> None:
    """Two clicks: Rollouts, the end of the thought."""
    clicks = Clicks(page, f"{finding}/?run=long")
    clicks.to("Rollouts")
    clicks.on(page.locator(".orz-outline label.k-end").last)
    assert clicks.count == 2
    page.wait_for_function("() => document.querySelector('.orz-text').scrollTop > 1000", timeout=WAIT_MS)


def test_a_selection_is_grouped_and_filed_as_a_page_that_opens_offline(page: Any, finding: str) -> None:
    """Four clicks to the groups (Rollouts, View, Group by, an option), four more to the file."""
    clicks = Clicks(page, finding)
    clicks.to("Rollouts")
    clicks.on(page.get_by_role("button", name=re.compile("View")))
    clicks.choose("Group by", "Verdict")
    assert clicks.count == 4
    page.get_by_text(re.compile(r"^\d+ groups by verdict")).wait_for(timeout=WAIT_MS)
    page.keyboard.press("Escape")
    clicks.on(page.get_by_role("link", name="Export"), path="/report")
    clicks.choose("Format", "HTML page, opens offline")
    with page.expect_download() as waiting:
        clicks.on(page.get_by_role("button", name="Download"))
    assert clicks.count == 8
    text = Path(waiting.value.path()).read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert "default-src 'none'" in text.partition("</head>")[0]


def test_two_checkpoints_are_judged_blind_and_the_file_is_handed_on(page: Any, finding: str) -> None:
    """One click and a key for each question; one more click for the file; two for the agreement of judges."""
    clicks = Clicks(page, finding)
    clicks.to("Judging")
    page.locator(".orz-text").nth(1).wait_for(timeout=WAIT_MS)
    page.keyboard.press("ArrowLeft")
    page.get_by_text(re.compile(r"^1 of \d+ questions judged by")).wait_for(timeout=WAIT_MS)
    settled(page)
    with page.expect_download() as waiting:
        clicks.on(page.get_by_role("button", name="Export"))
    assert clicks.count == 2
    rows = list(rows_in(Path(waiting.value.path()).read_bytes(), name="judging.jsonl"))
    assert [row["about"] for row in rows] == ["blind comparisons"]
    clicks.on(page.get_by_role("radio", name="Agreement").or_(page.get_by_role("button", name="Agreement")).first)
    assert clicks.count == 3
    page.get_by_text("Cohen's kappa of two judges").wait_for(timeout=WAIT_MS)


def test_a_training_is_looked_at_while_it_runs(page: Any, finding: str) -> None:
    """Two clicks each: Live, then the rollouts behind a warning, or what has been looked at."""
    clicks = Clicks(page, f"{finding}/?run=growing")
    clicks.to("Live")
    page.get_by_text("Newest rollouts").wait_for(timeout=WAIT_MS)
    clicks.on(page.get_by_role("button", name="I have looked"))
    assert clicks.count == 2
    _waits(page, "since=3")
    clicks.on(page.get_by_role("link", name=re.compile("truncated")), path="/rollouts")
    assert clicks.count == 3
    assert _query(page)["stop_reasons"] == ["length"]
    page.locator(".orz-text").first.wait_for(timeout=WAIT_MS)


def test_where_problems_come_from_and_why_some_were_dropped(page: Any, finding: str) -> None:
    """Three clicks: Data, a set, a reason; four with the pair of texts, and a key for the verdict."""
    clicks = Clicks(page, finding)
    clicks.to("Data")
    _tick(page, 0)
    _waits(page, "set=runs")
    page.locator('.stMain img[src^="data:image/svg"]').wait_for(timeout=WAIT_MS)
    _tick(page, 3)
    _waits(page, "reason=near_duplicate")
    page.get_by_text("2 rows").first.wait_for(timeout=WAIT_MS)
    clicks.on(page.get_by_role("button", name="web tom"))
    _waits(page, "view=pairs")
    assert page.locator(".orz-text").count() == 2
    page.mouse.click(1300, 740)
    page.keyboard.press("d")
    page.get_by_text("≠").or_(page.get_by_text("different problems")).first.wait_for(state="attached", timeout=WAIT_MS)


def test_sets_of_another_folder_are_listed_too(page: Any, tmp_path: Path) -> None:
    """With `orz-app --data`."""
    for name in ("runs", "elsewhere"):
        (tmp_path / name).mkdir()
    curated(tmp_path / "elsewhere" / "mix")
    with served(tmp_path / "runs", data=tmp_path / "elsewhere") as address:
        open_page(page, f"{address}/data")
        _tick(page, 0)
        _waits(page, "set=data")


def test_a_lost_question_by_keys(page: Any, finding: str) -> None:
    keys = Keys(page, finding)
    keys.to("Benchmarks")
    keys.tab_to(page.locator("[class*='st-key-questions-lost'] a").first)
    keys.press("Enter", path="/question")
    assert _query(page)["problem"] == ["q1"]


def test_a_wrong_gold_by_keys(page: Any, finding: str) -> None:
    keys = Keys(page, finding)
    keys.to("Matrix")
    keys.tab_to(page.locator("[class*='st-key-matrix-view']"))
    keys.press("ArrowRight", "Enter")
    _waits(page, "view=answers")
    keys.tab_to(page.get_by_role("link", name="Judge").first)
    keys.press("Enter", path="/rollouts")
    page.get_by_label("because").wait_for(timeout=WAIT_MS)


def test_a_long_response_by_keys(page: Any, finding: str) -> None:
    keys = Keys(page, f"{finding}/?run=long")
    keys.to("Rollouts")
    page.locator(".orz-outline").wait_for(timeout=WAIT_MS)
    keys.tab_to(page.locator(".orz-text").first)
    keys.press("Tab", "ArrowUp")
    assert page.evaluate("() => document.activeElement.classList.contains('orz-place')")
    assert page.evaluate("() => document.querySelector('.orz-text').scrollTop") > 1000


def test_a_view_is_saved_by_keys(page: Any, finding: str) -> None:
    keys = Keys(page, finding)
    keys.to("Rollouts")
    keys.tab_to(page.get_by_role("button", name=re.compile("View")))
    keys.press("Enter")
    keys.tab_to(page.get_by_label("Name", exact=True))
    page.keyboard.type("by keys")
    keys.tab_to(page.get_by_role("button", name="Save", exact=True))
    keys.press("Enter")
    page.get_by_text("The view 'by keys' is saved").wait_for(timeout=WAIT_MS)


@pytest.mark.parametrize(("title", "run", "path"), [("Live", "growing", "/rollouts"), ("Matrix", "up", "/question")])
def test_a_row_of_a_table_by_keys(page: Any, finding: str, title: str, run: str, path: str) -> None:
    keys = Keys(page, f"{finding}/?run={run}")
    keys.to(title)
    keys.tab_to(page.locator(GRID).last)
    keys.press("ArrowDown", "ArrowDown", "Shift+Space", path=path)


def test_a_dropped_row_by_keys(page: Any, finding: str) -> None:
    keys = Keys(page, finding)
    keys.to("Data")
    keys.tab_to(page.locator(GRID).first)
    keys.press("ArrowDown", "Shift+Space")
    _waits(page, "set=runs")
    keys.tab_to(page.locator(GRID).first)
    keys.press("ArrowDown", "Shift+Space")
    _waits(page, "view=rows")


@pytest.mark.parametrize(
    "at",
    [
        "runs", "rollouts?run=up", "rollouts?run=up&text=boxed", "rollouts?run=up&group=answer", "suspicious?run=up",
        "matrix?run=up", "live?run=growing&since=1", "benchmarks?run=up&run=down", "data",
        "data?set=runs/mix&view=rows", "data?set=runs/mix&view=pairs",
    ],
)  # fmt: skip
def test_the_first_rows_are_seen_without_scrolling(page: Any, finding: str, at: str) -> None:
    """Three rows of every table that is the page's list."""
    open_page(page, f"{finding}/{at}")
    table = page.locator('[data-testid="stDataFrame"]').last
    table.wait_for(timeout=WAIT_MS)
    page.wait_for_timeout(500)
    assert table.bounding_box()["y"] + 40 + 3 * ROW_PX < LAPTOP["height"]
