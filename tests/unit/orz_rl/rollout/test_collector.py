"""The rollouts of a step: dynamic sampling replaces groups without a signal, and nothing is generated twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any, NoReturn, cast

import pytest

from orz_bench.engines.engine import Engine, Sampling
from orz_bench.errors import RunDirError
from orz_bench.extraction.responses import TextFacts
from orz_bench.grading.grader import Submission
from orz_bench.records.rollout import Completion, Grade, Request
from orz_bench.records.run_dir import RunDir
from orz_bench.seeds import sample_seed
from orz_rl.recipes.registry import resolve
from orz_rl.rollout.collector import Collector, StepRollouts, group_seeds
from orz_rl.rollout.problems import Prompt, problems_at
from tests.support.builders import a_completion, a_grade, a_problem

NUM_PROBLEMS, NUM_SAMPLES, SEED = 12, 4, 42


class KnownRates:
    """Generates `rates[problem]` correct answers per group, and records the requests."""

    def __init__(self, rates: Mapping[str, int], *, version: int = 0) -> None:
        self.rates, self.version = rates, version
        self.requested: list[tuple[str, int]] = []

    def generate(self, requests: Iterable[Request], sampling: Sampling) -> Iterator[list[Completion]]:
        for request in requests:
            self.requested.append(request.key)
            is_right = request.sample_index < self.rates[request.problem.problem_id]
            yield [
                a_completion(
                    problem_id=request.problem.problem_id,
                    sample_index=request.sample_index,
                    seed=request.seed,
                    text="right" if is_right else "wrong \ud800",
                    num_tokens=2,
                    token_ids=(5, 6),
                    logprobs=(-0.5, -0.5),
                    policy_version=self.version,
                )
            ]


class ByText:
    """Believes the text."""

    def grade(self, submissions: Sequence[Submission]) -> list[Grade]:
        return [a_grade(verdict="correct" if s.response == "right" else "wrong") for s in submissions]


def collected(run: Path, sampler: KnownRates, *overrides: str, step: int = 1, cursor: int = 0) -> StepRollouts:
    config = resolve("tiny", overrides=["rollout.num_problems=3", f"rollout.num_samples={NUM_SAMPLES}", *overrides])
    prompts = [
        Prompt(problem=a_problem(problem_id=f"p{index}"), text="?", token_ids=(1, 2)) for index in range(NUM_PROBLEMS)
    ]
    collector = Collector(config, run=RunDir(run), engine=cast("Engine", sampler), grader=ByText(), prompts=prompts)
    return collector.collect(step, policy_version=0, cursor=cursor, on_committed=lambda _: None)


def stream(count: int) -> list[str]:
    """The problems in the order in which the run meets them."""
    return [f"p{index}" for index in problems_at(NUM_PROBLEMS, start=0, count=count, seed=SEED)]


def problems_of(found: StepRollouts) -> list[str]:
    return list(dict.fromkeys(row.problem_id for row in found.rollouts))


def test_a_step_takes_the_next_problems_with_all_their_samples(tmp_path: Path) -> None:
    found = collected(tmp_path, KnownRates(dict.fromkeys(stream(12), 2)))
    assert problems_of(found) == stream(3)
    assert (found.cursor, found.num_replaced, found.num_generated) == (3, 0, 12)
    assert [row.reward for row in found.rollouts] == [1.0, 1.0, 0.0, 0.0] * 3


def test_groups_that_are_all_right_or_all_wrong_are_replaced_by_the_next_problems(tmp_path: Path) -> None:
    order = stream(12)
    rates = dict.fromkeys(order, 2) | {order[0]: NUM_SAMPLES, order[2]: 0, order[3]: 0}
    found = collected(tmp_path, KnownRates(rates), "rollout.dynamic_sampling=5")
    assert problems_of(found) == [order[1], order[4], order[5]]
    assert (found.cursor, found.num_replaced, found.num_generated) == (6, 3, 6 * NUM_SAMPLES)
    # Groups that were set aside stay on disk.
    assert len(RunDir(tmp_path).rollouts(1).keys()) == 6 * NUM_SAMPLES


def test_the_last_round_keeps_what_it_finds(tmp_path: Path) -> None:
    sampler = KnownRates(dict.fromkeys(stream(12), 0))
    found = collected(tmp_path, sampler, "rollout.dynamic_sampling=1")
    assert problems_of(found) == stream(6)[3:]
    assert (found.cursor, found.num_replaced) == (6, 3)


def test_rollouts_on_disk_are_not_generated_again(tmp_path: Path) -> None:
    order = stream(12)
    rates = dict.fromkeys(order, 1) | {order[1]: NUM_SAMPLES}
    first = collected(tmp_path, KnownRates(rates), "rollout.dynamic_sampling=2")
    again = KnownRates(rates)
    second = collected(tmp_path, again, "rollout.dynamic_sampling=2")
    assert again.requested == []
    assert (second.rollouts, second.cursor, second.num_replaced) == (first.rollouts, first.cursor, first.num_replaced)
    assert second.num_generated == 0
    every = [*second.rollouts, *second.set_aside]
    assert first.text_facts == {row.key: TextFacts.of(row.completion) for row in every}
    assert not second.text_facts


def test_rollouts_of_another_policy_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RunDirError, match="sampled by policy version 7, wanted 0"):
        collected(tmp_path, KnownRates(dict.fromkeys(stream(12), 2), version=7))


def test_overlong_shaping_takes_off_the_reward(tmp_path: Path) -> None:
    rates = dict.fromkeys(stream(12), NUM_SAMPLES)
    limits = ("rollout.max_tokens=3", "reward.overlong_buffer=2")
    assert {row.reward for row in collected(tmp_path, KnownRates(rates), *limits).rollouts} == {0.5}


@pytest.mark.parametrize("changes", [{"gold": "another"}, {"prompt_token_ids": (1, 3)}])
def test_rows_of_another_problem_under_the_same_id_are_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    """Half a group was generated before the data file changed: the other half must not be added to it."""
    sampler = KnownRates(dict.fromkeys(stream(12), 2))
    rows = collected(tmp_path, sampler).rollouts
    folder = RunDir(tmp_path).rollouts(1)
    folder.replace([replace(rows[0], **changes), rows[1]])
    with pytest.raises(RunDirError, match=f"samples of another problem with the id {rows[0].problem_id}"):
        collected(tmp_path, sampler)
    assert len(sampler.requested) == 12


def test_a_step_that_straddles_two_epochs_has_no_problem_twice(tmp_path: Path) -> None:
    cursor, seen = 0, list[str]()
    for step in range(1, 7):
        sampler = KnownRates(dict.fromkeys(stream(12), 2))
        found = collected(tmp_path, sampler, "rollout.num_problems=8", step=step, cursor=cursor)
        assert len(found.rollouts) == len({row.key for row in found.rollouts}) == 8 * NUM_SAMPLES
        cursor, seen = found.cursor, [*seen, *problems_of(found)]
    assert {seen.count(problem) for problem in seen} == {4}, "48 places, 12 problems"


def test_dynamic_sampling_that_has_met_every_problem_fills_the_step_with_what_it_set_aside(tmp_path: Path) -> None:
    order = stream(12)
    rates = dict.fromkeys(order, 0) | {order[7]: 1}
    sampler = KnownRates(rates)
    found = collected(tmp_path, sampler, "rollout.num_problems=5", "rollout.dynamic_sampling=9")
    assert len(sampler.requested) == len(set(sampler.requested)) == 12 * NUM_SAMPLES
    assert len(found.rollouts) == len({row.key for row in found.rollouts}) == 5 * NUM_SAMPLES
    assert order[7] in problems_of(found)
    assert (found.cursor, found.num_replaced) == (12, 7)


def test_dynamic_sampling_across_an_epoch_meets_nothing_twice(tmp_path: Path) -> None:
    order = stream(12)
    rates = dict.fromkeys(order, 0) | dict.fromkeys(order[:3], 2)
    sampler = KnownRates(rates)
    found = collected(tmp_path, sampler, "rollout.dynamic_sampling=4", cursor=9)
    assert len(sampler.requested) == len(set(sampler.requested))
    assert set(problems_of(found)) == set(order[:3])


def test_rollouts_that_were_set_aside_are_returned_apart(tmp_path: Path) -> None:
    rates = dict.fromkeys(stream(12), 2) | dict.fromkeys(stream(12)[:3], 0)
    found = collected(tmp_path, KnownRates(rates), "rollout.dynamic_sampling=5")
    assert {row.key for row in (*found.rollouts, *found.set_aside)} == RunDir(tmp_path).rollouts(1).keys()
    assert len(found.set_aside) == found.num_replaced * NUM_SAMPLES > 0


def test_seeds_of_a_group_are_consecutive_and_of_the_step() -> None:
    seeds = group_seeds(7, step=3, problem_id="p", count=4)
    assert list(seeds) == list(range(seeds[0], seeds[0] + 4))
    assert seeds[0] == sample_seed(7, step=3, benchmark="train", problem_id="p", sample_index=0)
    assert seeds[0] != group_seeds(7, step=4, problem_id="p", count=4)[0]


def test_the_installation_is_not_read_for_every_rollout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Package metadata took 3.6 ms a rollout once: half a minute of every step of the paper's size."""
    collected(tmp_path / "first", KnownRates(dict.fromkeys(stream(12), 2)))

    def refused(name: str) -> NoReturn:
        raise AssertionError(f"the metadata of {name} are read again")

    monkeypatch.setattr(metadata.Distribution, "from_name", refused)
    collected(tmp_path / "second", KnownRates(dict.fromkeys(stream(12), 2)))
