"""How long the app's matrix of 500 questions x 100 checkpoints takes: its data, and until a browser has drawn it.

python benchmarks/app_matrix.py; writes results/app_matrix.json. The run has four short made-up samples a question. Needs
Chromium ($CHROMIUM, or on the path) and playwright. What counts is the time from the choice of another order, which sends
and draws all cells anew, until the picture has changed and stays.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from _record import keep

from app.queries.answers import agreed, by_problem, votes
from app.queries.index import RunIndex
from app.queries.measure_files import MeasureFiles
from app.queries.rates import ordered, rates
from app.views.matrix_chart import cells
from orz_bench.records.run_dir import RunDir
from tests.browser.served import chromium_path, served
from tests.support.builders import a_rollout

QUESTIONS, CHECKPOINTS, SAMPLES = 500, 100, 4
LIMIT_S = 1.0
_FINGERPRINT = "0123456789ab"


def written(folder: Path) -> Path:
    """A run whose questions are learned at different steps, and some forgotten."""
    run, rng = RunDir(folder / "run"), random.Random(0)
    run.create(kind="train", command=[], seed=0, environment={})
    middles = [rng.uniform(-20, 120) for _ in range(QUESTIONS)]
    for step in range(CHECKPOINTS):
        directory = run.evaluation(benchmark="arithmetic", step=step, fingerprint=_FINGERPRINT)
        directory.path.mkdir(parents=True)
        directory.protocol_path.write_text("{}", encoding="utf-8")
        directory.append(
            [
                a_rollout(
                    problem_id=f"q{number}", sample_index=sample, step=step,
                    verdict="correct" if right else "wrong", extracted="2" if right else str(rng.randrange(4)),
                )
                for number in range(QUESTIONS)
                for sample in range(SAMPLES)
                for right in [rng.random() < (0.9 if step > middles[number] else 0.15)]
            ]
        )  # fmt: skip
    run.mark("DONE")
    return run.path


def timed(act: Callable[[], object], times: int = 5) -> float:
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        act()
        seconds.append(time.perf_counter() - start)
    return round(statistics.median(seconds), 3)


def in_browser(folder: Path) -> dict[str, float]:
    """Seconds until the page is drawn after another order was chosen, and from an address on."""
    from playwright.sync_api import sync_playwright

    with served(folder) as address, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium_path(), args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1366, "height": 768})
        first = _drawn(page, lambda: page.goto(f"{address}/matrix?run=run"))
        again = []
        for order in ("most forgotten first", "hardest first", "by id", "least stable first", "most learned first"):
            page.get_by_role("combobox", name="Order").click()
            page.wait_for_timeout(500)
            option = page.get_by_role("option", name=order)
            again.append(_drawn(page, option.click))
        loaded = _drawn(page, lambda: page.goto(f"{address}/matrix?run=run&rank=hardest"))
        browser.close()
    return {"first page of a new server": first, "another order": statistics.median(again), "the page again": loaded}


_STATE = """() => {
  const canvas = document.querySelector('[data-testid="stVegaLiteChart"] canvas');
  if (!canvas || !canvas.width) return '';
  const c = document.createElement('canvas'); c.width = 64; c.height = 64;
  c.getContext('2d').drawImage(canvas, 0, 0, 64, 64);
  return c.toDataURL();
}"""


def _drawn(page: Any, act: Callable[[], object]) -> float:
    """Seconds until the picture of the matrix is another one, and stays."""
    before = page.evaluate(_STATE) if page.url.startswith("http") else ""
    start = time.perf_counter()
    act()
    last, since = before, start
    while time.perf_counter() - since < 1.0 or last in ("", before):
        now = page.evaluate(_STATE)
        if now != last:
            last, since = now, time.perf_counter()
        page.wait_for_timeout(20)
        assert time.perf_counter() - start < 60
    return round(since - start, 3)


def main() -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        run = written(Path(name))
        index = RunIndex(run, MeasureFiles.of(run, name="run", side=Path(name) / "side"))
        start = time.perf_counter()
        index.refresh()
        found = {"open the run": round(time.perf_counter() - start, 3)}
        matrix = rates(index, "arithmetic", fingerprint=_FINGERPRINT)
        assert matrix.shares.shape == (QUESTIONS, CHECKPOINTS)
        found["pass rates"] = timed(lambda: rates(index, "arithmetic", fingerprint=_FINGERPRINT))
        found["an order"] = timed(lambda: ordered(matrix, "unstable"))
        found["the cells of the chart"] = timed(lambda: cells(matrix))
        found["wrong majorities"] = timed(lambda: agreed(by_problem(votes(index, "arithmetic"))), 2)
        seconds = found | {f"browser: {what}": value for what, value in in_browser(Path(name)).items()}
    size = {"questions": QUESTIONS, "checkpoints": CHECKPOINTS, "samples": SAMPLES}
    keep("app_matrix", size | {"limit of another order, s": LIMIT_S, "seconds": seconds})


if __name__ == "__main__":
    main()
