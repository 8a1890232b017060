"""One Chromium for all tests in a real browser, one app on made-up runs, and a folder for screenshots."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.served import PROJECT, chromium_path, served
from tests.support.runs import a_run, add_evaluation

ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
SHOTS = PROJECT / ".screenshots"
LAPTOP = {"width": 1366, "height": 768}
HOSTILE = "<img src=x onerror=window.hit=1> ![x](http:x) $x$"
WIDE = {"width": 1920, "height": 1080}


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
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: install the extra dev")
    path = chromium()
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def runs_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two finished runs, one with a hostile name, one running, one crashed."""
    folder = tmp_path_factory.mktemp("runs")
    a_run(folder / "first", num_steps=8)
    add_evaluation(a_run(folder / "second", num_steps=8, seed=7), step=4, seed=7)
    a_run(folder / "growing", num_steps=3).mark("")
    a_run(folder / "crashed", num_steps=3).mark("")
    a_run(folder / HOSTILE, num_steps=3)
    for path in sorted((folder / "crashed").rglob("*")):
        os.utime(path, (1.7e9, 1.7e9))
    return folder


@pytest.fixture(scope="session")
def address(runs_folder: Path) -> Iterator[str]:
    """Of an app on `runs_folder`."""
    with served(runs_folder) as found:
        yield found


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A fresh tab of laptop size, light, without animations; fails on an error in the browser's console."""
    context = browser.new_context(viewport=LAPTOP, color_scheme="light", reduced_motion="reduce")
    tab = context.new_page()
    faults: list[str] = []
    tab.on("pageerror", lambda error: faults.append(str(error)))
    yield tab
    context.close()
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
