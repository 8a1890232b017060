"""Training ended at named points by SIGKILL, SIGTERM and a full disk, and gone on with: what was lost, what was marked.

    unshare -m sh -c 'mount -t tmpfs -o size=80m none D && python -m tests.support.ends_of_training D' > cases.jsonl
    python benchmarks/ends_of_training.py cases.jsonl

keeps the table of the cases. Those that a test repeats are in tests/integration/test_ends_of_training.py.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from _record import keep

COLUMNS = (
    "point",
    "end",
    "exit",
    "marked",
    "traceback",
    "unfinished",
    "again",
    "metrics equal",
    "rollouts equal",
    "fine",
)


def main() -> None:
    if not sys.argv[1:]:
        print("a tool: name the files of cases; without them it does nothing")
        return
    lines = [line for name in sys.argv[1:] for line in Path(name).read_text("utf-8").splitlines()]
    cases = [json.loads(line) for line in lines if line.startswith("{")]
    rows = [{name: case[name] for name in COLUMNS} for case in cases]
    keep("ends_of_training", {"num_cases": len(rows), "num_fine": sum(row["fine"] for row in rows), "cases": rows})


if __name__ == "__main__":
    main()
