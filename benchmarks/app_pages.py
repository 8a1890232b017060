"""How long the app's pages take at first sight and again: 200 runs, a run of 1,000 steps, 100,000 rollouts, findings.

python benchmarks/app_pages.py [FOLDER]; writes results/app_pages.json. Each page is drawn by its whole script, without
a browser; then, of the 100,000, in Chromium until it has settled. CPU seconds tell more than wall time on a machine
that does something else. Made-up runs, in FOLDER unless they are there, and the recorded one of examples/runs; texts of
real lengths (benchmarks/_rollouts.py) for the 100,000; one run with the results of all analyses. Measures, which a
process of their own computes, are not waited for without a browser, and are there with one. Needs Chromium ($CHROMIUM,
or on the path) and playwright.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # the builders of the tests
os.environ.setdefault("OMP_NUM_THREADS", "1")  # as app/main.py

import streamlit.components.v2.manifest_scanner as scanner
from _processor import Processor
from _record import data_folder, keep
from _rollouts import read_source, write_run
from streamlit.config import set_option
from streamlit.testing.v1 import AppTest

import app.shell  # loaded beforehand: a server loads it once
from app.judging.side_folder import side_folder
from app.queries.measure_files import MeasureFiles
from app.queries.parts import folders_of
from tests.browser.served import chromium_path, served
from tests.support.analysed import analysed
from tests.support.runs import a_run

LIMITS_S = {"first": 2.0, "again": 0.5}
SETTLED_S = {"cold": 3.0, "page": 1.0, "filter": 0.5}
PAGES = {
    "200 runs": ("runs", "training", "benchmarks"),
    "1,000 steps": ("runs", "training", "live", "benchmarks", "rollouts", "question", "suspicious", "findings"),
    "100,000 rollouts": ("rollouts", "question", "suspicious", "matrix", "live", "judging", "findings"),
    "all analyses": ("findings",),
    "smollm2": ("training", "benchmarks", "findings"),
}
IN_BROWSER = (
    "runs", "training", "live", "benchmarks", "matrix", "rollouts", "question", "suspicious", "judging",
    "findings", "data", "report",
)  # fmt: skip
REPEATS = 5
WORDS = ("however,", "therefore", "because", "wait,", "number of")
"""Searches: a word that was searched before is found at once."""
SEARCHES = {
    "a filter": {"verdicts": "wrong"},
    "literal, any case": {"text": "wait"},
    "regex": {"text": r"\bwa.t\b", "mode": "regex"},
    "groups by problem": {"group": "problem"},
    "groups by answer": {"group": "answer"},
}


def script(name: str) -> None:
    """One page."""
    from app.shell import PAGES as SPECS
    from app.shell import show_page
    from app.views.libraries import leave_libraries_out

    leave_libraries_out()  # as a server does before every page
    show_page(next(spec for spec in SPECS if spec.name == name), {})


def drawn(name: str, **parameters: str) -> dict[str, float]:
    """Seconds to draw a page."""
    test = AppTest.from_function(script, kwargs={"name": name}, default_timeout=900)
    for parameter, value in parameters.items():
        test.query_params[parameter] = value
    wall, cpu = time.perf_counter(), time.process_time()
    test.run()
    assert not test.exception
    assert not test.error
    return {"wall s": round(time.perf_counter() - wall, 2), "cpu s": round(time.process_time() - cpu, 2)}


def made(folder: Path) -> None:
    """The folders of runs."""
    first = a_run(folder / "200 runs" / "r000", num_steps=30).path
    for number in range(1, 200):
        shutil.copytree(first, first.with_name(f"r{number:03d}"))
    a_run(folder / "1,000 steps" / "run", num_steps=1000)
    (folder / "100,000 rollouts").mkdir()
    write_run(folder / "100,000 rollouts" / "run", 100_000, source=read_source(data_folder()))
    analysed(folder / "all analyses" / "run")
    shutil.copytree(HERE.parent / "examples" / "runs" / "smollm2", folder / "smollm2" / "smollm2")


class Settled:
    """Seconds from an address until the script has ended and the page stays as it is."""

    def __init__(self, page: Any, processor: Processor) -> None:
        self.page, self.processor = page, processor

    def took(self, act: Callable[[], object]) -> dict[str, float]:
        """Wall seconds, and CPU seconds of the server and of the page's main thread."""
        used = self.processor.now()
        start = time.perf_counter()
        act()
        last, since = "", start
        while not last or time.perf_counter() - since < STAYS_S:
            now = self.page.evaluate(_STATE)
            if now != last:
                last, since = now, time.perf_counter()
            self.page.wait_for_timeout(20)
            assert time.perf_counter() - start < 300
        now_used = self.processor.now()
        return {
            "wall s": round(since - start, 2), "server CPU s": round(now_used.server - used.server, 2),
            "page CPU s": round(now_used.page - used.page, 2),
        }  # fmt: skip


