"""The pages Rollouts, Question and Suspicious in a real browser: what they show is what the files hold."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest

from app.judging.annotations import FILE_NAME, Annotation, Annotations, RunIdentity
from app.judging.side_folder import NAME
from app.queries.keys import RowKey, hash_text, key_of, key_text
from orz_bench.records.rollout import Rollout
from orz_bench.records.text_hash import text_hash
from tests.browser.conftest import ARGUMENTS, Rows, open_page, settled
from tests.browser.contrast import faint_texts
from tests.support.app_runs import HOSTILE

WAIT_MS = 60_000


def shows_counts(page: Any, text: str) -> None:
    """Wait until the line with the counts says this."""
    page.get_by_text(re.compile(f"^{re.escape(text)}$")).first.wait_for(timeout=WAIT_MS)


def press(page: Any, key: str, *, button: str) -> None:
    """Press a key once its button is there, and wait until another rollout is open."""
    before = page.url
    page.locator(f"[class*='st-key-reader-{button}'] button:enabled").first.wait_for(timeout=WAIT_MS)
    page.keyboard.press(key)
    page.wait_for_url(lambda url: url != before, timeout=WAIT_MS)
    settled(page)


def eventually(holds: Callable[[], bool]) -> None:
    """Wait until something holds that the server does after a click."""
    deadline = time.monotonic() + WAIT_MS / 1000
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def shows(page: Any, row: Rollout) -> None:
    """Wait until the reader shows the whole response of that row."""
    wanted = " ".join(row.completion.split())
    eventually(lambda: response(page).count() == 1 and " ".join(response(page).inner_text().split()) == wanted)


def opened(page: Any) -> RowKey | None:
    """The rollout in the address."""
    return key_of(parse_qs(urlparse(page.url).query).get("row", [""])[0])


def response(page: Any) -> Any:
    return page.locator(".orz-text").first


def test_search_filter_and_read(page: Any, address: str, rows: Rows, shoot: Any) -> None:
    open_page(page, f"{address}/rollouts?run=run")
    shows_counts(page, f"{len(rows)} rollouts")
    page.get_by_label("Search in responses").fill("wait,")
    page.keyboard.press("Enter")
    hits = {key: row.completion.lower().count("wait,") for key, row in rows.items()}
    found = {key for key, count in hits.items() if count}
    shows_counts(page, f"{len(found)} rollouts · {sum(hits.values())} hits")
    open_page(page, f"{page.url}&verdicts=correct&ignores_case=0")
    hits = {key: row.completion.count("wait,") for key, row in rows.items() if row.verdict == "correct"}
    found = {key for key, count in hits.items() if count}
    shows_counts(page, f"{len(found)} rollouts · {sum(hits.values())} hits")
    page.mouse.click(5, 400)
    press(page, "j", button="first")
    key = opened(page)
    assert key in found
    assert key is not None
    shows(page, rows[key])
    assert "".join(response(page).locator(".hit").all_inner_texts()) == "wait," * hits[key]
    shoot("rollouts-search")
    press(page, "j", button="next")
    after = opened(page)
    assert after in found - {key}
    assert after is not None
    shows(page, rows[after])
    press(page, "k", button="previous")
    assert opened(page) == key


def test_keys_that_are_pressed_faster_than_the_page_is_drawn(page: Any, browser: Any, address: str, rows: Rows) -> None:
    """The address names the rollout that is shown."""
    open_page(page, f"{address}/rollouts?run=run")
    page.locator("[class*='st-key-reader-first'] button:enabled").first.wait_for(timeout=WAIT_MS)
    page.mouse.click(5, 400)
    browser.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": 4})
    for presses, pause_ms in ((3, 30), (6, 250), (3, 60)):
        for _ in range(presses):
            page.keyboard.press("j")
            page.wait_for_timeout(pause_ms)
    page.wait_for_timeout(1000)

    def agree() -> bool:
        key = opened(page)  # asked anew each time: a slow machine may still be at the last keys
        if key is None or response(page).count() != 1:
            return False
        title = page.get_by_text(f"{key.problem_id} · sample {key.sample_index} · step {key.step} · ")
        return bool(title.count() == 1 and response(page).inner_text().split() == rows[key].completion.split())

    eventually(agree)


def test_back_leads_to_what_was_there(page: Any, address: str, rows: Rows) -> None:
    """Each key is one step of the browser's history; Q and Back find the filters and the open rollout again."""
    open_page(page, f"{address}/rollouts?run=run&verdicts=wrong")
    page.locator("[class*='st-key-reader-first'] button:enabled").first.wait_for(timeout=WAIT_MS)
    page.mouse.click(5, 400)
    press(page, "j", button="first")
    first = page.url
    press(page, "j", button="next")
    second, key = page.url, opened(page)
    assert key is not None
    press(page, "q", button="question")
    page.locator(".orz-strip td.share").first.wait_for(timeout=WAIT_MS)
    assert page.get_by_text(f"{key.problem_id} · {key.benchmark}", exact=True).count() == 1
    for wanted in (second, first):
        page.go_back()
        page.wait_for_url(wanted, timeout=WAIT_MS)
        settled(page)
    shows_counts(page, f"{sum(row.verdict == 'wrong' for row in rows.values())} rollouts")
    found = opened(page)
    assert found is not None
    shows(page, rows[found])


