"""How long the app's pages take at first sight and again: 200 runs, a run of 1,000 steps, and 100,000 rollouts.

python benchmarks/app_pages.py; writes results/app_pages.json. Each page is drawn by its whole script, without a
browser; CPU seconds tell more than wall time on a machine that does something else. Made-up runs; texts of real lengths
(benchmarks/_rollouts.py) for the 100,000. Measures, which a process of their own computes, are not waited for.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # the builders of the tests

import streamlit.components.v2.manifest_scanner as scanner
from _record import data_folder, keep
from _rollouts import read_source, write_run
from streamlit.testing.v1 import AppTest

import app.shell  # loaded beforehand: a server loads it once
from tests.support.runs import a_run

LIMITS_S = {"first": 2.0, "again": 0.5}
PAGES = {
    "200 runs": ("runs", "training", "benchmarks"),
    "1,000 steps": ("runs", "training", "benchmarks", "rollouts", "question", "suspicious"),
    "100,000 rollouts": ("rollouts", "question", "suspicious"),
}
SEARCHES = {
    "a filter": {"verdicts": "wrong"},
    "literal, any case": {"text": "wait"},
    "regex": {"text": r"\bwa.t\b", "mode": "regex"},
}


def script(name: str) -> None:
    """One page."""
    from app.shell import PAGES as SPECS
    from app.shell import show_page

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
    """The three folders of runs."""
    first = a_run(folder / "200 runs" / "r000", num_steps=30).path
    for number in range(1, 200):
        shutil.copytree(first, first.with_name(f"r{number:03d}"))
    a_run(folder / "1,000 steps" / "run", num_steps=1000)
    (folder / "100,000 rollouts").mkdir()
    write_run(folder / "100,000 rollouts" / "run", 100_000, source=read_source(data_folder()))


def main() -> None:
    """Measure everything."""
    assert app.shell.PAGES
    scanner.scan_component_manifests = lambda *_, **__: []  # an AppTest searches all packages for components
    result: dict[str, dict[str, dict[str, float]]] = {}
    rows: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:  # measures are still written
        made(Path(folder))
        for title, pages in PAGES.items():
            os.environ["ORZ_RUNS"] = str(Path(folder) / title)
            rows = result[title] = {}
            for page in pages:
                rows[f"{page}, first"] = drawn(page)
                rows[f"{page}, again"] = drawn(page)
        for title, parameters in SEARCHES.items():
            rows[f"rollouts, {title}"] = drawn("rollouts", **parameters)
    keep("app_pages", {"limits": LIMITS_S} | result)


if __name__ == "__main__":
    main()
