"""One Chromium and one app on made-up runs for all tests in a real browser, and a folder for screenshots.

A page costs seconds of CPU, half of which compile the scripts of Streamlit, unless Chromium has a profile on disk, in
which it keeps what it has compiled. So the tests share one, and each leaves it without stored data.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from app.queries.keys import RowKey
from orz_bench.records.rollout import Rollout
from tests.browser.served import PROJECT, chromium_path, served
from tests.support.app_runs import hostile_run, random_run
from tests.support.assessed import assess
from tests.support.changed_runs import changed_runs
from tests.support.curated_sets import curated
from tests.support.runs import a_run, add_evaluation

ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
SHOTS = PROJECT / ".screenshots"
LAPTOP = {"width": 1366, "height": 768}
HOSTILE = "<img src=x onerror=window.hit=1> ![x](http:x) $x$"
WIDE = {"width": 1920, "height": 1080}
STORED = "cookies,file_systems,indexeddb,local_storage,service_workers,websql"
"""All that a page can leave for the next one; what the browser has compiled is its own."""


def chromium() -> str:
    """The path of Chromium: $CHROMIUM, or one on the path; skips the calling test where there is none."""
    found = chromium_path()
    if found is None:
        pytest.skip(
            "no Chromium: install one (`apt-get install chromium`, or `playwright install chromium`) "
            "and put it on the path, or name it in $CHROMIUM"
        )
    return found


@pytest.fixture(scope="session")
def chromium_type() -> Iterator[Any]:
    """What starts Chromium."""
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: install the extra dev")
    chromium()
    with playwright.sync_playwright() as driver:
        yield driver.chromium


@pytest.fixture(scope="session")
def browser(chromium_type: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The one of `page`: with tabs of laptop size, light, without animations, and with a profile on disk."""
    opened = chromium_type.launch_persistent_context(
        tmp_path_factory.mktemp("profile"),
        executable_path=chromium(),
        args=list(ARGUMENTS),
        viewport=LAPTOP,
        color_scheme="light",
        reduced_motion="reduce",
    )
    yield opened
    opened.close()


@pytest.fixture
def colleague(chromium_type: Any) -> Iterator[Any]:
    """A tab of somebody else's browser."""
    opened = chromium_type.launch(executable_path=chromium(), args=list(ARGUMENTS))
    yield opened.new_page(viewport=LAPTOP)
    opened.close()


Rows = dict[RowKey, Rollout]


@pytest.fixture(scope="session")
def runs_and_rows(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Rows]:
    """Two finished runs, one with a hostile name, one running, one crashed, one with hostile rows, one with many."""
    folder = tmp_path_factory.mktemp("runs")
    a_run(folder / "first", num_steps=8)
    add_evaluation(a_run(folder / "second", num_steps=8, seed=7), step=4, seed=7)
    a_run(folder / "growing", num_steps=3).mark("")
    a_run(folder / "crashed", num_steps=3).mark("")
    a_run(folder / HOSTILE, num_steps=3)
    for evaluation in hostile_run(folder / "hostile").evaluations():
        assess(evaluation, num=1)
    _, found = random_run(folder / "run")
    for path in sorted((folder / "crashed").rglob("*")):
        os.utime(path, (1.7e9, 1.7e9))
    return folder, {RowKey(r.benchmark, r.step, f, r.problem_id, r.sample_index): r for _, f, r in found}


@pytest.fixture(scope="session")
def runs_folder(runs_and_rows: tuple[Path, Rows]) -> Path:
    return runs_and_rows[0]


@pytest.fixture(scope="session")
def rows(runs_and_rows: tuple[Path, Rows]) -> Rows:
    """Those of `run`."""
    return runs_and_rows[1]


@pytest.fixture(scope="session")
def address(runs_folder: Path) -> Iterator[str]:
    """Of an app on `runs_folder`."""
    with served(runs_folder) as found:
        yield found


@pytest.fixture(scope="session")
def finding(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an app on runs that answer the same questions otherwise, a growing one, and a curated set."""
    folder = tmp_path_factory.mktemp("finding")
    changed_runs(folder)
    a_run(folder / "growing", num_steps=3).mark("")
    curated(folder / "mix")
    with served(folder) as found:
        yield found


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A fresh tab; fails on an error in the browser's console."""
    tab = browser.new_page()
    faults: list[str] = []
    tab.on("pageerror", lambda error: faults.append(str(error)))
    yield tab
    address = urlsplit(tab.url)
    if address.netloc:
        forgotten = {"origin": f"{address.scheme}://{address.netloc}", "storageTypes": STORED}
        browser.new_cdp_session(tab).send("Storage.clearDataForOrigin", forgotten)
    _, *tabs = browser.pages  # with the first one Chromium would end
    for one in tabs:
        one.close()
    assert not faults, f"errors in the page: {faults}"


@pytest.fixture
def shoot(page: Any) -> Callable[[str], Path]:
    """Take a screenshot into the ignored folder; CI keeps it."""

    def take(name: str) -> Path:
        SHOTS.mkdir(exist_ok=True)
        path = SHOTS / f"{name}.png"
        page.screenshot(path=path)
        return path

    return take


def open_page(tab: Any, address: str) -> None:
    """Go there and wait until the script has run to its end."""
    tab.goto(address)
    settled(tab)


def settled(tab: Any) -> None:
    """Wait until Streamlit has nothing more to draw."""
    tab.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]', timeout=300_000)