def in_browser(folder: Path) -> dict[str, dict[str, float]]:
    """Every page of the 100,000 rollouts at first and again; the median of a filter, a search and the next rollout."""
    from playwright.sync_api import sync_playwright

    found: dict[str, dict[str, float]] = {}
    with served(folder) as address, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium_path(), args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1366, "height": 768})
        clock = Settled(page, Processor(browser))
        for name in IN_BROWSER:
            found[f"{name}, first"] = clock.took(partial(page.goto, f"{address}/{name}?run=run"))
        for name in IN_BROWSER:
            link = page.get_by_test_id("stTopNavLinkContainer").get_by_role("link", name=name.title(), exact=True)
            found[f"{name}, again"] = clock.took(link.click if link.count() else partial(_more, page, name))
        rollouts = partial(page.goto, f"{address}/rollouts?run=run")
        found["a filter"] = middle([_filtered(page, clock, opened=rollouts) for _ in range(REPEATS)])
        found["a search"] = middle([_searched(page, clock, word=word, opened=rollouts) for word in WORDS])
        page.mouse.click(5, 400)
        found["the next rollout"] = middle([clock.took(lambda: page.keyboard.press("j")) for _ in range(REPEATS)])
        browser.close()
    return found


def middle(times: list[dict[str, float]]) -> dict[str, float]:
    """The repetition with the median wall time."""
    return sorted(times, key=lambda one: one["wall s"])[len(times) // 2]


def _filtered(page: Any, clock: Settled, *, opened: Callable[[], object]) -> dict[str, float]:
    clock.took(opened)
    page.get_by_role("button", name="Filters").first.click()
    verdict = page.get_by_role("combobox", name="Verdict")
    verdict.fill("wrong")
    return clock.took(lambda: verdict.press("Enter"))


def _searched(page: Any, clock: Settled, *, word: str, opened: Callable[[], object]) -> dict[str, float]:
    clock.took(opened)
    search = page.get_by_label("Search in responses")
    search.fill(word)
    return clock.took(lambda: search.press("Enter"))


def _more(page: Any, name: str) -> None:
    """A page that the navigation has put into its menu."""
    page.get_by_test_id("stTopNavSection").click()
    page.get_by_role("link", name=name.title(), exact=True).click()


STAYS_S = 0.7
_STATE = """() => {
  const app = document.querySelector('[data-testid=stApp][data-test-script-state=notRunning]');
  const main = document.querySelector('.stMain');
  if (!app || !main || document.querySelector('[data-testid=stSpinner], [data-stale=true]')) return '';
  // A grid is painted on its canvas; the table inside, for screen readers, follows a fifth of a second later.
  const grids = [...main.querySelectorAll('canvas')];
  const nodes = main.querySelectorAll('*').length - main.querySelectorAll('canvas *').length;
  const text = main.textContent.length - grids.reduce((sum, grid) => sum + grid.textContent.length, 0);
  return location.href + ' ' + nodes + ' ' + text;
}"""


def without_browser(folder: Path) -> dict[str, dict[str, float]]:
    """Every page of a folder of runs at first and again, and the searches in the 100,000 rollouts."""
    os.environ["ORZ_RUNS"] = str(folder)
    rows = {f"{page}, {when}": drawn(page) for page in PAGES[folder.name] for when in ("first", "again")}
    searches = SEARCHES if folder.name == "100,000 rollouts" else {}
    return rows | {f"rollouts, {name}": drawn("rollouts", **given) for name, given in searches.items()}


def main() -> None:
    """Measure everything."""
    assert app.shell.PAGES
    scanner.scan_component_manifests = lambda *_, **__: []  # an AppTest searches all packages for components
    set_option("global.showWarningOnDirectExecution", value=False)  # and all frames for how it was started
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as made_up:  # measures are still written
        folder = Path(sys.argv[1] if len(sys.argv) > 1 else made_up)
        if not (folder / "200 runs").exists():
            made(folder)
        result = {title: without_browser(folder / title) for title in PAGES}
        large = folder / "100,000 rollouts"
        files = MeasureFiles.of(large / "run", name="run", side=side_folder(large))
        files.update(folders_of(large / "run"))
        result["100,000 rollouts in Chromium"] = in_browser(large)
    load = round(os.getloadavg()[0], 1)
    keep("app_pages", {"limits": LIMITS_S, "settled limits": SETTLED_S} | result | {"load": load})


if __name__ == "__main__":
    main()
