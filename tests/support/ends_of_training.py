"""Training that is ended at named points, by a signal or a full disk, and gone on with by the same command.

`python -m tests.support.ends_of_training FOLDER [POINT:END ...]` prints one JSON line a case; without cases, of all.
Every case is a process of its own, forked from one that has the libraries loaded. For full disks FOLDER has to be a
small disk: `unshare -m sh -c 'mount -t tmpfs -o size=64m none FOLDER && python -m ... FOLDER'`.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from tests.support import named_points
from tests.support.named_points import Point
from tests.support.training import EVERY_TWO_STEPS, SMALL, metrics_of, rollouts_of

STEPS = 4
ARGUMENTS = (
    *SMALL,
    f"num_steps={STEPS}",
    *EVERY_TWO_STEPS,
)


def marks_done(_run: object, mark: str, *_: object) -> bool:
    return mark == "DONE"


POINTS = {
    "before the first rollout": Point("orz_rl.rollout.collector:Collector", "collect", 1),
    "in sampling": Point("orz_bench.evaluation.recorder:Recorder", "add", 3),
    "writing rollouts": Point("orz_bench.records.parquet", "write_part", 3),
    "between rollouts and update": Point("orz_rl.training.learner:Learner", "score", 2),
    "in the update": Point("orz_rl.workers.model_rank:ModelRank", "_optimiser_step", 8),
    "writing advantages": Point("orz_bench.records.parquet", "_put_merged_in_place", 5),
    "before the step's metrics": Point("orz_bench.records.run_dir:RunDir", "append_metrics", 3),
    "in the checkpoint's write": Point("orz_rl.workers.model_rank:ModelRank", "save_state", 1),
    "in the second checkpoint's write": Point("orz_rl.workers.model_rank:ModelRank", "save_state", 4),
    "in the checkpoint's rename": Point("orz_rl.training.checkpoint", "write_text", 1),
    "deleting an old checkpoint": Point("orz_rl.training.checkpoint:Checkpoints", "prune", 2),
    "in evaluation": Point("orz_bench.evaluation.evaluate", "_completions", 2),
    "at the very end": Point("orz_bench.records.run_dir:RunDir", "mark", 1, is_counted=marks_done),
}
"""The last is DONE itself."""
ENDS = ("SIGKILL", "SIGTERM", "full disk")
CODES = {"SIGKILL": -signal.SIGKILL, "SIGTERM": 143, "full disk": 2}


def run_case(folder: Path, point: str, *, end: str, whole: Path) -> dict[str, Any]:
    """End a run there, look at it, run the command again, and compare with the unbroken run."""
    run = folder / "run"
    code, text = forked(run, folder / "first.txt", lambda: arm(point, end=end, folder=folder))
    state = next((name for name in ("DONE", "FAILED") if (run / name).exists()), "none")
    facts = {
        "point": point,
        "end": end,
        "exit": code,
        "marked": state,
        "lines": [line for line in text.splitlines() if line.startswith(("error:", "stopped;"))],
        "traceback": "Traceback" in text or "*** " in text,
        "unfinished": [path.name for path in run.glob("checkpoints/*") if not (path / "manifest.json").exists()],
    }
    for filler in folder.glob("filler*"):
        filler.unlink()
    again, text = forked(run, folder / "second.txt", lambda: None)
    facts |= {
        "again": again,
        "done": (run / "DONE").exists(),
        "metrics equal": again == 0 and metrics_of(run) == metrics_of(whole),
        "rollouts equal": again == 0
        and all(rollouts_of(run, step) == rollouts_of(whole, step) for step in range(1, STEPS + 1)),
        "leftovers": sorted(str(path.relative_to(run)) for path in run.rglob(".*") if path.name != ".lock"),
    }
    facts["fine"] = is_fine(facts)
    if not facts["fine"]:
        facts["text"] = text[-2000:] + (folder / "first.txt").read_text(errors="replace")[-3000:]
    shutil.rmtree(folder)
    return facts


def is_fine(facts: dict[str, Any]) -> bool:
    """Ended as it should, marked, in one line, nothing left behind, and the same in the end."""
    killed = facts["end"] == "SIGKILL"
    return bool(
        facts["exit"] == CODES[facts["end"]]
        and facts["marked"] == ("none" if killed else "FAILED")
        and (killed or (len(facts["lines"]) == 1 and not facts["traceback"] and not facts["unfinished"]))
        and facts["done"]
        and facts["metrics equal"]
        and facts["rollouts equal"]
        and not facts["leftovers"]
    )


def forked(run: Path, output: Path, prepare: Callable[[], None]) -> tuple[int, str]:
    """(exit code, what it printed) of the training command in a child."""
    child = os.fork()
    if child == 0:
        file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, 1)
        os.dup2(file, 2)
        sys.argv = ["orz-rl", *ARGUMENTS, "--out", str(run)]
        prepare()
        from orz_rl.cli import app

        app()
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), output.read_text(errors="replace")


def arm(point: str, *, end: str, folder: Path) -> None:
    """Let it come when the point is reached."""
    if end == "full disk":
        named_points.arm(POINTS[point], partial(fill, folder / "filler"))
    else:
        named_points.arm(POINTS[point], partial(named_points.send_to_this_process, signal.Signals[end]))


def fill(path: Path) -> None:
    """Leave no byte on the disk of this file."""
    for size in (1 << 20, 4096, 1):
        with path.with_name(f"{path.name}{size}").open("ab", buffering=0) as file, suppress(OSError):
            while file.write(b"x" * size):
                pass


def main() -> None:
    """The whole run first, then the cases."""
    import tests.support.heavy_libraries  # noqa: F401 - loaded once, for all cases

    folder = Path(sys.argv[1])
    cases = [tuple(text.split(":")) for text in sys.argv[2:]] or [(p, e) for p in POINTS for e in ENDS]
    whole = folder / "whole"
    code, text = forked(whole, folder / "whole.txt", lambda: None)
    assert code == 0, text
    for number, (point, end) in enumerate(cases):
        case = folder / f"case-{number}"
        case.mkdir()
        print(json.dumps(run_case(case, point, end=end, whole=whole)), flush=True)


if __name__ == "__main__":
    main()
