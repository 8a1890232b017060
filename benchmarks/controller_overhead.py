"""How much of a `tiny` step is the controller's own work: its CPU time over the wall time of the step.

critical: CPU time of the controller's main thread, during which models and engines may have nothing to do. whole: that
of all its threads; grading's bookkeeping, Parquet and Ray's own threads run beside the engines. The rest of a step is
spent waiting for engines and models, which are processes of their own.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from _record import keep

WARM, STEPS = 2, 8


class Silent:
    """Ignores all progress events."""

    def notice(self, text: str) -> None: ...
    def warn(self, text: str) -> None: ...
    def sampled(self, rollouts: Any) -> None: ...
    def stepped(self, row: Any, num_steps: int) -> None: ...


def measured(folder: Path) -> list[dict[str, float]]:
    from orz_rl.recipes.registry import resolve
    from orz_rl.training.identity import Maker, open_run
    from orz_rl.training.loop import open_loop
    from orz_rl.training.preparation import prepare

    config = resolve("tiny", overrides=["eval.benchmarks="])
    setup = prepare(config, out=folder / "run", data=(), notice=lambda _: None)
    open_run(setup.run, config, prompts=setup.prompts, made_by=Maker("native", ("benchmark",)), notice=lambda _: None)
    steps = []
    with ExitStack() as stack:
        loop = open_loop(setup, Silent(), stack=stack)
        loop.trainer.synchronise(0)
        for number in range(1, WARM + STEPS + 1):
            wall, main, whole = time.perf_counter(), time.thread_time(), time.process_time()
            loop.step(number)
            steps.append(
                {
                    "wall_s": time.perf_counter() - wall,
                    "critical_cpu_s": time.thread_time() - main,
                    "whole_cpu_s": time.process_time() - whole,
                }
            )
    return steps[WARM:]


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        steps = measured(Path(name))
    medians = {key: statistics.median(step[key] for step in steps) for key in steps[0]}
    keep(
        "controller_overhead",
        {
            "rollouts_a_step": 256,
            "steps": STEPS,
            **{key: round(value, 3) for key, value in medians.items()},
            "critical_share": round(medians["critical_cpu_s"] / medians["wall_s"], 4),
            "whole_share": round(medians["whole_cpu_s"] / medians["wall_s"], 4),
        },
    )


if __name__ == "__main__":
    main()
