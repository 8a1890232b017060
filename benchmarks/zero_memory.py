"""Memory of an update of the published models under DeepSpeed ZeRO-3, counted on fake tensors, against `orz-rl plan`.

One rank of 32 runs DeepSpeed's own code with the recipe's shapes; collectives return tensors of the right size without
numbers. Counted: the peak of forward and backward pass in the second update, what stays after it, the peak of loading.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from _record import HERE, keep

CASES = [
    {"model": f"Qwen/Qwen2.5-{size}", "layers": None, "tokens": tokens, "ranks": 32, "role": role, "stage": 3}
    for size, tokens in (("7B", 16_384), ("32B", 10_048))
    for role in ("policy", "critic")
]


def counted(task: dict[str, Any]) -> dict[str, int]:
    command = [sys.executable, "-m", "tests.support.fake_rank", json.dumps(task)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=HERE.parent, check=True)
    found: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    from tests.unit.orz_rl.planning.test_zero_memory import planned

    cases = []
    for task in CASES:
        found, plan = counted(task), planned(task)
        cases.append(
            {
                "task": task,
                "found": found,
                "planned_peak": plan.total,
                "planned_states": plan.states,
                "planned_over_found": plan.total / found["peak"],
            }
        )
    keep("zero_memory", {"cases": cases})


if __name__ == "__main__":
    main()
