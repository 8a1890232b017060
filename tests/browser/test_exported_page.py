"""An exported page in a real browser without a network: hostile texts stay texts, and a row opens by keyboard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from app.queries.exports import exported
from tests.support.app_runs import HOSTILE


def test_an_exported_page_opens_offline_and_is_inert(page: Any, browser: Any, tmp_path: Path, shoot: Any) -> None:
    rows = [
        {"verdict": "wrong", "benchmark": "<b>x</b>", "problem_id": f"p{n}", "step": n, "completion": f"{HOSTILE} {n}"}
        for n in range(3)
    ]
    file = tmp_path / "rollouts.html"
    file.write_bytes(exported(rows, "html"))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    browser.new_cdp_session(page).send("Network.emulateNetworkConditions", offline)
    page.goto(file.as_uri())
    assert page.locator("details").count() == 3
    shown = page.locator("pre").first
    assert "<script>window.hacked = 1" in shown.inner_text()
    second = page.locator("summary").nth(1)
    second.focus()
    page.keyboard.press("Enter")
    assert page.locator("pre").nth(1).is_visible()
    page.wait_for_timeout(200)
    shoot("exported-page")
    assert page.evaluate("window.hacked") is None
    assert page.locator("script, img, a, iframe, link, object, form").count() == 0
    assert asked == [file.as_uri()]
