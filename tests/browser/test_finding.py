"""Finding across runs in a real browser: every purpose from the start page, with the number of clicks it takes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.browser.clicks import WAIT_MS, Clicks
from tests.browser.conftest import open_page, settled
from tests.browser.contrast import faint_texts
from tests.browser.served import served
from tests.support.changed_runs import FINGERPRINT, LONG


def _query(page: Any) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def test_which_answers_were_lost_and_how(page: Any, finding: str, shoot: Any) -> None:
    """Two clicks: Benchmarks, a lost question; it stands at both evaluations, a right response beside a wrong one."""
    clicks = Clicks(page, finding)
    clicks.to("Benchmarks")
    clicks.on(page.locator("[class*='st-key-questions-lost'] a").first, path="/question")
    assert clicks.count == 2
    query = _query(page)
    assert (query["problem"], query["at"]) == (["q1"], [f"up@0~{FINGERPRINT}", f"up@40~{FINGERPRINT}"])
    page.locator(".orz-text").nth(1).wait_for(timeout=WAIT_MS)
    texts = page.locator(".orz-text").all_inner_texts()
    assert ["boxed{2}" in text for text in texts] == [True, False]
    assert page.locator(".orz-text .added").count() > 0
    assert page.get_by_text("4 of 4 samples correct").count() == 1
    assert faint_texts(page) == {}
    shoot("question-across")


def test_another_run_is_put_beside_by_keyboard(page: Any, finding: str) -> None:
    """Two keys and a name on the page Question: the other run's last checkpoint."""
    open_page(page, f"{finding}/question?run=up&bench=arithmetic&problem=q0")
    page.get_by_label("Add a run").focus()
    page.keyboard.type("down")
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "at=" in url, timeout=WAIT_MS)
    settled(page)
    assert _query(page)["at"] == [f"up@0~{FINGERPRINT}", f"down@40~{FINGERPRINT}"]
    page.locator(".orz-text").nth(1).wait_for(timeout=WAIT_MS)
    page.go_back()
    page.wait_for_url(lambda url: "at=" not in url, timeout=WAIT_MS)


def test_a_cell_of_the_matrix_opens_the_question_at_that_step(page: Any, finding: str, shoot: Any) -> None:
    """Two clicks: Matrix, a cell."""
    clicks = Clicks(page, finding)
    clicks.to("Matrix")
    chart = page.get_by_role("img", name="Pass rates, questions by checkpoint")
    chart.wait_for(timeout=WAIT_MS)
    page.wait_for_timeout(500)
    shoot("matrix")
    assert faint_texts(page) == {}
    box = chart.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.55, box["y"] + 60)
    page.get_by_text(re.compile(r"^q0, step 20: 50 % correct")).wait_for(timeout=WAIT_MS)
    clicks.at(box["x"] + box["width"] * 0.55, box["y"] + 60, path="/question")
    assert clicks.count == 2
    query = _query(page)
    assert query["at"] == [f"up@20~{FINGERPRINT}"]
    assert query["problem"] == ["q0"]
    page.go_back()
    page.wait_for_url(lambda url: urlsplit(url).path == "/matrix", timeout=WAIT_MS)


def test_empty_cells_of_the_matrix_are_explained_where_there_are_any(page: Any, finding: str) -> None:
    """The second run has not been asked the first one's questions; alone, each run has a rate for every one of its."""
    chart = page.get_by_role("img", name="Pass rates, questions by checkpoint")
    legend = page.get_by_text("empty: not asked, or without a verdict")
    for runs, has_empty in (("run=up", False), ("run=up&run=long", True)):
        open_page(page, f"{finding}/matrix?{runs}")
        chart.wait_for(timeout=WAIT_MS)
        settled(page)
        assert legend.is_visible() == has_empty, runs


def test_a_row_of_the_matrix_is_opened_by_keyboard(page: Any, finding: str) -> None:
    open_page(page, f"{finding}/matrix?run=up&rank=forgotten")
    page.locator('[data-testid="stDataFrame"] canvas').first.focus()
    for key in ("ArrowDown", "ArrowDown", "Shift+Space"):
        page.keyboard.press(key)
    page.wait_for_url(lambda url: urlsplit(url).path == "/question", timeout=WAIT_MS)
    assert _query(page)["at"] == [f"up@0~{FINGERPRINT}", f"up@40~{FINGERPRINT}"]


def test_a_wrong_gold_is_found_and_its_form_opened(page: Any, finding: str, shoot: Any) -> None:
    """Three clicks: Matrix, Wrong majority, Judge; then the form for the verdict is there without another one."""
    clicks = Clicks(page, finding)
    clicks.to("Matrix")
    clicks.on(
        page.get_by_role("radio", name="Wrong majority").or_(page.get_by_role("button", name="Wrong majority")).first
    )
    page.get_by_text("2 questions with the same wrong majority").or_(page.get_by_text("1 question with")).wait_for(
        timeout=WAIT_MS
    )
    shoot("matrix-answers")
    clicks.on(page.get_by_role("link", name="Judge").first, path="/rollouts")
    assert clicks.count == 3
    assert _query(page)["problem"] == ["q3"]
    page.get_by_label("because").wait_for(timeout=WAIT_MS)
    page.get_by_role("button", name="Override", exact=True).wait_for(timeout=WAIT_MS)


