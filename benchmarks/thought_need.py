"""Whether `tiny` needs its thoughts, and whether an inserted decorative sentence scores below the sums' own steps.

A tool: `--run` names a finished run of `orz-rl train --recipe tiny` with evaluations, whose last checkpoint is asked
again about its own responses; `--base` asks the embedded base model about right sums in steps that its demonstrations
are made of. Into each response one sentence that decides nothing is inserted at a drawn place.

`score` is the true-thinking score as its authors define and compute it, the mean of two absolute values (2510.24941);
`support`, ours, is the mean of the same two with their signs.

    python benchmarks/thought_need.py --run runs/demo [--responses 200]
    python benchmarks/thought_need.py --base
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from _record import keep

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from orz_bench.asking.templates import TEMPLATES
from orz_bench.engines.asked_model import asked_model
from orz_bench.engines.model_options import ModelOptions
from orz_bench.interventions.need import thought_need
from orz_bench.interventions.stored import NeedChoices, settings_for, stored_thoughts
from orz_bench.probing.thought_steps import Effect, steps_of
from orz_bench.records.rollout import Rollout
from orz_bench.records.run_dir import EvaluationDir, RunDir
from orz_rl.assets.demonstrations import demonstrate
from orz_rl.assets.resolve import TINY

SENTENCES = ("wait, let me recheck: ", "however, let me retry: ", "alternatively, ", "wait, ")
"""The lead-ins of tiny's language: any other sentence is one that it has never seen, and stops calculating behind."""
_SUM = re.compile(r"^\d+\+\d+=\d+")


class Silent:
    def started(self, name: str, *, num_wanted: int, num_missing: int) -> None:
        print(f"{name}: {num_missing} of {num_wanted} to ask", file=sys.stderr)

    def committed(self, num_responses: int) -> None: ...


def with_sentence(row: Rollout, draw: random.Random) -> tuple[Rollout, int] | None:
    """The response with a sentence before one of its sums, and the number of that step; None without two sums."""
    thought, _, rest = row.completion.partition(" </think>")
    steps = steps_of(thought)
    sums = [at for at, step in enumerate(steps) if _SUM.match(step.text.strip())]
    if len(sums) < 2 or not rest:
        return None
    at = draw.choice(sums)
    texts = [step.text for step in steps]
    texts.insert(at, draw.choice(SENTENCES))
    return replace(row, completion=f"{''.join(texts)} </think>{rest}", token_ids=None, logprobs=None), at


def auc(low: Sequence[float], high: Sequence[float]) -> float:
    """P(a step's own number > that of an inserted sentence), ties a half."""
    return float(np.mean([(b > a) + (b == a) / 2 for a in low for b in high]))


def a_copy(source: EvaluationDir, rows: Sequence[Rollout], folder: Path) -> EvaluationDir:
    run = RunDir(folder)
    run.create(kind="eval", command=["benchmarks/thought_need.py"], seed=0, environment={})
    copy = run.evaluation(benchmark=source.benchmark, step=source.step, fingerprint=source.fingerprint)
    copy.path.mkdir(parents=True)
    copy.protocol_path.write_text(source.protocol_path.read_text(encoding="utf-8"), encoding="utf-8")
    copy.append(rows)
    return copy


def measured(source: EvaluationDir, checkpoint: str, *, step: int | None, num: int) -> dict[str, Any]:
    draw = random.Random(0)
    rows = [row for row in source.rows() if row.verdict == "correct"]
    draw.shuffle(rows)
    inserted = [found for row in rows if (found := with_sentence(row, draw)) is not None][:num]
    places = {row.key: at for row, at in inserted}
    with tempfile.TemporaryDirectory() as name:
        copy = a_copy(source, [row for row, _ in inserted], Path(name))
        settings = settings_for(copy, NeedChoices(measured=("now", "later"), max_steps=0))
        thoughts, left_out = stored_thoughts(copy, settings)
        options = ModelOptions(engine="transformers", dtype="float32")
        with asked_model(checkpoint, options, step=step, notice=lambda _: None) as model:
            _, folder = thought_need(
                copy, thoughts, model=model, settings=settings, num_left_out=left_out, observer=Silent()
            )
        found = folder.rows()
    return {"responses": len(found), "sums": {way: _scores(found, places, way=way) for way in ("now", "later")}}


