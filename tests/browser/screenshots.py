"""Screenshots of every page for the documents: `python -m tests.browser.screenshots RUNS docs/screenshots`.

Takes the newest training runs of the folder; `make screenshots` calls it. Prints what it wrote. The page Findings shows
what is stored in the run (`orz-bench probe RUN`, `orz-analysis detect RUN`), and some results computed on request.
"""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.parse import urlencode

from playwright.sync_api import Browser, sync_playwright

from app.runs.folder import RunsFolder
from tests.browser.conftest import ARGUMENTS, LAPTOP, open_page, settled
from tests.browser.served import chromium_path, served

PAGES = (
    "runs", "training", "live", "benchmarks", "matrix", "rollouts", "question", "suspicious", "judging", "findings",
    "report",
)  # fmt: skip
MOST_RUNS = 3
TALL = LAPTOP | {"height": 1150}
"""Of pages whose figures begin below the first screen."""
OVERLAID = ("runs", "training", "benchmarks")
"""Pages that are shown with several runs."""
ASKED = {"report": "&made=1", "findings": "&computed=boundary&computed=tokens", "judging": "&who=Ada"}
"""What a page shows only when it is asked for."""


def main(runs: Path, out: Path) -> None:
    """Write PAGE.png of every page in light, and training-dark.png."""
    names = [entry.name for entry in RunsFolder.at(runs).runs() if (entry.path / "metrics.jsonl").exists()][:MOST_RUNS]
    path = chromium_path()
    if not names or path is None:
        sys.exit(f"{runs}: {'no training run' if path else 'no Chromium'}; make one first (make demo, $CHROMIUM).")
    out.mkdir(parents=True, exist_ok=True)
    with served(runs) as address, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        for page in PAGES:
            query = urlencode([("run", name) for name in (names if page in OVERLAID else names[:1])])
            _shoot(browser, f"{address}/{page}?{query}{ASKED.get(page, '')}", out / f"{page}.png")
            if page == "training":
                _shoot(browser, f"{address}/{page}?{query}", out / "training-dark.png", is_dark=True)
        browser.close()


def _shoot(browser: Browser, address: str, path: Path, *, is_dark: bool = False) -> None:
    size = TALL if path.stem == "findings" else LAPTOP
    context = browser.new_context(viewport=size, color_scheme="dark" if is_dark else "light")  # type: ignore[arg-type]  # two numbers
    page = context.new_page()
    open_page(page, address)
    page.wait_for_selector('[data-testid="stProgress"]', state="detached", timeout=180_000)
    settled(page)
    first = page.get_by_role("button", name="First rollout")
    if first.count():
        first.click()
        page.locator("[class*='st-key-reader-']").first.wait_for(timeout=180_000)
        settled(page)
    page.wait_for_timeout(2500)  # charts grow into place
    page.screenshot(path=path)
    context.close()
    print(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
