"""The app's matrix of 500 questions x 100 checkpoints, and responses of 32,000 tokens: time until they are drawn.

python benchmarks/app_matrix.py [FOLDER]; writes results/app_matrix.json. The runs are made up, in FOLDER unless they
are there: four short samples a question, and eight long responses. Needs Chromium ($CHROMIUM, or on the path) and
playwright. What counts is the time from the choice of another order, which sends and draws all cells anew, until the
picture has changed and stays; and from the key for the next long response until its text is there. The next short
response is the floor of the latter: what the page, Streamlit and the browser take for a text of one line. Wall seconds
mean little on a shared machine: CPU seconds of the server and of the page's main thread are with them, and the load.
"""

from __future__ import annotations

import os
import random
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from _processor import Processor
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
RESPONSES = {"short": 60, "long": 125_000}
"""Characters of the responses of two runs; of the last one, scrolling is measured too."""
_WORDS = [
    f"{word} " for word in re.findall(r"\w+", "so wait the sum of all digits is not what we had before check again")
]
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


def in_browser(folder: Path) -> dict[str, dict[str, float]]:
    """What it takes until the page is drawn after another order was chosen, and from an address on."""
    from playwright.sync_api import sync_playwright

    with served(folder) as address, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium_path(), args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1366, "height": 768})
        clock = Clock(page, Processor(browser))
        found = {"first page of a new server": clock.took(lambda: page.goto(f"{address}/matrix?run=run"), _STATE)}
        again = []
        for order in ("most forgotten first", "hardest first", "by id", "least stable first", "most learned first"):
            page.get_by_role("combobox", name="Order").click()
            page.wait_for_timeout(500)
            again.append(clock.took(page.get_by_role("option", name=order).click, _STATE))
        found["another order"] = _median(again)
        found |= responses_in_browser(page, address, clock=clock)
        browser.close()
    return found


def _median(rows: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(statistics.median(row[name] for row in rows), 3) for name in rows[0]}


class Clock:
    """Wall seconds, and CPU seconds of the server and of the page's main thread, until something else is drawn."""

    def __init__(self, page: Any, processor: Processor) -> None:
        self.page, self.processor = page, processor

    def took(self, act: Callable[[], object], state: str, *, stays_s: float = 1.0) -> dict[str, float]:
        """Until `state`, evaluated in the page, is another text and stays."""
        before = self.page.evaluate(state) if self.page.url.startswith("http") else ""
        used = self.processor.now()
        start = time.perf_counter()
        act()
        last, since = before, start
        while time.perf_counter() - since < stays_s or last in ("", before):
            now = self.page.evaluate(state)
            if now != last:
                last, since = now, time.perf_counter()
            self.page.wait_for_timeout(10)
            assert time.perf_counter() - start < 300
        now_used = self.processor.now()
        return {
            "wall s": round(since - start, 3), "server CPU s": round(now_used.server - used.server, 3),
            "page CPU s": round(now_used.page - used.page, 3),
        }  # fmt: skip


_STATE = """() => {
  const hosts = [document, ...[...document.querySelectorAll('*')].map(e => e.shadowRoot).filter(Boolean)];
  const canvas = hosts.map(e => e.querySelector('canvas[role=img]')).find(Boolean);
  if (!canvas || !canvas.width) return '';
  const { width, height } = canvas;
  const column = canvas.getContext('2d').getImageData(Math.round(width * 0.3), 0, 1, height).data;
  let hash = 7;
  for (const value of column) hash = (hash * 31 + value) | 0;
  return `${width} ${height} ${hash}`;
}"""


def written_responses(folder: Path, *, chars: int) -> None:
    """A run with eight responses; 125,000 characters are about 32,000 tokens."""
    run, rng = RunDir(folder), random.Random(0)
    run.create(kind="eval", command=[], seed=0, environment={})
    rows = []
    for number in range(8):
        lines: list[str] = []
        while sum(map(len, lines)) < chars:
            lines.append(f"{len(lines)}. {' '.join(rng.choices(_WORDS, k=14))} = {rng.randrange(10**6)}\n")
            lines += rng.choices(lines, k=rng.random() < 0.1)
        rows.append(a_rollout(problem_id=f"p{number}", completion="".join(lines) + "</think> \\boxed{2}"))
    directory = run.evaluation(benchmark="arithmetic", step=0, fingerprint=_FINGERPRINT)
    directory.path.mkdir(parents=True)
    directory.protocol_path.write_text("{}", encoding="utf-8")
    directory.append(rows)
    run.mark("DONE")


_TEXT_STATE = "() => { const e = document.querySelector('.orz-text'); return e ? e.textContent.slice(0, 300) : '' }"
_SCROLL = """async () => {
  const e = document.querySelector('.orz-text'); const frames = []; let last = performance.now();
  for (let n = 0; n < 60; n++) {
    e.scrollTop += 600;
    await new Promise(requestAnimationFrame);
    frames.push(performance.now() - last); last = performance.now();
  }
  return frames.sort((a, b) => a - b)[30];
}"""


def responses_in_browser(page: Any, address: str, *, clock: Clock) -> dict[str, dict[str, float]]:
    """From a key until the next response is there, short or long, and the median time of a frame of scrolling."""
    found: dict[str, dict[str, float]] = {}
    for length in RESPONSES:
        page.goto(f"{address}/rollouts?run={length}")
        page.locator(".orz-text").first.wait_for(timeout=300_000)
        page.wait_for_timeout(10_000)  # meanwhile the run is measured
        page.mouse.click(5, 400)
        taken = [clock.took(lambda: page.keyboard.press("j"), _TEXT_STATE) for _ in range(6)]
        found[f"the next {length} response"] = _median(taken)
    return found | {"a frame of scrolling": {"ms": round(page.evaluate(_SCROLL), 1)}}


def main() -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(sys.argv[1] if len(sys.argv) > 1 else name)
        run = folder / "run"
        if not run.exists():
            written(folder)
        for length, chars in RESPONSES.items():
            if not (folder / length).exists():
                written_responses(folder / length, chars=chars)
        index = RunIndex(run, MeasureFiles.of(run, name="run", side=folder / ".orz-app"))
        start = time.perf_counter()
        index.refresh()
        found = {"open the run": round(time.perf_counter() - start, 3)}
        matrix = rates(index, "arithmetic", fingerprint=_FINGERPRINT)
        assert matrix.shares.shape == (QUESTIONS, CHECKPOINTS)
        found["pass rates"] = timed(lambda: rates(index, "arithmetic", fingerprint=_FINGERPRINT))
        found["an order"] = timed(lambda: ordered(matrix, "unstable"))
        found["the cells of the chart"] = timed(lambda: cells(matrix, of="step"))
        found["wrong majorities"] = timed(lambda: agreed(by_problem(votes(index, "arithmetic"))), 2)
        drawn = in_browser(folder)
    load = round(os.getloadavg()[0], 1)
    size = {"questions": QUESTIONS, "checkpoints": CHECKPOINTS, "samples": SAMPLES}
    keep("app_matrix", size | {"limits": LIMITS_S, "seconds": found, "drawn": drawn, "load": load})


if __name__ == "__main__":
    main()
