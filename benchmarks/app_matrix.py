"""The app's matrix of 500 questions x 100 checkpoints, and responses of 32,000 tokens: seconds until they are drawn.

python benchmarks/app_matrix.py; writes results/app_matrix.json. The runs are made up: four short samples a question,
and eight long responses. Needs Chromium ($CHROMIUM, or on the path) and playwright. What counts is the time from the
choice of another order, which sends and draws all cells anew, until the picture has changed and stays; and from the key
for the next long response until its text is there.
"""

from __future__ import annotations

import os
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
LIMITS_S = {"another order": 1.0, "the next long response": 0.3}
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
        long = long_in_browser(page, address)
        browser.close()
    return {
        "first page of a new server": first,
        "another order": statistics.median(again),
        "the page again": loaded,
    } | long


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


def written_long(folder: Path) -> None:
    """A run with responses of 125,000 characters: about 32,000 tokens."""
    run, rng = RunDir(folder / "long"), random.Random(0)
    run.create(kind="eval", command=[], seed=0, environment={})
    words = [
        f"{word} "
        for word in [
            "so",
            "wait",
            "the",
            "sum",
            "of",
            "all",
            "digits",
            "is",
            "not",
            "what",
            "we",
            "had",
            "before",
            "check",
            "again",
        ]
    ]
    rows = []
    for number in range(8):
        lines = []
        while sum(map(len, lines)) < 125_000:
            lines.append(f"{len(lines)}. {' '.join(rng.choices(words, k=14))} = {rng.randrange(10**6)}\n")
            lines += rng.choices(lines, k=rng.random() < 0.1)
        rows.append(a_rollout(problem_id=f"p{number}", completion="".join(lines) + "</think> \\boxed{2}"))
    directory = run.evaluation(benchmark="arithmetic", step=0, fingerprint=_FINGERPRINT)
    directory.path.mkdir(parents=True)
    directory.protocol_path.write_text("{}", encoding="utf-8")
    directory.append(rows)
    run.mark("DONE")


_LONG_STATE = "() => { const e = document.querySelector('.orz-text'); return e ? e.textContent.slice(0, 300) : '' }"
_SCROLL = """async () => {
  const e = document.querySelector('.orz-text'); const frames = []; let last = performance.now();
  for (let n = 0; n < 60; n++) {
    e.scrollTop += 600;
    await new Promise(requestAnimationFrame);
    frames.push(performance.now() - last); last = performance.now();
  }
  return frames.sort((a, b) => a - b)[30];
}"""


def long_in_browser(page: Any, address: str) -> dict[str, float]:
    """Seconds from a key until the next long response is there, and the median milliseconds of a frame of scrolling."""
    page.goto(f"{address}/rollouts?run=long")
    page.locator(".orz-outline").wait_for(timeout=60_000)
    page.wait_for_timeout(3000)
    page.mouse.click(5, 400)
    seconds = []
    for _ in range(6):
        before = page.evaluate(_LONG_STATE)
        start = time.perf_counter()
        page.keyboard.press("j")
        while page.evaluate(_LONG_STATE) in ("", before):
            page.wait_for_timeout(5)
        seconds.append(time.perf_counter() - start)
        page.wait_for_timeout(1500)
    return {
        "the next long response": round(statistics.median(seconds), 3),
        "a frame of scrolling, ms": round(page.evaluate(_SCROLL), 1),
    }


def main() -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        run = written(Path(name))
        written_long(Path(name))
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
    keep("app_matrix", size | {"limits": LIMITS_S, "seconds": seconds, "load": round(os.getloadavg()[0], 1)})


if __name__ == "__main__":
    main()
