"""The simulated cluster against cases that can be computed by hand, and against laws of queues."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest

from orz_bench.errors import ConfigError
from orz_bench.records.run_dir import RunDir
from orz_rl.planning.overlap import assumed_lengths, costs_of, lengths_of, prospects
from orz_rl.planning.plan import Hardware, make_plan, num_devices
from orz_rl.planning.simulation import MODES, Costs, EngineCosts, Mode, _Engine, _Run, simulate
from orz_rl.recipes.registry import resolve
from tests.guards.tree import PROJECT
from tests.support.builders import a_rollout

ENGINE = EngineCosts(iteration=0.01, per_sequence=0.0, per_cached_token=0.0, per_prefilled_token=0.0, slots=8)
COSTS = Costs(engine=ENGINE, train_fixed=3.0, train_per_token=0.0, sync=0.5)
EQUAL = [[100] * 16] * 10
"""Two engines of eight slots: a batch takes 100 iterations, one second."""


def step_of(batches: list[list[int]], mode: Mode, costs: Costs = COSTS, engines: int = 2) -> float:
    return simulate(batches, prompt_tokens=10, engines=engines, costs=costs, mode=mode).step_s


def test_strictly_on_policy_is_a_sum_and_overlap_the_longer_part() -> None:
    assert step_of(EQUAL, Mode()) == pytest.approx(1.0 + 3.0 + 0.5)
    for partial in (False, True):
        assert step_of(EQUAL, Mode(staleness=1, partial=partial)) == pytest.approx(3.5)
    slow = replace(COSTS, engine=replace(ENGINE, iteration=0.05))
    assert step_of(EQUAL, Mode(staleness=1), slow) == pytest.approx(5.5)
    assert step_of(EQUAL, Mode(staleness=2), slow) == pytest.approx(5.5)


def test_decoding_takes_what_its_parts_take() -> None:
    """One engine, one sample at a time: the sum over its tokens, written out."""
    engine = EngineCosts(iteration=0.01, per_sequence=0.002, per_cached_token=1e-5, per_prefilled_token=1e-3, slots=1)
    costs = Costs(engine=engine, train_fixed=1.0, train_per_token=1e-3, sync=0.25)
    lengths = [30, 50, 7]
    sampling = sum(10 * 1e-3 + sum(0.01 + 0.002 + 1e-5 * (10 + at) for at in range(length)) for length in lengths)
    training = 1.0 + 1e-3 * (sum(lengths) + 30)
    assert step_of([lengths] * 6, Mode(), costs, engines=1) == pytest.approx(sampling + training + 0.25)


def test_a_straggler_is_waited_for_unless_samples_are_carried_over() -> None:
    generator = random.Random(1)
    batches = [[generator.choice((50, 50, 50, 1000)) for _ in range(64)] for _ in range(12)]
    costs = replace(COSTS, train_fixed=2.0)
    whole, carried = (step_of(batches, Mode(staleness=2, partial=p), costs) for p in (False, True))
    assert carried < whole < step_of(batches, Mode(), costs)


def test_a_batch_of_carried_samples_is_taken_from_a_window_as_a_run_takes_it() -> None:
    """One engine, two samples at a time; a step trains two. By hand: 8 is overtaken by one, or holds both up."""
    engine = EngineCosts(iteration=1.0, per_sequence=0.0, per_cached_token=0.0, per_prefilled_token=0.0, slots=2)
    costs = Costs(engine=engine, train_fixed=0.0, train_per_token=0.0, sync=0.0)
    batches = [[8, 2], [2, 2], *([[2, 2]] * 4)]
    run = _Run(batches, 0, [_Engine(engine)], costs=costs, mode=Mode(staleness=2, partial=True, window=2.0))
    run.run()
    whole = _Run(batches, 0, [_Engine(engine)], costs=costs, mode=Mode(staleness=2, partial=True, window=0.0))
    whole.run()
    assert [time for time, *_ in run._marks][:2] == [4.0, 8.0]
    assert [time for time, *_ in whole._marks][:2] == [8.0, 8.0]


def test_in_the_steady_state_a_window_makes_no_step_faster() -> None:
    """What is overtaken is due later. Carrying samples is what saves time."""
    generator = random.Random(1)
    batches = [[min(400, 1 + int(75 * generator.lognormvariate(0, 0.78))) for _ in range(32)] for _ in range(50)]
    for train in (0.5, 1.5):
        costs = replace(COSTS, train_fixed=train)
        modes = [Mode(staleness=2, partial=True, window=window) for window in (0.0, 1.0, 2.0)]
        queue, *windows = (step_of(batches, mode, costs) for mode in modes)
        assert windows == pytest.approx([queue] * 2, rel=0.02)
        assert queue < 0.75 * step_of(batches, Mode(staleness=2), costs)


def test_more_overlap_never_makes_the_simulated_step_much_longer() -> None:
    generator = random.Random(2)
    for _ in range(5):
        batches = [[int(generator.lognormvariate(4, 1)) + 1 for _ in range(40)] for _ in range(10)]
        costs = replace(COSTS, train_fixed=generator.uniform(0, 6))
        steps = [step_of(batches, mode, costs) for mode in MODES]
        assert all(step <= steps[0] * 1.02 for step in steps)
        longest = max(costs.train_fixed + 0.5, sum(map(sum, batches)) / len(batches) * 0.01 / 16)
        assert all(step >= longest * 0.9 for step in steps)


def test_no_sample_is_older_than_the_limit() -> None:
    for mode in MODES:
        outcome = simulate(EQUAL, prompt_tokens=10, engines=2, costs=COSTS, mode=mode)
        assert 0 <= outcome.staleness <= mode.staleness
        assert -0.001 <= outcome.engines_idle < 1
        assert -0.001 <= outcome.trainer_idle < 1


def test_a_part_of_alike_engines_gives_the_times_of_all() -> None:
    whole = step_of([[100] * 64] * 8, Mode(staleness=1), engines=8)
    assert step_of([[100] * 16] * 8, Mode(staleness=1), engines=2) == pytest.approx(whole)


def test_assumed_lengths_have_their_mean_and_their_limit() -> None:
    config = resolve("orz_7b")
    for mean in (500, 2000, 5000):
        lengths = assumed_lengths(config, mean)
        assert sum(lengths) / len(lengths) == pytest.approx(mean, rel=0.01)
        assert max(lengths) <= 8000


def test_every_gpu_of_a_prospect_is_there_and_used() -> None:
    config = resolve("orz_7b", overrides=["cluster.policy_ranks=4", "cluster.critic_ranks=4", "rollout.num_engines=4"])
    small = config.model_copy(
        update={"rollout": config.rollout.model_copy(update={"num_problems": 4, "num_samples": 16})}
    )
    found = list(prospects(small, Hardware(memory_gib=200), lengths=[500, 1000, 3000]))
    assert [each.name for each in found][:2] == ["on-policy, colocated", "on-policy, separated"]
    assert len(found) == 1 + len(MODES)
    for each in found:
        gpus = each.gpus_of_models + (0 if each.is_colocated else each.gpus_of_engines)
        assert gpus == num_devices(small) == 4


def test_ranks_wait_for_the_one_with_most_packs() -> None:
    config = resolve("orz_7b")
    plan = make_plan(config, Hardware(), mean_tokens=2000)
    tokens = config.num_rollouts * 2256
    seconds = costs_of(config, plan).train_per_token * tokens
    assert seconds > plan.seconds["update"] + plan.seconds["score"]


def test_lengths_come_from_a_run(tmp_path: Path) -> None:
    rollouts = [replace(a_rollout(sample_index=index), num_tokens=10 * (index + 1)) for index in range(3)]
    folder = RunDir(tmp_path).rollouts(4)
    with folder.lock():
        folder.append(rollouts)
    assert sorted(lengths_of(tmp_path)) == [10, 20, 30]
    with pytest.raises(ConfigError, match="no rollouts"):
        lengths_of(tmp_path / "elsewhere")


def test_the_recorded_simulation_is_within_what_is_claimed() -> None:
    """benchmarks/overlap_plan.py: steps of `tiny` that were not fitted are predicted within 15 %."""
    path = PROJECT / "benchmarks" / "results" / "overlap_plan.json"
    tiny = json.loads(path.read_text(encoding="utf-8"))["tiny"]
    assert abs(tiny["relative_error"]) < 0.15
    for measured, predicted in tiny["phases_measured_and_predicted"].values():
        assert predicted == pytest.approx(measured, rel=0.15)


def test_recorded_runs_one_step_ahead_are_predicted_from_their_on_policy_runs() -> None:
    """benchmarks/overlap_plan.py, of the pairs of benchmarks/overlap.py: seconds a step, and how many times as fast."""
    path = PROJECT / "benchmarks" / "results" / "overlap_plan.json"
    pairs = json.loads(path.read_text(encoding="utf-8"))["tiny_overlap"]
    assert len(pairs) >= 3
    for pair in pairs:
        assert pair["predicted_s_a_step"] == pytest.approx(pair["measured_s_a_step"], rel=0.15)
        assert pair["predicted_times_as_fast"] == pytest.approx(pair["measured_times_as_fast"], rel=0.15)
