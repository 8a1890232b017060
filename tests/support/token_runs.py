"""Training runs with random tokens, log-probabilities and entropies, for what reads them."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from orz_bench.records.run_dir import RunDir
from tests.support.builders import a_rollout


def a_token_run(
    folder: Path, *, steps: int = 2, rows: int = 30, normalisation: str = "token", **changes: Any
) -> RunDir:
    """Random responses of 20 to 80 tokens."""
    run = RunDir(folder)
    run.create(kind="train", command=["orz-rl"], seed=0, environment={})
    run.write_config(f"loss:\n  normalisation: {normalisation}\n")
    run.write_metrics([{"step": step, "reward/mean": 0.5} for step in range(1, steps + 1)])
    draw = random.Random(7)
    for step in range(1, steps + 1):
        rollouts = []
        for row in range(rows):
            num = draw.randrange(20, 80)
            fields: dict[str, Any] = {
                "token_ids": [draw.randrange(1, 9) for _ in range(num)],
                "logprobs": [-draw.expovariate(2) for _ in range(num)],
                "entropies": [round(draw.expovariate(4) * 8) / 8 for _ in range(num)],
            }
            rollouts.append(
                a_rollout(
                    **{
                        "problem_id": f"p{row // 2}",
                        "sample_index": row,
                        "step": step,
                        "num_tokens": num,
                        "advantage": draw.gauss(0, 1),
                        "prompt_token_ids": [1],
                    }
                    | fields
                    | changes
                )
            )
        run.rollouts(step).path.mkdir(parents=True)
        run.rollouts(step).append(rollouts)
    return run
