"""What a comparison of backends found: tables, comparison.json and curves.csv, from the run directories alone."""

from __future__ import annotations

import csv
import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from orz_bench.errors import ConfigError, counted
from orz_bench.records.metrics import METRICS
from orz_bench.records.run_dir import RunDir, read_json, write_text
from orz_bench.results.lookup import ComparedBenchmark, compare_runs
from orz_bench.results.report import render_comparisons
from orz_rl.backends.comparing.runs import Contest, Usage

CURVES = ("reward/mean", "response/length_mean", "reflection/rate", "policy/grad_norm", "policy/entropy")
_ENDS = 5
"""Steps whose mean stands for the beginning and the end of a curve."""


def write_files(contest: Contest, *, found: Mapping[str, Any]) -> None:
    """comparison.json, and curves.csv with one row a step and backend."""
    write_text(contest.out / "comparison.json", json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    with (contest.out / "curves.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["backend", "step", *CURVES])
        for name in contest.names:
            writer.writerows([name, row["step"], *(row.get(key, "") for key in CURVES)] for row in _rows(contest, name))


def facts_of(contest: Contest, compared: Mapping[str, Sequence[ComparedBenchmark]]) -> dict[str, Any]:
    """Everything that comparison.json holds."""
    return {
        "schema_version": 1,
        "command": shlex.join(["orz-rl", *contest.command[3:]]),
        "backends": {name: _facts_of(contest, name) for name in contest.names},
        "same_prompts": len({json.dumps(read_json(_prompts(contest, name))) for name in contest.names}) == 1,
        "steps_with_equal_rollouts": {name: _num_equal(contest, name) for name in contest.names[1:]},
        "evaluations": {
            name: json.loads(str(render_comparisons(items, format_="json")))["comparisons"]
            for name, items in compared.items()
        },
    }


def compared_with_first(contest: Contest) -> dict[str, list[ComparedBenchmark]]:
    """The last evaluations of every backend against those of the first, question by question; {} without any."""
    first = str(contest.run_of(contest.names[0]).path)
    try:
        return {
            name: compare_runs(first, str(contest.run_of(name).path), benchmarks=None, across_protocols=False)
            for name in contest.names[1:]
        }
    except ConfigError:
        if contest.config.eval.benchmarks:
            raise
        return {}


def render(contest: Contest, *, found: Mapping[str, Any], compared: Mapping[str, Sequence[ComparedBenchmark]]) -> Group:
    """For a terminal."""
    parts: list[RenderableType] = [_times(found), Text(), _curves(contest), Text(), *_notes(contest, found)]
    for name, items in compared.items():
        parts += [Text(), Text(f"A: {contest.names[0]}, B: {name}"), render_comparisons(items, format_="text")]
    runs = [str(contest.run_of(name).path) for name in contest.names]
    parts += [
        Text(),
        Text(f"written: {contest.out / 'comparison.json'}, {contest.out / 'curves.csv'}; the curves as figures:"),
        Text("  " + shlex.join(["orz-analysis", "compare", *runs, "--out", str(contest.out)])),
    ]
    return Group(*parts)


def _facts_of(contest: Contest, name: str) -> dict[str, Any]:
    run, rows = contest.run_of(name), _rows(contest, name)
    usage = [item for item in contest.usage() if item.backend == name]
    return {
        "version": run.info().get("packages", {}),
        "steps": len(rows),
        "seconds_a_step": _phases(rows, "time/"),
        "cpu_seconds_a_step": _phases(rows, "cpu/"),
        "usage": [asdict(item) for item in usage],
        "cpu_s": _sum(item.cpu_s for item in usage),
        "cpu_s_a_step": _cpu_a_step(usage),
        "wall_s": _sum(item.wall_s for item in usage),
        "curves": {
            key: {"first": fmean(values[:_ENDS]), "last": fmean(values[-_ENDS:])}
            for key in CURVES
            if (values := [row[key] for row in rows if key in row])
        },
        "avg_at_n": {
            f"{result.benchmark} step {result.step}": result.summary.avg_at_n
            for result in sorted(run.results(), key=lambda result: (result.benchmark, result.step))
        },
    }


def _phases(rows: Sequence[Mapping[str, Any]], prefix: str) -> dict[str, float]:
    """The mean of every phase that a backend reports."""
    return {
        key.removeprefix(prefix): fmean(row[key] for row in rows if key in row)
        for key in METRICS
        if key.startswith(prefix) and any(key in row for row in rows)
    }


def _cpu_a_step(usage: Sequence[Usage]) -> float | None:
    """Over all processes that made at least two steps."""
    known = [(item.cpu_of_steps_s, item.last_step - item.first_step - 1) for item in usage if item.cpu_of_steps_s]
    steps = sum(count for _, count in known)
    return sum(seconds or 0.0 for seconds, _ in known) / steps if steps else None


def _sum(values: Iterator[float]) -> float | None:
    found = list(values)
    return sum(found) if found else None


def _rows(contest: Contest, name: str) -> list[dict[str, Any]]:
    rows, _ = contest.run_of(name).metrics()
    return rows


def _prompts(contest: Contest, name: str) -> Path:
    return contest.run_of(name).path / "prompts.json"


def _num_equal(contest: Contest, name: str) -> int:
    """The number of steps, from the first on, in which a backend sampled the same tokens as the first one."""
    steps = 0
    for step in range(1, contest.config.num_steps + 1):
        ours, theirs = (_tokens(contest.run_of(each), step) for each in (contest.names[0], name))
        if not ours or ours != theirs:
            break
        steps += 1
    return steps


def _tokens(run: RunDir, step: int) -> dict[tuple[str, int], list[int]]:
    folder = run.rollouts(step)
    if not folder.path.is_dir():
        return {}
    rows = folder.read(["problem_id", "sample_index", "token_ids"]).to_pylist()
    return {(row["problem_id"], row["sample_index"]): row["token_ids"] for row in rows}


def _times(found: Mapping[str, Any]) -> Table:
    backends = found["backends"]
    table = _table(["", *backends])
    for key, label in (("seconds_a_step", "s a step"), ("cpu_seconds_a_step", "CPU s a step")):
        for phase in dict.fromkeys(phase for facts in backends.values() for phase in facts[key]):
            table.add_row(f"{label}: {phase}", *(_number(each[key].get(phase)) for each in backends.values()))
    table.add_row("CPU s a step, all processes", *(_number(each["cpu_s_a_step"]) for each in backends.values()))
    table.add_row("CPU s, whole run", *(_number(each["cpu_s"]) for each in backends.values()))
    table.add_row("s, whole run", *(_number(each["wall_s"]) for each in backends.values()))
    for benchmark in dict.fromkeys(name for each in backends.values() for name in each["avg_at_n"]):
        scores = [each["avg_at_n"].get(benchmark) for each in backends.values()]
        table.add_row(f"avg@n %: {benchmark}", *(_number(None if s is None else 100 * s) for s in scores))
    return table


def _curves(contest: Contest) -> Table:
    shown = CURVES[:3]
    table = _table(["step", *(f"{name}: {key}" for key in shown for name in contest.names)])
    by_step = {name: {row["step"]: row for row in _rows(contest, name)} for name in contest.names}
    steps = sorted(set().union(*by_step.values()))
    every = max(1, -(-len(steps) // 12))
    for step in [*steps[:-1:every], *steps[-1:]]:
        cells = [by_step[name].get(step, {}).get(key) for key in shown for name in contest.names]
        table.add_row(str(step), *map(_number, cells))
    return table


def _notes(contest: Contest, found: Mapping[str, Any]) -> Iterator[Text]:
    first = contest.names[0]
    if not found["same_prompts"]:
        yield Text("· THE PROMPTS DIFFER: the runs were made from other data, or with another tokenizer")
    for name, steps in found["steps_with_equal_rollouts"].items():
        yield Text(
            f"· {name} sampled the same tokens as {first} in the first {steps} of "
            f"{counted(contest.config.num_steps, 'step')}"
        )
    if any(len(facts["usage"]) > 1 for facts in found["backends"].values()):
        yield Text("· a backend was started several times: the totals hold every start")


def _table(headings: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left", no_wrap=not number)
    return table


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:,.1f}"
