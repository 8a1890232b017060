"""The shell and its four pages in a real Chromium, on made-up runs."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.browser.conftest import HOSTILE, WIDE, open_page, settled
from tests.browser.contrast import faint_texts, go_dark
from tests.browser.served import served
from tests.support.runs import a_run

TITLES = (
    "runs", "training", "live", "benchmarks", "matrix", "rollouts", "question", "suspicious", "judging", "data",
    "report", "findings",
)  # fmt: skip


def _parameters(page: Any) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def _cells(page: Any) -> str:
    """Texts of a table: it is drawn on a canvas, with a real table inside for screen readers."""
    table = page.locator('[data-testid="stDataFrame"] canvas table').first
    table.locator("td").nth(2).wait_for(state="attached")
    return str(table.text_content())


def _settled_at(page: Any, path: str) -> dict[str, list[str]]:
    page.wait_for_url(lambda url: urlsplit(url).path == path, timeout=15_000)
    settled(page)
    return _parameters(page)


@pytest.mark.parametrize("name", TITLES)
def test_every_page_opens_by_its_address_and_asks_no_other_site(
    page: Any, address: str, shoot: Callable[[str], Path], name: str
) -> None:
    hosts: list[str | None] = []
    page.on("request", lambda request: hosts.append(urlsplit(request.url).hostname))
    missing: list[str] = []
    page.on("response", lambda answer: missing.append(answer.url) if answer.status >= 400 else None)
    open_page(page, f"{address}/{name}?run=second&run=first")
    assert page.locator('[data-testid="stException"], [role="dialog"]').count() == 0
    assert urlsplit(page.url).path == f"/{name}"
    assert page.get_by_text("fault of the app").count() == 0
    assert _parameters(page)["run"] == ["second", "first"]
    assert {host for host in hosts if host} == {"127.0.0.1"}
    assert not missing, "the front end knows where its server is"
    assert faint_texts(page) == {}
    shoot(f"{name}-laptop-light")
    page.set_viewport_size(WIDE)
    go_dark(page)
    assert faint_texts(page) == {}
    shoot(f"{name}-wide-dark")


def test_the_table_says_what_the_files_say(page: Any, address: str, runs_folder: Path) -> None:
    open_page(page, address)
    shown = _cells(page)
    for name, state in (("first", "finished"), ("growing", "running"), ("crashed", "crashed")):
        assert name in shown
        assert state in shown
    [summary] = (runs_folder / "first").glob("evals/arithmetic/step=000008/*/summary.json")
    score = json.loads(summary.read_text())
    ends = f"{100 * score['avg_at_n']:.1f} (± "
    assert ends in shown or f"{100 * score['avg_at_n']:.1f} ({100 * score['question_low']:.1f} to " in shown


def test_a_ticked_run_goes_into_the_address_and_to_other_pages(page: Any, address: str) -> None:
    open_page(page, address)
    canvas = page.locator('[data-testid="stDataFrame"] canvas').first
    canvas.click(position={"x": 16, "y": 34 + 17}, force=True)  # a transparent scroller is on top
    page.wait_for_url(lambda url: "run=" in url, timeout=15_000)
    chosen = _parameters(page)["run"]
    page.get_by_test_id("stTopNavLinkContainer").get_by_role("link", name="Training").click()
    assert _settled_at(page, "/training")["run"] == chosen
    open_page(page, page.url)
    assert page.locator('[data-testid="stMultiSelect"]').first.inner_text().strip() == chosen[0]


def test_the_choice_of_runs_shows_those_of_the_page_wherever_one_comes_from(page: Any, address: str) -> None:
    """By the navigation: every other page showed no run, or the newest one, above the figures of another."""
    open_page(page, f"{address}/runs?run=second")
    links = page.get_by_test_id("stTopNavLinkContainer")
    for title in ("Training", "Benchmarks", "Matrix", "Report"):
        links.get_by_role("link", name=title, exact=True).click()
        assert _settled_at(page, f"/{title.lower()}")["run"] == ["second"]
        assert page.locator('[data-testid="stMultiSelect"]').first.inner_text().strip() == "second", title
    for title in ("Rollouts", "Question", "Suspicious", "Findings"):
        links.get_by_role("link", name=title, exact=True).click()
        assert _settled_at(page, f"/{title.lower()}")["run"] == ["second"]
        assert page.get_by_role("combobox", name="Run", exact=True).input_value() == "second", title


def test_a_run_is_ticked_with_the_keyboard(page: Any, address: str) -> None:
    """By Shift+Space in the table, and in the choice of runs, which is the first thing after the navigation."""
    open_page(page, f"{address}/runs")
    page.locator('[data-testid="stDataFrame"] canvas').first.focus()
    for keys in (["ArrowDown"], ["ArrowDown"], ["Shift+Space"]):
        page.keyboard.press(keys[0])
    page.wait_for_url(lambda url: "run=" in url, timeout=15_000)
    assert len(_parameters(page)["run"]) == 1
    open_page(page, f"{address}/runs?run=second")
    choice = page.get_by_label("Runs", exact=True).last
    choice.focus()
    page.keyboard.type("first")
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: url.count("run=") == 2, timeout=15_000)
    assert _parameters(page)["run"] == ["second", "first"]


def test_a_point_leads_to_its_rollouts_and_back_again(page: Any, address: str) -> None:
    open_page(page, f"{address}/training?run=first&metric=reward/mean")
    chart = page.locator('[data-testid="stVegaLiteChart"]').first
    chart.locator("canvas, svg").first.wait_for()
    box = chart.bounding_box()
    page.mouse.click(box["x"] + box["width"] - 12, box["y"] + box["height"] / 2)
    found = _settled_at(page, "/rollouts")
    assert (found["run"], found["kind"], found["step"]) == (["first"], ["train"], ["8"])
    page.go_back()
    found = _settled_at(page, "/training")
    assert found["metric"] == ["reward/mean"]
    page.wait_for_timeout(1000)
    assert urlsplit(page.url).path == "/training"


def test_a_permalink_is_the_first_thing_asked_of_a_server_and_a_growing_run_is_followed(
    tmp_path: Path, page: Any
) -> None:
    run = a_run(tmp_path / "x", num_steps=3, changes={"num_steps": 9})
    run.mark("")
    with served(tmp_path) as address:
        open_page(page, f"{address}/benchmarks?run=x")
        page.get_by_text("Accuracy over checkpoints").wait_for()
        assert page.get_by_role("link", name="Training").count() == 1
        open_page(page, address)
        assert "3 / 9" in _cells(page)
        with run.metrics_path.open("a") as file:
            file.write('{"step": 4, "reward/mean": 0.5}\n')
        deadline = time.monotonic() + 100
        while "4 / 9" not in _cells(page) and time.monotonic() < deadline:
            page.wait_for_timeout(250)
        assert "4 / 9" in _cells(page)
        run.mark("DONE")
        done = "() => document.querySelector('[data-testid=stDataFrame] canvas').textContent.includes('finished')"
        page.wait_for_function(done, timeout=100_000)


def test_a_report_is_inert(page: Any, address: str, shoot: Callable[[str], Path]) -> None:
    open_page(page, f"{address}/report?made=1&{urlencode({'run': HOSTILE})}")
    inner = page.frame_locator("iframe").frame_locator("iframe")
    inner.get_by_role("heading", name="Did it learn?").wait_for(timeout=300_000)
    settled(page)
    outer, report = page.frames[1:]
    assert report.frame_element().get_attribute("sandbox") == ""
    assert not any(frame.evaluate("() => 'hit' in window") for frame in (page.main_frame, outer))
    shoot("report-made")


def test_a_download_is_what_the_files_say(page: Any, address: str, runs_folder: Path) -> None:
    open_page(page, f"{address}/report?run=first&rows=metrics&format=jsonl")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download").click()
    rows = [json.loads(line) for line in Path(waiting.value.path()).read_text().splitlines()]
    source = [json.loads(line) for line in (runs_folder / "first" / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [row["step"] for row in source]
    assert [row["reward/mean"] for row in rows] == [row["reward/mean"] for row in source]


def test_below_a_path_of_its_server(tmp_path: Path, page: Any) -> None:
    """Every page opens by its address and by a link, and asks for nothing that is not there."""
    a_run(tmp_path / "x", num_steps=3)
    missing: list[str] = []
    with served(tmp_path, below="lab/orz") as address:
        page.on("response", lambda answer: missing.append(answer.url) if answer.status >= 400 else None)
        open_page(page, f"{address}/training?run=x")
        assert page.get_by_text("reward/mean").count()
        page.get_by_test_id("stTopNavLinkContainer").get_by_role("link", name="Rollouts", exact=True).click()
        assert _settled_at(page, "/lab/orz/rollouts")["run"] == ["x"]
        open_page(page, f"{address}/?run=x")
        assert _settled_at(page, "/lab/orz/runs")["run"] == ["x"]
    assert not missing


def test_no_page_may_frame_the_app(page: Any, address: str) -> None:
    """Not even one of the same machine, and no site steers it by messages."""
    for path in ("", "/rollouts", "/_stcore/host-config", "/favicon.png", "/none"):
        answer = page.request.get(address + path)
        assert answer.headers["content-security-policy"] == "frame-ancestors 'none'"
        assert answer.headers["x-frame-options"] == "DENY"
    assert page.request.get(f"{address}/_stcore/host-config").json()["allowedOrigins"] == []


def test_only_this_machine_can_connect(address: str) -> None:
    port = urlsplit(address).port
    assert port is not None
    own = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), port, family=socket.AF_INET)}
    others = sorted(str(host) for host in own if not str(host).startswith("127."))
    if not others:
        pytest.skip("this machine has no address but loopback")
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((others[0], port), timeout=3).close()