def _scores(rows: Sequence[dict[str, Any]], places: dict[tuple[str, int], int], *, way: str) -> dict[str, Any]:
    inserted: list[Effect] = []
    own: list[Effect] = []
    last: list[Effect] = []
    for row in rows:
        place = places[row["problem_id"], row["sample_index"]]
        sums = [step["at"] for step in row["steps"] if _SUM.match(step["text"].strip())]
        for step in row["steps"]:
            effect = Effect.of(step[way])
            if step["at"] == place:
                inserted.append(effect)
            elif step["at"] in sums:
                own.append(effect)
                last += [effect] if step["at"] == sums[-1] else []
    return {
        "own steps": len(own),
        "inserted": len(inserted),
        "score, own": float(np.mean([one.score for one in own])),
        "score, inserted": float(np.mean([one.score for one in inserted])),
        "auc of score": auc([one.score for one in inserted], [one.score for one in own]),
        "auc of score, last steps": auc([one.score for one in inserted], [one.score for one in last]),
        "auc of support": auc([one.support for one in inserted], [one.support for one in own]),
        "auc of support, last steps": auc([one.support for one in inserted], [one.support for one in last]),
    }


def demonstrated(folder: Path, num: int) -> EvaluationDir:
    """Right demonstrations of the reflection style, as responses of the base model."""
    from orz_bench.benchmarks.registry import get_benchmark
    from orz_bench.engines.fake import FakeTokenizer

    draw = random.Random(1)
    run = RunDir(folder)
    run.create(kind="eval", command=["benchmarks/thought_need.py"], seed=0, environment={})
    directory = run.evaluation(benchmark="arithmetic", step=0, fingerprint="demonstrated")
    directory.path.mkdir(parents=True)
    card = {"template": "orz-code", "extractor": "final", "stop": ["</answer>"], "max_tokens": 112}
    directory.protocol_path.write_text(json.dumps({"card": card}), encoding="utf-8")
    generate = get_benchmark("arithmetic").generate
    assert generate is not None
    rows = []
    problems = list(generate())
    while len(rows) < num:
        problem = draw.choice(problems)
        text = demonstrate(problem, draw)
        if f"\\boxed{{{problem.gold}}}" in text and "=" in text:
            prompt = TEMPLATES["orz-code"](problem, FakeTokenizer())
            rows.append(_rollout(problem, len(rows), prompt=prompt, text=text))
    directory.append(rows)
    return directory


def _rollout(problem: Any, index: int, *, prompt: str, text: str) -> Rollout:
    return Rollout(
        benchmark="arithmetic", problem_id=problem.problem_id, question=problem.question, gold=problem.gold,
        sample_index=index, seed=0, step=0, prompt=prompt, completion=text, num_tokens=len(text),
        stop_reason="stop_string", extracted=problem.gold, verdict="correct", why="", second_extractor="boxed",
        second_extracted=problem.gold, second_verdict="correct", grader_version="demonstrated",
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--run", type=Path)
    parser.add_argument("--base", action="store_true")
    parser.add_argument("--responses", type=int, default=200)
    given = parser.parse_args()
    if given.base:
        with tempfile.TemporaryDirectory() as name:
            print(json.dumps(measured(demonstrated(Path(name), given.responses), str(TINY), step=None, num=10**6)))
        return
    if given.run is None:
        sys.exit("name a finished run of `orz-rl train --recipe tiny` with --run, or give --base")
    directory = RunDir(given.run).evaluations()[-1]
    options = ModelOptions(engine="transformers", dtype="float32")
    settings = settings_for(directory, NeedChoices(measured=()))
    thoughts, left_out = stored_thoughts(directory, settings, responses=2)
    with asked_model(str(given.run), options, step=directory.step, notice=lambda _: None) as model:
        need, _ = thought_need(
            directory, thoughts, model=model, settings=settings, num_left_out=left_out, observer=Silent()
        )
    accuracy = {f"{100 * at:g}": share.value for at, share in zip(need.positions, need.accuracy, strict=True)}
    own = {f"{100 * at:g}": share.value for at, share in zip(need.positions, need.own, strict=True)}
    found = measured(directory, str(given.run), step=directory.step, num=given.responses)
    keep("thought_need", {"forced": {"responses": need.num_responses, "accuracy": accuracy, "own": own}} | found)


if __name__ == "__main__":
    main()