def test_a_rollout_opened_without_a_run_in_the_address(page: Any, address: str, colleague: Any) -> None:
    """It is that of the same run for a colleague; Back leads out again, and Q to its question."""
    open_page(page, f"{address}/runs")
    page.get_by_test_id("stTopNavLinkContainer").get_by_role("link", name="Rollouts", exact=True).click()
    page.locator("[class*='st-key-reader-first'] button:enabled").first.wait_for(timeout=WAIT_MS)
    settled(page)
    page.mouse.click(5, 400)
    press(page, "j", button="first")
    query = parse_qs(urlparse(page.url).query)
    assert len(query["run"]) == len(query["row"]) == 1
    open_page(colleague, page.url)
    response(colleague).wait_for(timeout=WAIT_MS)
    assert response(colleague).inner_text() == response(page).inner_text()
    page.go_back()
    page.wait_for_url(lambda url: urlparse(url).query == "", timeout=WAIT_MS)
    settled(page)
    page.go_back()
    page.wait_for_url(lambda url: urlparse(url).path == "/runs", timeout=WAIT_MS)
    open_page(page, f"{address}/rollouts?run=run&verdicts=correct&order=problem&descending=1")
    title = page.locator("[class*='st-key-list-and-reader'] strong").first.inner_text()
    page.mouse.click(5, 400)
    press(page, "q", button="question")
    page.get_by_text(f"{title.partition(' ')[2]} · bench", exact=False).first.wait_for(timeout=WAIT_MS)


def test_a_permalink_shows_a_colleague_the_same(page: Any, colleague: Any, address: str, rows: Rows) -> None:
    key = next(key for key, row in rows.items() if row.verdict == "wrong" and len(row.completion) > 30)
    query = f"run=run&verdicts=wrong&order=tokens&descending=1&layer=tags&row={key_text(key)}"
    open_page(page, f"{address}/rollouts?{query.replace('%', '%25')}")
    open_page(colleague, page.url)
    for tab in (page, colleague):
        shows(tab, rows[key])
        shows_counts(tab, f"{sum(row.verdict == 'wrong' for row in rows.values())} rollouts")
        assert tab.get_by_label("Order").input_value() == "Tokens ↓"


def test_a_click_in_the_list_opens_that_rollout(page: Any, address: str, rows: Rows) -> None:
    open_page(page, f"{address}/rollouts?run=run&order=problem")
    table = page.locator('[data-testid="stDataFrame"]').first
    table.locator("canvas").first.wait_for(timeout=WAIT_MS)
    page.wait_for_timeout(500)
    box, before = table.bounding_box(), page.url
    page.mouse.click(box["x"] + 160, box["y"] + 35 + 28 * 3 + 14)
    page.wait_for_url(lambda url: url != before, timeout=WAIT_MS)
    wanted = sorted(rows, key=lambda k: (k.problem_id, k.step, k.kind == "train", k.benchmark, k.sample_index))[3]
    assert opened(page) == wanted


