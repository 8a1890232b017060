"""A run with everything that the commands of analyses store in it, made by their own writers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from analysis.behaviours.behaviour import find_behaviour
from analysis.behaviours.marking import marked, sources_of
from orz_bench.probing.thought_use import thought_use
from orz_bench.records.carded_rows import CardedRows
from orz_bench.records.contamination import (
    FOLDER,
    Answered,
    Completed,
    KnownQuestions,
    OldAgainstFresh,
    write_test,
)
from orz_bench.records.run_dir import RunDir
from orz_bench.records.thought_need import FOLDER as NEED
from orz_bench.records.thought_need import StepScores, ThoughtNeed
from orz_bench.records.thoughts import Share, write_thought_use
from tests.support.assessed import assess_all
from tests.support.runs import a_run
from tests.support.safetensors_files import save

LOW, HIGH = Share(value=0.1, low=0.05, high=0.2), Share(value=0.9, low=0.8, high=0.95)


class Nobody:
    """An Observer that looks away."""

    def started(self, name: str, *, num_wanted: int, num_missing: int) -> None: ...

    def committed(self, num_responses: int) -> None: ...


def analysed(folder: Path, *, model: str = "m") -> RunDir:
    """A finished run of three steps with the results of probe, contamination, detect, value, and two checkpoints."""
    run = assess_all(a_run(folder, num_steps=3))
    for evaluation in run.evaluations():
        write_thought_use(evaluation, thought_use(evaluation))
    need = CardedRows.under(run.evaluations()[0].path / NEED, {"model": model})
    with need.writing({"model": model}):
        need.write_summary(a_need(model).to_json())
    add_contamination(run, model=model)
    for source in sources_of(run, benchmarks=(), step=None):
        marked(find_behaviour("reflection"), source, judge=None, observer=Nobody())
    add_checkpoints(run, (1, 3))
    return run


def a_need(model: str = "m") -> ThoughtNeed:
    """A model that needs the thought."""
    scores = StepScores(kind="all", measured="now", num_steps=9, score=LOW, support=0.1, decorative=HIGH)
    return ThoughtNeed(
        model=model,
        num_questions=5,
        num_responses=10,
        num_left_out=0,
        positions=(0.0, 1.0),
        accuracy=(LOW, HIGH),
        own=(LOW, HIGH),
        steps=(scores,),
    )


def add_contamination(run: RunDir, *, model: str = "m", old: str = "old", fresh: str = "fresh") -> None:
    """Two benchmarks, of which the old one is known by heart."""
    folders: list[CardedRows] = []
    for name, share in ((old, HIGH), (fresh, LOW)):
        rows = CardedRows.under(run.path / FOLDER / name, {"benchmark": name})
        with rows.writing({"benchmark": name, "name": model}):
            rows.write_summary(_known(name, share).to_json())
        folders.append(rows)
    test = OldAgainstFresh(
        old=old,
        fresh=fresh,
        num_old=12,
        num_fresh=12,
        difference=0.6,
        low=0.5,
        high=0.7,
        p_value=1e-4,
        exact_old=0.9,
        exact_fresh=0.1,
        p_exact=1e-4,
    )
    write_test(folders[0], folders[1], test=test)


def _known(name: str, share: Share) -> KnownQuestions:
    return KnownQuestions(
        benchmark=name,
        num_questions=13,
        num_without=1,
        completions=tuple(Completed(share=at, num=12, exact=share, rouge_l=share) for at in (0.4, 0.8)),
        answers=tuple(Answered(share=at, num=12, right=share, by_chance=LOW) for at in (0.0, 0.4)),
    )


def add_checkpoints(run: RunDir, steps: Sequence[int]) -> None:
    """Weights of two layers that move with every step."""
    rng = np.random.default_rng(0)
    for step in steps:
        weights = {f"model.layers.{layer}.mlp.up_proj.weight": rng.normal(size=(4, 4)) for layer in (0, 1)}
        save(run.path / "checkpoints" / f"step={step:06d}" / "policy", weights)
