"""The simulated cluster of `orz-rl plan --overlap` against measured runs, and what it gives for the published recipes.

tiny: phases of a real run here (transformers and models in one process, one thread, CPU seconds; all samples of a
step are one batch of the engine); costs are fitted on its even steps, and its odd steps are predicted.
tiny_overlap: pairs of runs of benchmarks/overlap.py, on two cores, the engine on one and the models on the other. What
a step takes with sampling one step ahead is predicted from the strictly on-policy run alone: its phases, and the CPU
seconds of its models, which share a core once the engine never stops.
verl: phases that its documentation publishes for Qwen2.5-Math-7B on H20 (recipe
fully_async_policy, responses of up to 28k tokens); the mean length is fitted to the colocated run on 32 GPUs, and all
others are predicted. orz: orz_7b on 64 GPUs and orz_32b on 128, from public figures of H100.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import statistics
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from _record import HERE, keep

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported

from orz_rl.planning.overlap import assumed_lengths, costs_of, prospects
from orz_rl.planning.plan import Hardware, make_plan
from orz_rl.planning.scaling import scaled
from orz_rl.planning.simulation import Costs, EngineCosts, Mode, sampling_seconds, simulate
from orz_rl.recipes.registry import resolve

STEPS, WARM = 11, 1
BLOCKS = 2
"""Of a step of `tiny` in an engine: 256 samples, of which it has 128 in hand."""
PUBLISHED_MEAN = {"orz_7b": 1558.0, "orz_32b": 2000.0}
"""7B: mean of the published curve of response lengths over its 731 steps; 32B: assumed."""
GPUS = {"orz_7b": 64, "orz_32b": 128}
VERL = {
    # GPUs: (colocated generation, log-probabilities, update, step; asynchronous update, step), seconds
    32: (357.41, 107.71, 313.81, 790.10, 269.80, 294.77),
    64: (150.72, 70.26, 133.41, 365.28, 156.98, 189.26),
    128: (177.85, 53.92, 113.81, 356.30, 113.16, 150.63),
}


class Silent:
    """Ignores all progress events."""

    def notice(self, text: str) -> None: ...
    def warn(self, text: str) -> None: ...
    def sampled(self, rollouts: Any) -> None: ...
    def stepped(self, row: Any, num_steps: int) -> None: ...


def run_tiny(folder: Path) -> list[dict[str, Any]]:
    """Phases, lengths in the order of the requests, and tokens of each step."""
    from orz_rl.training.identity import Maker, open_run
    from orz_rl.training.loop import open_loop
    from orz_rl.training.preparation import prepare

    overrides = ["cluster.in_process=true", "eval.benchmarks=", "logging.tensorboard=false", "seed=3"]
    overrides += ["rollout.engine=transformers", "rollout.batch_size=256"]
    config = resolve("tiny", overrides=overrides)
    setup = prepare(config, out=folder / "run", data=(), notice=lambda _: None)
    open_run(setup.run, config, prompts=setup.prompts, made_by=Maker("native", ("benchmark",)), notice=lambda _: None)
    found = []
    with ExitStack() as stack:
        loop = open_loop(setup, Silent(), stack=stack)
        loop.trainer.synchronise(0)
        for number in range(1, STEPS + 1):
            row = loop.step(number)
            lengths = setup.run.rollouts(number).read(columns=["num_tokens"])["num_tokens"].to_pylist()
            found.append(
                {
                    "sample": row["cpu/sample"],
                    "train": row["cpu/score"] + row["cpu/update"],
                    "rest": row["cpu/sync"],
                    "tokens": row["tokens/total"],
                    "lengths": lengths,
                }
            )
    return found[WARM:]


def engine_of(iteration: float, per_sequence: float, slots: int = 256) -> EngineCosts:
    return EngineCosts(
        iteration=iteration, per_sequence=per_sequence, per_cached_token=0.0, per_prefilled_token=0.0, slots=slots
    )


def fitted(rows: Sequence[dict[str, Any]]) -> Costs:
    """Costs by least squares; those that would be negative are 0."""
    parts = [
        [
            sampling_seconds(row["lengths"], prompt_tokens=0, engines=1, costs=engine_of(*unit))
            for unit in ((1, 0), (0, 1))
        ]
        for row in rows
    ]
    sampled = _non_negative(np.array(parts), np.array([row["sample"] for row in rows]))
    trained = _non_negative(np.array([[1.0, row["tokens"]] for row in rows]), np.array([row["train"] for row in rows]))
    sync = statistics.fmean(row["rest"] for row in rows)
    engine = engine_of(float(sampled[0]), float(sampled[1]))
    return Costs(engine=engine, train_fixed=float(trained[0]), train_per_token=float(trained[1]), sync=sync)


def _non_negative(features: Any, wanted: Any) -> Any:
    found = np.linalg.lstsq(features, wanted, rcond=None)[0]
    for column in np.flatnonzero(found < 0):
        others = [each for each in range(features.shape[1]) if each != column]
        found = np.zeros(features.shape[1])
        found[others] = np.linalg.lstsq(features[:, others], wanted, rcond=None)[0]
    return found


def tiny() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        rows = run_tiny(Path(folder))
    costs, held_out = fitted(rows[1::2]), rows[0::2]
    prompt = round(statistics.fmean((row["tokens"] - sum(row["lengths"])) / len(row["lengths"]) for row in held_out))
    batches = [row["lengths"] for row in held_out]
    predicted = simulate(batches, prompt_tokens=prompt, engines=1, costs=costs, mode=Mode()).step_s
    # The simulation leaves out the first two batches; so does the measurement.
    measured = statistics.fmean(row["sample"] + row["train"] + row["rest"] for row in held_out[2:])
    by_phase = {
        "sample": (
            statistics.fmean(row["sample"] for row in held_out),
            statistics.fmean(
                sampling_seconds(row["lengths"], prompt_tokens=0, engines=1, costs=costs.engine) for row in held_out
            ),
        ),
        "train": (
            statistics.fmean(row["train"] for row in held_out),
            statistics.fmean(costs.train_fixed + costs.train_per_token * row["tokens"] for row in held_out),
        ),
    }
    overlap = simulate(batches, prompt_tokens=prompt, engines=1, costs=costs, mode=Mode(staleness=1)).step_s
    return {
        "steps_fitted": len(rows[1::2]),
        "steps_predicted": len(held_out),
        "measured_cpu_s_a_step": measured,
        "predicted_cpu_s_a_step": predicted,
        "relative_error": predicted / measured - 1,
        "phases_measured_and_predicted": {name: list(pair) for name, pair in by_phase.items()},
        "staleness_1_times_as_fast": predicted / overlap,
    }


def tiny_overlap(record: Path) -> list[dict[str, Any]]:
    """Each pair of the record: steps one step ahead, measured, and predicted from the on-policy run."""
    found = []
    for pair in json.loads(record.read_text(encoding="utf-8"))["pairs"]:
        on_policy, measured = pair["on_policy"], pair["one_step_ahead"]["seconds_a_step_mean"]
        phases, cpu = on_policy["phases_median_s"], on_policy["cpu_s_a_step"]
        models = sum(seconds for name, seconds in cpu.items() if not name.startswith("engine"))
        learning = phases["score"] + phases["update"]
        # The engine's time is that of a whole step's samples; they are its blocks that new weights wait for.
        costs = Costs(
            engine=engine_of(phases["sample"] / BLOCKS, 0.0, slots=1),
            train_fixed=max(learning, models) + phases["write"],
            train_per_token=0.0,
            sync=phases["sync"],
        )
        predicted = simulate(
            [[1] * BLOCKS] * 30, prompt_tokens=0, engines=1, costs=costs, mode=Mode(staleness=1)
        ).step_s
        alone = phases["sample"] + learning + phases["write"] + phases["sync"]
        found.append(
            {
                "seed": pair["seed"],
                "load": pair["one_step_ahead"]["load_before_and_after"],
                "measured_s_a_step": measured,
                "predicted_s_a_step": round(predicted, 3),
                "relative_error": round(predicted / measured - 1, 4),
                "measured_times_as_fast": pair["times_as_many_steps_an_hour"],
                "predicted_times_as_fast": round(alone / predicted, 3),
            }
        )
    return found


def verl() -> list[dict[str, Any]]:
    """512 prompts x 16 samples; half of the GPUs sample, half train, samples are carried over.

    One number is fitted: the mean length, by the colocated generation on 32 GPUs. verl limits the share of samples that
    are not on-policy, not their age; so a limit of 4 steps is simulated beside ours of 1.
    """
    engine, most = _h20(), 28_672
    drawn = random.Random(5)
    normal = [drawn.gauss(0, 1) for _ in range(512 * 16)]

    def lengths(scale: float) -> list[int]:
        return [min(most, max(1, round(scale * math.exp(each)))) for each in normal]

    def generation(scale: float, gpus: int) -> float:
        share = lengths(scale)[: 512 * 16 * 4 // gpus]  # of four engines
        return sampling_seconds(share, prompt_tokens=0, engines=4, costs=engine)

    low, high = 10.0, 20_000.0
    for _ in range(30):
        scale = (low + high) / 2
        low, high = (scale, high) if generation(scale, 32) < VERL[32][0] else (low, scale)
    found = []
    for gpus, (sampled, scoring, update, step, own_update, own_step) in VERL.items():
        share, generator = 512 * 16 * 4 * 2 // gpus, random.Random(6)
        batches = [generator.choices(lengths(scale), k=share) for _ in range(9)]
        costs = Costs(engine=engine, train_fixed=own_update, train_per_token=0.0, sync=5.0)
        steps = {
            limit: simulate(
                batches, prompt_tokens=0, engines=4, costs=costs, mode=Mode(staleness=limit, partial=True)
            ).step_s
            for limit in (1, 4)
        }
        colocated = generation(scale, gpus) + scoring + update + (step - sampled - scoring - update)
        found.append(
            {
                "gpus": gpus,
                "mean_tokens": statistics.fmean(lengths(scale)),
                "published_phases_s": [sampled, scoring, update],
                "simulated_generation_s": generation(scale, gpus),
                "published_colocated_s": step,
                "simulated_colocated_s": colocated,
                "published_async_s": own_step,
                "predicted_async_s": {f"staleness_{limit}": seconds for limit, seconds in steps.items()},
                "published_times_as_fast": step / own_step,
                "predicted_times_as_fast": {f"staleness_{limit}": colocated / each for limit, each in steps.items()},
            }
        )
    return found


def _h20() -> EngineCosts:
    """Qwen2.5-7B on an H20 (148 TFLOPS, 4.0 TB/s), by the assumptions of the plan."""
    config = resolve("orz_7b", overrides=["rollout.gpu_memory_share=0.8"])
    plan = make_plan(config, Hardware(memory_gib=96, peak_tflops=148, bandwidth_gib_s=3725), mean_tokens=2000)
    return costs_of(config, plan).engine


def orz() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for recipe, gpus in GPUS.items():
        config = resolve(recipe)
        config = resolve(recipe, overrides=scaled(config, gpus).settings)
        lengths = assumed_lengths(config, PUBLISHED_MEAN[recipe])
        found[recipe] = {
            "gpus": gpus,
            "mean_tokens": PUBLISHED_MEAN[recipe],
            "modes": [
                {"mode": each.name, "gpus_of_engines": each.gpus_of_engines, "gpus_of_models": each.gpus_of_models}
                | asdict(each.outcome)
                for each in prospects(config, Hardware(), lengths=lengths)
            ],
        }
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--record", type=Path, default=HERE / "results" / "overlap.json", help="of benchmarks/overlap.py"
    )
    given = parser.parse_args()
    keep(
        "overlap_plan",
        {"tiny": tiny(), "tiny_overlap": tiny_overlap(given.record), "verl": verl(), "orz": orz()},
    )