def test_notes_are_kept_and_scores_show_both(
    page: Any, address: str, runs_folder: Path, rows: Rows, shoot: Any
) -> None:
    key = next(key for key, row in rows.items() if key.kind == "eval" and row.verdict == "wrong")
    kept = Annotations(runs_folder / NAME / FILE_NAME, RunIdentity.of(runs_folder / "run", name="run"))

    def noted() -> Annotation:
        return next((found for response, found in kept.of_run().items() if response.key == key), Annotation(key=key))

    open_page(page, f"{address}/suspicious?run=run&row={key_text(key)}".replace("%", "%25"))
    page.get_by_test_id("stProgress").wait_for(state="detached", timeout=WAIT_MS)  # the reader is drawn again then
    settled(page)
    page.get_by_label("Tags").fill("grader bug")
    page.keyboard.press("Enter")
    eventually(lambda: noted().tags == ("grader bug",))
    settled(page)
    page.keyboard.press("Escape")
    form = page.get_by_role("button", name="Verdict", exact=True)
    while form.get_attribute("aria-expanded") != "true":  # a first click may only close the list of tags
        form.click()
        page.wait_for_timeout(300)
    page.get_by_label("because").fill("the gold is another form of it")
    page.keyboard.press("Tab")
    settled(page)
    page.get_by_role("button", name="Override", exact=True).click()
    eventually(lambda: noted().verdict == "correct")
    now = noted()
    assert (now.tags, now.verdict, now.reason) == (("grader bug",), "correct", "the gold is another form of it")
    open_page(page, f"{address}/suspicious?run=run&row={key_text(key)}".replace("%", "%25"))
    page.get_by_text("Scores with overrides").wait_for(timeout=WAIT_MS)
    page.get_by_text("Overridden: correct (the grader says wrong)").wait_for(timeout=WAIT_MS)
    shoot("suspicious-overridden")
    open_page(page, f"{address}/rollouts?run=run&tags=grader+bug&seen=overridden")
    shows_counts(page, "1 rollouts")


@pytest.mark.parametrize(
    "at", ["rollouts?verdicts=wrong&text=wait", "suspicious?", "suspicious?reasons=truncated&reasons=loop"]
)
def test_a_count_is_that_of_its_export(page: Any, address: str, at: str) -> None:
    open_page(page, f"{address}/{at}&run=run")
    count = page.get_by_text(re.compile(r"^[\d,]+ rollouts")).first
    count.wait_for(timeout=WAIT_MS)
    shown = int(count.inner_text().partition(" ")[0].replace(",", ""))
    page.get_by_role("link", name="Export").click()
    page.wait_for_url(lambda url: urlparse(url).path == "/report", timeout=WAIT_MS)
    page.get_by_label("Format").wait_for(timeout=WAIT_MS)
    settled(page)
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download").click()
    text = Path(waiting.value.path()).read_bytes().decode("utf-8")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert len(rows) == shown > 0
    assert page.get_by_text(f"{shown:,} rollouts of run").count() == 1


def test_judgements_of_a_colleague_are_imported(page: Any, address: str, runs_folder: Path, rows: Rows) -> None:
    key = next(key for key, row in rows.items() if key.kind == "eval" and row.verdict == "correct")
    identity = RunIdentity.of(runs_folder / "run", name="run")
    kept = Annotations(runs_folder / NAME / FILE_NAME, identity)
    judgement = {
        "run": identity.id, "run_name": "run", "row": key_text(key), "text": hash_text(text_hash(rows[key].completion)),
        "field": "note", "name": "", "value": "from afar", "reason": None, "author": "ada",
        "time": "2026-01-02T03:04:05+00:00",
    }  # fmt: skip
    open_page(page, f"{address}/report?run=run")
    page.get_by_text("Import judgements").click()
    file = {
        "name": "judged.jsonl",
        "mimeType": "text/plain",
        "buffer": json.dumps({"judgements": [judgement]}).encode(),
    }
    page.locator('input[type="file"]').set_input_files(file)
    page.get_by_role("button", name="Import", exact=True).click()
    page.get_by_text("1 judgement taken in; 0 known already.").wait_for(timeout=WAIT_MS)
    assert any(response.key == key and found.note == "from afar" for response, found in kept.of_run().items())


