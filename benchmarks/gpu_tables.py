"""Writes the tables of docs/gpu.md, from `orz-rl plan` and results/overlap_plan.json."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from orz_rl.planning.plan import Hardware, make_plan
from orz_rl.planning.scaling import scaled
from orz_rl.recipes.registry import resolve

PROJECT = Path(__file__).resolve().parents[1]
DOCUMENT = PROJECT / "docs" / "gpu.md"
RESULT = PROJECT / "benchmarks" / "results" / "overlap_plan.json"
PRICE = 2.0
RUNS = (
    ("orz_0p5b", 8, 8900),
    ("orz_0p5b", 8, 750),
    ("orz_7b", 8, 750),
    ("orz_7b", 32, 8900),
    ("orz_7b", 64, 8900),
    ("orz_7b", 64, 750),
    ("orz_32b", 128, 1100),
)
"""(recipe, GPUs, steps)."""


def blocks() -> dict[str, str]:
    """Name -> table."""
    result = json.loads(RESULT.read_text(encoding="utf-8"))
    return {"plan": _plan(), "overlap": _overlap(result["orz"]), "measured": _measured(result)}


def written(text: str) -> str:
    """The document with its tables as they are now."""
    for name, table in blocks().items():
        pattern = rf"(<!-- {name}: written by [^\n]*-->\n).*?(<!-- end of {name} -->)"
        text, count = re.subn(pattern, lambda found, table=table: found[1] + table + found[2], text, flags=re.DOTALL)
        assert count == 1, name
    return text


def _plan() -> str:
    rows = []
    for recipe, gpus, steps in RUNS:
        config = resolve(recipe)
        config = resolve(recipe, overrides=[*scaled(config, gpus).settings, f"num_steps={steps}"])
        plan = make_plan(config, Hardware(), mean_tokens=2000)
        parts = " + ".join(f"{seconds:.0f}" for seconds in plan.seconds.values())
        needs = f"{plan.training_bytes / 2**30:.0f}{'' if plan.fits else ', does not fit'}"
        hours = plan.gpu_hours()
        rows.append(
            (recipe, gpus, f"{steps:,}", parts, needs, f"{plan.days:.1f}", f"{hours:,.0f}", f"{hours * PRICE:,.0f}")
        )
    titles = (
        "recipe",
        "GPUs",
        "steps",
        "sample + score + update, s",
        "training, GiB of 80",
        "days",
        "GPU-hours",
        "cost",
    )
    return _table(titles, rows)


def _overlap(result: dict[str, Any]) -> str:
    rows = []
    for recipe, found in result.items():
        first = found["modes"][0]["step_s"]
        for each in found["modes"]:
            split = (
                f"{each['gpus_of_models']} shared"
                if each["mode"].endswith("colocated")
                else f"{each['gpus_of_engines']} + {each['gpus_of_models']}"
            )
            steps = resolve(recipe).num_steps
            rows.append(
                (
                    f"{recipe}, {found['gpus']}",
                    each["mode"],
                    split,
                    f"{each['step_s']:.0f}",
                    f"{first / each['step_s']:.2f}",
                    f"{100 * each['engines_idle']:.0f} %",
                    f"{100 * abs(each['trainer_idle']):.0f} %",
                    f"{each['step_s'] * steps / 86_400:.1f}",
                )
            )
    titles = (
        "recipe, GPUs", "simulated", "GPUs of engines + models", "s a step", "times as fast", "engines idle",
        "trainer idle", "days for all steps",
    )  # fmt: skip
    return _table(titles, rows)


def _measured(result: dict[str, Any]) -> str:
    tiny = result["tiny"]
    rows = [
        (
            "`tiny`, strictly on-policy",
            f"{tiny['measured_cpu_s_a_step']:.2f} CPU s",
            f"{tiny['predicted_cpu_s_a_step']:.2f} CPU s ({100 * tiny['relative_error']:+.0f} %)",
            "",
            "",
        )
    ]
    for found in result["tiny_overlap"]:
        error = f"{100 * found['relative_error']:+.0f} %"
        rows.append(
            (
                f"`tiny`, one step ahead, seed {found['seed']}",
                f"{found['measured_s_a_step']:.2f} s",
                f"{found['predicted_s_a_step']:.2f} s ({error})",
                f"{found['measured_times_as_fast']:.2f}",
                f"{found['predicted_times_as_fast']:.2f}",
            )
        )
    for found in result["verl"]:
        seconds, times = found["predicted_async_s"], found["predicted_times_as_fast"]
        rows.append(
            (
                f"verl, {found['gpus']} GPUs, asynchronous",
                f"{found['published_async_s']:.0f} s",
                f"{seconds['staleness_1']:.0f} s; {seconds['staleness_4']:.0f} s",
                f"{found['published_times_as_fast']:.2f}",
                f"{times['staleness_1']:.2f}; {times['staleness_4']:.2f}",
            )
        )
    titles = (
        "run", "step, measured", "step, simulated (staleness 1; 4)", "times as fast, measured or published",
        "simulated (staleness 1; 4)",
    )  # fmt: skip
    return _table(titles, rows)


def _table(titles: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n" + "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines) + "\n"


if __name__ == "__main__":
    DOCUMENT.write_text(written(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
