"""Blind judging by keyboard only, views that are saved, and the page Live, in a real browser."""

from __future__ import annotations

import fcntl
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from app.judging.annotations import FILE_NAME, Annotations, RunIdentity
from app.judging.blind import blind_annotations, judged_by
from app.judging.saved_views import saved_views
from app.judging.side_folder import NAME
from app.queries.measure_files import MeasureFiles
from app.queries.parts import folders_of
from app.views.list_view import KNOWN
from tests.browser.conftest import Rows, open_page, settled
from tests.browser.contrast import faint_texts
from tests.browser.served import served
from tests.browser.test_rollouts import eventually
from tests.support.app_runs import random_run

WAIT_MS = 60_000


def _judged(page: Any, number: int) -> None:
    page.get_by_text(re.compile(rf"^{number} of \d+ questions judged by ada")).wait_for(timeout=WAIT_MS)
    settled(page)


def test_two_checkpoints_are_judged_by_keyboard_only(
    page: Any, address: str, runs_folder: Path, rows: Rows, shoot: Any
) -> None:
    """Left, right, tie, skip and undo; which side is which is in no text of the page until the result is shown."""
    open_page(page, f"{address}/judging?run=run&bench=bench0&who=ada")
    _judged(page, 0)
    wanted: list[str] = []
    for number, key in enumerate(("ArrowLeft", "t", "ArrowRight", "s")):
        page.locator(".orz-text").nth(1).wait_for(timeout=WAIT_MS)
        texts = [" ".join(text.split()) for text in page.locator(".orz-text").all_inner_texts()]
        shown = page.locator(".stMain").inner_text()
        assert not re.search(
            r"\bwrong\b|\bcorrect\b|tokens", shown.partition("questions judged")[2].partition("gold")[0]
        )
        if number == 0:
            assert faint_texts(page) == {}
            shoot("judging-blind")
        page.keyboard.press(key)
        _judged(page, number + 1)
        wanted.append(texts[0] if key == "ArrowLeft" else texts[1] if key == "ArrowRight" else key)
    page.keyboard.press("u")
    _judged(page, 3)
    kept = blind_annotations(runs_folder / NAME, judge="")
    values = [one.value for one in sorted(judged_by(kept.entries())["ada"].values(), key=lambda one: one.time)]
    assert [value for value in values if value in ("tie", "skip")] == ["tie"], "the last one, skipped, was taken back"
    assert len(values) == 3
    assert "result" not in page.url
    page.get_by_role("button", name="Show the result").focus()
    page.keyboard.press("Enter")
    page.get_by_text("A is run, step 0, B is run, step 2.").wait_for(timeout=WAIT_MS)
    settled(page)
    assert faint_texts(page) == {}
    shoot("judging-result")
    assert {" ".join(row.completion.split()) for row in rows.values()} >= {wanted[0], wanted[2]}


def test_a_view_is_saved_under_a_name_with_one_click(page: Any, address: str, runs_folder: Path, shoot: Any) -> None:
    open_page(page, f"{address}/rollouts?run=run&group=verdict&column=problem&column=gold&column=tags")
    page.get_by_text(re.compile("^5 groups by verdict|^6 groups by verdict")).wait_for(timeout=WAIT_MS)
    page.get_by_role("button", name="View (changed)").click()
    page.get_by_label("Name", exact=True).fill("mine")
    shoot("rollouts-view")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("The view 'mine' is saved").wait_for(timeout=WAIT_MS)
    (view,) = saved_views(runs_folder / NAME, page="rollouts", known=KNOWN).views.values()
    assert dict(view.parameters) == {"column": ["problem", "gold", "tags"], "group": ["verdict"]}
    assert faint_texts(page) == {}


def test_a_training_is_followed(page: Any, address: str, shoot: Any) -> None:
    open_page(page, f"{address}/live?run=growing&since=1")
    page.get_by_text("2 new steps after step 1").wait_for(timeout=WAIT_MS)
    settled(page)
    assert faint_texts(page) == {}
    shoot("live")
    table = page.locator('[data-testid="stDataFrame"]').last
    box = table.bounding_box()
    page.mouse.click(box["x"] + 60, box["y"] + 35 + 28 * 2 + 14)
    page.wait_for_url(lambda url: urlsplit(url).path == "/rollouts", timeout=WAIT_MS)
    settled(page)
    assert parse_qs(urlsplit(page.url).query)["step"] == ["3"]
    page.locator(".orz-text").first.wait_for(timeout=WAIT_MS)


@pytest.fixture
def measured_last(tmp_path: Path) -> Iterator[MeasureFiles]:
    """Those of the only run of `tmp_path`, which nothing measures unless the test does."""
    run, _ = random_run(tmp_path / "run")
    run.mark("DONE")
    files = MeasureFiles.of(run.path, name="run", side=tmp_path / NAME)
    files.root.mkdir(parents=True)
    with (files.root / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the process that measures ends at once
        yield files


def _end_measuring(page: Any, files: MeasureFiles) -> None:
    files.update(folders_of(files.run))
    page.get_by_text(re.compile("not yet measured")).wait_for(state="detached", timeout=WAIT_MS)
    settled(page)


def test_what_is_typed_stays_when_the_measuring_ends(page: Any, tmp_path: Path, measured_last: MeasureFiles) -> None:
    """The progress bar goes while a word stands in the search that has not been sent; then Enter sends it."""
    with served(tmp_path) as own:
        open_page(page, f"{own}/rollouts?run=run")
        page.get_by_text(re.compile("not yet measured in 8 of 8 parts")).wait_for(timeout=WAIT_MS)
        page.get_by_label("Search in responses").fill("wait,")
        _end_measuring(page, measured_last)
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url: "text=wait" in url, timeout=WAIT_MS)
        page.get_by_text(re.compile(r"^\d+ rollouts · \d+ hits$")).wait_for(timeout=WAIT_MS)


def test_a_tag_that_is_typed_stays_when_the_measuring_ends(
    page: Any, tmp_path: Path, measured_last: MeasureFiles
) -> None:
    """Nor does Enter choose a known tag of which some letters stand in that order."""
    kept = Annotations(tmp_path / NAME / FILE_NAME, RunIdentity.of(tmp_path / "run", name="run"))
    with served(tmp_path) as own:
        open_page(page, f"{own}/rollouts?run=run")
        page.get_by_text(re.compile("not yet measured in 8 of 8 parts")).wait_for(timeout=WAIT_MS)
        page.get_by_role("combobox", name="Tags").click()
        page.keyboard.type("odd")
        _end_measuring(page, measured_last)
        assert page.get_by_role("combobox", name="Tags").input_value() == "odd"
        page.keyboard.press("Enter")
        page.locator("[data-tag]", has_text="odd").wait_for(timeout=WAIT_MS)
        eventually(lambda: [found.tags for found in kept.of_run().values()] == [("odd",)])
