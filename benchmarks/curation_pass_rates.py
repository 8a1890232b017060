"""The pass-rate stage with real models: `tiny` on 200 sums, and SmolLM2-135M on 50 problems of two kinds.

python benchmarks/curation_pass_rates.py SMOLLM2 (a folder, from `orz-bench model fetch smollm2-135m`); without it, tiny
alone. Results: results/curation_pass_rates.json.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from _record import keep

from orz_rl.curation.pipeline import curate
from orz_rl.curation.settings import checked

_SUMS = {"path": "arithmetic", "count": 200}
_FEW_SUMS = {"path": "arithmetic", "count": 25}
_LEGS = {"path": "reasoning_gym:leg_counting", "count": 25, "settings": {"min_animals": 1, "max_animals": 2}}


def main(smollm2: str | None) -> None:
    result = {"tiny": filtered("tiny", [_SUMS], samples=8, options={"max_tokens": 112})}
    if smollm2 is not None:
        options = {
            "template": "few-shot",
            "max_tokens": 60,
            "stop": ["Problem:"],
            "extractor": "boxed",
            "temperature": 0.3,
        }
        result["smollm2-135m"] = filtered(smollm2, [_FEW_SUMS, _LEGS], samples=4, options=options)
    keep("curation_pass_rates", result)


def filtered(model: str, sources: list[dict[str, Any]], *, samples: int, options: dict[str, Any]) -> dict[str, Any]:
    """Fates and the histogram of correct samples."""
    settings = {
        "sources": sources,
        "decontaminate": {"against": ["arithmetic"]},
        "pass_rate": {"model": model, "samples": samples, "max": 0.9, "options": options},
    }
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        done = curate(checked(settings, where="curation_pass_rates"), out=Path(folder))
        rows = pq.read_table(Path(folder) / "fates.parquet").to_pylist()
    counts = [json.loads(row["extra"]).get("num_correct") for row in rows]
    return {
        "samples": samples,
        "options": options,
        "rows": done.num_rows,
        "kept": done.num_kept,
        "dropped": dict(Counter(row["reason"] for row in rows if row["reason"])),
        "correct_samples": dict(sorted(Counter(count for count in counts if count is not None).items())),
        "seconds": round(time.perf_counter() - start),
    }


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