def test_a_search_shows_where_and_when(page: Any, finding: str, shoot: Any) -> None:
    """A click, a word and a click: Rollouts, the hits in their context, and a step in the curve above the list."""
    clicks = Clicks(page, finding)
    clicks.to("Rollouts")
    page.get_by_label("Search in responses").fill("boxed{99}")
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "text=" in url, timeout=WAIT_MS)
    settled(page)
    chart = page.locator('[data-testid="stVegaLiteChart"]').first
    chart.wait_for(timeout=WAIT_MS)
    table = page.locator('[data-testid="stDataFrame"] canvas table').first
    table.locator("td").nth(2).wait_for(state="attached")
    assert "In all \\⟦boxed{99}⟧." in str(table.text_content())
    shoot("rollouts-hits")
    assert faint_texts(page) == {}
    box = chart.bounding_box()
    clicks.at(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_url(lambda url: "step=" in url, timeout=WAIT_MS)
    assert clicks.count == 2
    assert _query(page)["step"] == ["20"]
    page.go_back()
    page.wait_for_url(lambda url: "step=" not in url, timeout=WAIT_MS)


def test_the_first_rollout_is_open_with_answer_beside_gold(page: Any, finding: str) -> None:
    """One click; on a laptop, and still when the end of a long response is read."""
    clicks = Clicks(page, finding)
    clicks.to("Suspicious")
    open_page(page, f"{finding}/suspicious?run=long")
    answers = page.locator(".orz-answers")
    answers.wait_for(timeout=WAIT_MS)
    page.locator(".orz-text").first.wait_for(timeout=WAIT_MS)
    page.locator(".orz-text .gold").wait_for(state="attached", timeout=WAIT_MS)  # the run is measured meanwhile
    assert page.locator(".orz-text .gold").all_text_contents() == ["C"], "a gold of one letter is queued and marked"
    page.locator("[class*='st-key-annotate-seen'] button").first.scroll_into_view_if_needed()
    page.get_by_text("Prompt and origin").scroll_into_view_if_needed()
    page.wait_for_timeout(300)
    box = answers.bounding_box()
    assert 0 < box["y"] < 768 - box["height"]
    assert "gold" in answers.inner_text()


def test_a_long_response_has_an_outline_with_jumps(page: Any, finding: str, shoot: Any) -> None:
    """By mouse and by keyboard, without a script; repeats are folded, and the whole text is there."""
    open_page(page, f"{finding}/rollouts?run=long")
    page.locator(".orz-outline label").first.wait_for(timeout=WAIT_MS)
    top = "document.querySelector('.orz-text').scrollTop"
    assert page.evaluate(top) == 0
    page.locator(".orz-outline label.k-end").last.click()
    page.wait_for_function(f"() => {top} > 1000", timeout=WAIT_MS)
    end = page.locator(".orz-place.k-end").last
    assert end.evaluate("e => e === document.activeElement && e.checked")
    shoot("long-response")
    page.keyboard.press("ArrowUp")
    assert end.evaluate("e => e !== document.activeElement && document.activeElement.classList.contains('orz-place')")
    fold = page.locator(".orz-fold")
    assert (fold.count(), fold.get_attribute("open")) == (1, None)
    text = page.locator(".orz-text").first
    shown = str(text.evaluate("e => e.textContent"))
    assert len(shown) > len(LONG["first"])
    page.mouse.click(5, 400)
    page.keyboard.press("j")
    page.wait_for_function("() => document.querySelector('.orz-text').textContent.includes('the second sum')")
    assert page.evaluate(top) == 0
    page.get_by_text("formulas", exact=True).click()
    page.wait_for_url(lambda url: "layer=latex" in url, timeout=WAIT_MS)
    page.get_by_test_id("stPagination").get_by_text("2", exact=True).click()
    assert page.locator(".orz-outline").count() == 0
    page.wait_for_url(lambda url: "part=2" in url, timeout=WAIT_MS)


def test_a_folder_without_runs_says_how_to_have_one(page: Any, tmp_path: Path) -> None:
    """On every page, with what the page answers."""
    with served(tmp_path) as address:
        for name in ("runs", "matrix", "question"):
            open_page(page, f"{address}/{name}")
            assert page.get_by_text("yet. Create one, or open another folder").count() == 1
            assert "make demo" in page.get_by_test_id("stCode").inner_text()
            assert page.locator("[data-testid=stCaptionContainer]").first.inner_text().endswith("?")