def test_a_question_across_checkpoints(page: Any, address: str, rows: Rows, shoot: Any) -> None:
    open_page(page, f"{address}/question?run=run&bench=bench0&problem=p1")
    page.locator(".orz-strip td.share").first.wait_for(timeout=WAIT_MS)
    shares = page.locator(".orz-strip td.share").all_inner_texts()
    wanted = []
    for kind in ("eval", "train"):
        for step in (0, 1, 2):
            group = [
                r
                for k, r in rows.items()
                if (k.kind, k.step, k.benchmark, k.problem_id) == (kind, step, "bench0", "p1")
            ]
            wanted += [f"{sum(r.verdict == 'correct' for r in group)}/{len(group)}"] if group else []
    assert shares == wanted
    texts = page.locator(".orz-text").all_inner_texts()
    first, last = (
        next(r for k, r in rows.items() if k == RowKey("bench0", step, "0123456789ab", "p1", 0)) for step in (0, 2)
    )
    assert [" ".join(text.split()) for text in texts] == [" ".join(r.completion.split()) for r in (first, last)]
    shoot("question")


def test_a_hostile_response_stays_inert(page: Any, address: str, shoot: Any) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    dialogs: list[str] = []

    def dismiss(dialog: Any) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", dismiss)
    for sample in (0, 1, 2):
        key = RowKey("arithmetic", 0, "0123456789ab", "<b>p</b>", sample)
        layers = "&layer=value&layer=advantage&layer=tags" if sample == 0 else ""
        open_page(page, f"{address}/rollouts?run=hostile&row={key_text(key)}{layers}".replace("%", "%25"))
        response(page).wait_for(timeout=WAIT_MS)
        shown = response(page).inner_text()
        assert len(shown) < 40_000, "a page sends a part of a megabyte, not all of it"
        if sample == 0:
            assert "<script>window.hacked = 1" in shown
            assert "U+202E" in shown
            assert page.locator(".orz-values i").count() == 160
            assert page.locator(".orz-text .val6.adv-n3").count() > 0, "values lie over the layers of the text"
            place = page.locator(".orz-outline .k-drop")
            assert place.inner_text().startswith("↘ −0.20 ")
            place.click()
            assert page.locator(".orz-place.k-drop").is_checked()
            assert not faint_texts(page)
            shoot("hostile")
            assert "\u202e" not in page.locator(".stMain").inner_text()
        else:
            assert page.get_by_text("The first 30,000 of 1,000,000 characters.").count() == 1
    open_page(page, f"{address}/rollouts?run=hostile&layer=latex")
    page.get_by_text("<script>window.hacked = 1").nth(1).wait_for(timeout=WAIT_MS)
    inert(page)
    open_page(page, f"{address}/question?run=hostile")
    response(page).wait_for(timeout=WAIT_MS)
    page.wait_for_timeout(500)
    inert(page)
    open_page(page, f"{address}/matrix?run=hostile")
    canvas = page.get_by_role("img", name="Pass rates, questions by checkpoint")
    canvas.wait_for(timeout=WAIT_MS)
    canvas.hover()
    page.get_by_text(re.compile("^<b>p</b>, step 0: 0 % correct")).wait_for(timeout=WAIT_MS)
    inert(page)
    hosts = {urlparse(url).hostname for url in asked if urlparse(url).scheme in ("http", "https", "ws", "wss")}
    assert hosts == {"127.0.0.1"}
    assert not dialogs
    assert HOSTILE.count("evil.example") == 7


def inert(page: Any) -> None:
    """Nothing of a text has become an element or has run."""
    assert page.evaluate("window.hacked") is None
    assert (
        page.locator(
            ".stMain a:not([data-testid=stPageLink-NavLink]), .stMain img, .stMain script, .stMain iframe"
        ).count()
        == 0
    )


def test_an_invalid_expression_is_reported(page: Any, address: str) -> None:
    open_page(page, f"{address}/rollouts?run=run&mode=regex&text=(a")
    assert page.get_by_text("is not a valid RE2 regular expression").count() == 1
    open_page(page, f"{address}/rollouts?run=../../etc&row=x&order=nothing&min_tokens=-1")
    assert page.get_by_text("no run '../../etc' in this folder").count() == 1
    assert page.locator('[data-testid="stDataFrame"], .orz-text').count() == 0
    open_page(page, f"{address}/rollouts?run=run&row=x&order=nothing&min_tokens=-1")
    assert page.get_by_text("wanted one of step").count() == 1
    assert ARGUMENTS
