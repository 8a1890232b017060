"""What the app's pages on rollouts wait for, on 100,000 and 1,000,000 rollouts, beside pandas on JSON lines.

python benchmarks/app_queries.py [ROWS ...]; writes results/app_queries.json. The rollouts are made from real ones
(benchmarks/_rollouts.py) in a temporary folder. Every query runs five times with an empty cache of selections, and the
median counts; searches twice. Each size is measured in a process of its own, for its peak of memory.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from _record import data_folder, keep
from _rollouts import read_source, write_run

from app.queries.filters import Filters, QueueFilters
from app.queries.index import RunIndex
from app.queries.measure_files import MeasureFiles
from app.queries.parts import folders_of
from app.queries.questions import history, questions
from app.queries.rows import group, one_row, page, place_of, text_of
from app.queries.selection import facets, select

SIZES = (100_000, 1_000_000)
MEASURED_ROWS = 100_000
"""Rows whose measures are computed; the files of a larger run's other parts are drawn from theirs, to save minutes."""
LIMITS_MS = {"page": 300, "filter": 150, "literal": 2000, "regex": 4000}
"""At 100,000 rollouts; five times as much at a million."""


def measure(files: MeasureFiles) -> float:
    """Compute or draw the measures of every part; returns rollouts measured a second."""
    parts = [part for folder in folders_of(files.run) for part in folder.parts]
    rows = {part: pq.read_metadata(part.path).num_rows for part in parts}
    rng = np.random.default_rng(0)
    stride = max(sum(rows.values()) // MEASURED_ROWS, 1)
    chosen = sorted(parts, key=lambda part: -rows[part])
    computed, start = chosen[::stride], time.perf_counter()
    for part in computed:
        files.write(part)
    speed = sum(rows[part] for part in computed) / (time.perf_counter() - start)
    for part in set(parts) - set(computed):
        table = pq.read_table(files.path(computed[int(rng.integers(len(computed)))]), partitioning=None)
        drawn = table.take(rng.integers(0, table.num_rows, rows[part]))
        files.path(part).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(drawn, files.path(part), compression="zstd")
    return speed


def queries(index: RunIndex) -> dict[str, tuple[str, Callable[[], object]]]:
    """By name: the limit that holds, and what a page asks for."""

    def listed(filters: Filters) -> object:
        selection = select(index, filters)
        rows = page(index, selection, offset=0, limit=20)
        return facets(index, selection), rows

    def rollouts() -> object:
        selection = select(index, Filters(order="tokens", descending=True))
        rows = page(index, selection, offset=selection.total // 2, limit=20)
        row = one_row(index, rows[3].key)
        assert row is not None
        return (
            facets(index, select(index, Filters())),
            place_of(index, selection, key=row.key),
            text_of(index, row),
            group(index, row.key),
        )

    def question() -> object:
        found = questions(index)[0]
        steps = history(index, found.benchmark, problem_id=found.problem_id)
        rows = [one_row(index, step.samples[0].key) for step in (steps[0], steps[-1])]
        return [text_of(index, row) for row in rows if row]

    wrong = Filters(verdicts=("wrong",), kind="eval", min_tokens=200)
    return {
        "page Rollouts": ("page", rollouts),
        "page Question": ("page", question),
        "page Suspicious": ("page", lambda: listed(QueueFilters())),
        "filter change": ("filter", lambda: listed(wrong)),
        "literal search, any case, rare": ("literal", lambda: listed(Filters(text="perpendicular bisector"))),
        "literal search, case kept, frequent": ("literal", lambda: listed(Filters(text="the", ignores_case=False))),
        "literal search, any case, frequent": ("literal", lambda: listed(Filters(text="the"))),
        "regex, reflection words": ("regex", lambda: listed(Filters(text=r"wait,|however,|recheck", mode="regex"))),
        "regex, words with is": ("regex", lambda: listed(Filters(text=r"\b(\w+) is", mode="regex"))),
        "regex, nested stars": ("regex", lambda: listed(Filters(text=r"(a|b)*c(\d+)*$", mode="regex"))),
    }


def in_this_process(run: Path) -> None:
    """Time the queries on a run and print them with the peak of memory."""
    files = MeasureFiles.of(run, name=run.name, side=run.parent / "side")
    index = RunIndex(run, files)
    start = time.perf_counter()
    coverage = index.refresh()
    found: dict[str, float] = {"open the run, ms": round(1000 * (time.perf_counter() - start))}
    found["look for what is new, ms"] = round(timed(index.refresh, index, times=5))
    for name, (limit, query) in queries(index).items():
        times = 5 if limit in ("page", "filter") else 2
        found[f"{name}, ms"] = round(timed(query, index, times=times))
    found["peak MiB"] = peak_mib()
    print(json.dumps({"rollouts": coverage.num_rollouts, "parts": coverage.num_parts, **found}))


def timed(query: Callable[[], object], index: RunIndex, *, times: int) -> float:
    """Median milliseconds with an empty cache of selections."""
    seconds = []
    for _ in range(times):
        index.selections.clear()
        start = time.perf_counter()
        query()
        seconds.append(time.perf_counter() - start)
    return 1000 * statistics.median(seconds)


def pandas_in_this_process(lines: Path) -> None:
    """The same with pandas, all rollouts in memory."""
    import pandas as pd

    start = time.perf_counter()
    frame = pd.read_json(lines, lines=True)
    found = {"read, ms": round(1000 * (time.perf_counter() - start))}

    def timed_once(name: str, query: Callable[[], object]) -> None:
        start = time.perf_counter()
        query()
        found[f"{name}, ms"] = round(1000 * (time.perf_counter() - start))

    wrong = (frame["verdict"] == "wrong") & (frame["num_tokens"] >= 200)
    timed_once("filter change", lambda: frame[wrong].sort_values(["step", "problem_id", "sample_index"])[:20])
    timed_once(
        "literal search, any case, rare",
        lambda: frame["completion"].str.contains("perpendicular bisector", case=False, regex=False).sum(),
    )
    timed_once("literal search, case kept, frequent", lambda: frame["completion"].str.count("the").sum())
    timed_once("regex, reflection words", lambda: frame["completion"].str.count("(?i)wait,|however,|recheck").sum())
    print(json.dumps({"rollouts": len(frame), **found, "peak MiB": peak_mib()}))


def peak_mib() -> int:
    """Of this process."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def alone(option: str, path: Path) -> dict[str, float]:
    """What the script prints in a process of its own."""
    command = [sys.executable, __file__, option, str(path)]
    found: dict[str, float] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
    return found


def write_json_lines(run: Path, target: Path) -> Path:
    """The run's rollouts as other tools keep them."""
    columns = [
        "benchmark",
        "problem_id",
        "sample_index",
        "step",
        "question",
        "gold",
        "completion",
        "num_tokens",
        "verdict",
    ]
    with target.open("w", encoding="utf-8") as file:
        for folder in folders_of(run):
            for part in folder.parts:
                rows = pq.read_table(part.path, columns=columns, partitioning=None).to_pylist()
                file.writelines(json.dumps(row) + "\n" for row in rows)
    return target


def main(sizes: tuple[int, ...]) -> None:
    source = read_source(data_folder())
    result: dict[str, object] = {"limits at 100,000 rollouts, ms": LIMITS_MS}
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            run = Path(folder) / "run"
            write_run(run, size, source=source)
            files = MeasureFiles.of(run, name=run.name, side=run.parent / "side")
            speed = measure(files)
            num_bytes = sum(part.size for one in folders_of(run) for part in one.parts)
            found = alone("--run", run)
            result[f"{size:,}"] = {"parquet MiB": num_bytes >> 20, "measured a second": round(speed), **found}
            if size == sizes[0]:
                result[f"{size:,} with pandas"] = alone("--pandas", write_json_lines(run, Path(folder) / "rows.jsonl"))
    keep("app_queries", result)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        in_this_process(Path(sys.argv[2]))
    elif sys.argv[1:2] == ["--pandas"]:
        pandas_in_this_process(Path(sys.argv[2]))
    else:
        main(tuple(map(int, sys.argv[1:])) or SIZES)
