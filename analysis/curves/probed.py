"""Add to a study what `orz-bench probe` stored about its evaluations."""

from __future__ import annotations

from dataclasses import replace

from analysis.curves.study import Study
from orz_bench.errors import OrzError
from orz_bench.records.run_dir import RunDir
from orz_bench.records.thought_need import ThoughtNeed, read_thought_needs
from orz_bench.records.thoughts import ThoughtUse, read_thought_use


def with_thoughts(study: Study) -> Study:
    """The study with the stored results by name; where one cannot be read, the run has a note instead."""
    run = study.run
    if run.kind not in ("train", "eval"):
        return study
    directories = RunDir(run.path).evaluations()
    several = len({(each.benchmark, each.step) for each in directories}) < len(directories)
    found: dict[str, ThoughtUse] = {}
    needs: dict[str, ThoughtNeed] = {}
    try:
        for each in directories:
            name = f"{each.benchmark}, step {each.step}" + (f", protocol {each.fingerprint}" if several else "")
            if (use := read_thought_use(each)) is not None:
                found[name] = use
            for number, need in enumerate(read_thought_needs(each), start=1):
                key = f"{name}, asked {need.model}"
                needs[f"{key} ({number})" if key in needs else key] = need
    except OrzError as error:
        return replace(
            study, run=replace(run, notes=(*run.notes, f"results of orz-bench probe were left out: {error}"))
        )
    return replace(study, thoughts=found, needs=needs)
