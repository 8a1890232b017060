"""The page Findings in a real browser: reached from the start page by clicks, inert, computed on request."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.browser.conftest import HOSTILE, WIDE, open_page, settled
from tests.browser.contrast import faint_texts, go_dark
from tests.browser.served import served
from tests.support.analysed import analysed

WAIT_MS = 60_000


def test_the_findings_of_a_run_are_two_clicks_away(page: Any, tmp_path: Path, shoot: Any) -> None:
    """Of a run with a hostile name and a hostile model: from the start page, with one result computed on request."""
    analysed(tmp_path / HOSTILE, model=HOSTILE)
    with served(tmp_path) as address:
        open_page(page, address)
        page.get_by_test_id("stTopNavLinkContainer").get_by_role("link", name="Findings").click()
        page.wait_for_url(lambda url: urlsplit(url).path == "/findings", timeout=WAIT_MS)
        page.get_by_text("Yes, in part: its questions are completed better than fresh ones.").wait_for(timeout=WAIT_MS)
        settled(page)
        page.locator('[data-testid="stImage"] img').nth(3).wait_for(timeout=WAIT_MS)
        assert page.locator('[data-testid="stImage"] img').count() == 4
        widths = page.locator('[data-testid="stImage"] img').evaluate_all("all => all.map(one => one.naturalWidth)")
        assert min(widths) > 400
        assert faint_texts(page) == {}
        shoot("findings")
        page.get_by_role("button", name="Compute").last.click()
        page.get_by_text("of the weights moved by more than 1e-05").wait_for(timeout=WAIT_MS)
        settled(page)
        assert parse_qs(urlsplit(page.url).query)["computed"] == ["weights"]
        assert page.evaluate("() => 'hit' in window") is False
        assert page.get_by_text("fault of the app").count() == 0
        page.set_viewport_size(WIDE)
        go_dark(page)
        assert faint_texts(page) == {}
        shoot("findings-dark")
