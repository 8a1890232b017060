"""Which answers are learned: every one has a fate, and the choice is a function of the answers and the settings."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from typing import Any

import pytest

from orz_rl.curation.answers.choice import CHOSEN, REASONS, Choice, Limits, choose
from orz_rl.curation.answers.overlap import overlaps
from orz_rl.curation.answers.source import Answer
from orz_rl.settings.distill import AnswerChoice
from tests.support.builders import a_rollout

ROOM = Limits(prompt=10, response=20, sequence=25)


def an_answer(*, problem: str = "p0", index: int = 0, num_tokens: int = 5, **changes: Any) -> Answer:
    facts: dict[str, Any] = {
        "problem_id": problem,
        "sample_index": index,
        "completion": f"{problem} {index}",
        "token_ids": [100 * index + at for at in range(num_tokens)],
        "num_tokens": num_tokens,
        "prompt_token_ids": [1, 2],
    }
    value = changes.pop("value", None)
    is_graded = changes.pop("is_graded", True)
    return Answer(a_rollout(**facts | changes), is_graded=is_graded, value=value)


def chosen(answers: Sequence[Answer], *, contaminated: Sequence[str] = (), seed: int = 1, **settings: Any) -> Choice:
    return choose(
        answers,
        AnswerChoice(**settings),
        seed=seed,
        limits=ROOM,
        tokenise=lambda answer: answer,
        overlaps=lambda first: {each.problem: "evidence" for each in first if each.rollout.problem_id in contaminated},
    )


def indices(choice: Choice) -> list[int]:
    return [answer.rollout.sample_index for answer in choice.answers]


def test_every_answer_has_the_fate_that_fits() -> None:
    answers = {
        "no_text": an_answer(problem="a", completion=None),
        "not_graded": an_answer(problem="b", is_graded=False),
        "not_right": an_answer(problem="c", verdict="wrong"),
        "cut_off": an_answer(problem="d", stop_reason="length"),
        "contaminated": an_answer(problem="e"),
        "too_long": an_answer(problem="f", num_tokens=21),
        CHOSEN: an_answer(problem="g"),
        "duplicate": an_answer(problem="g", index=1, completion="g 0"),
    }
    choice = chosen([*answers.values(), an_answer(problem="h", prompt_token_ids=[1] * 11)], contaminated=["e"])
    found = {(fate.problem_id, fate.sample_index): fate.fate for fate in choice.fates}
    assert found == {(each.rollout.problem_id, each.rollout.sample_index): name for name, each in answers.items()} | {
        ("h", 0): "too_long"
    }
    assert choice.counts == {name: 1 for name in REASONS if name in answers} | {"too_long": 2}
    evidence = {fate.fate: fate.evidence for fate in choice.fates}
    assert (evidence["not_right"], evidence["contaminated"]) == ("wrong", "evidence")


def test_limits_take_one_of_every_problem_first_and_larger_ones_hold_the_smaller() -> None:
    answers = [an_answer(problem=problem, index=index) for problem in "abcd" for index in range(5)]
    for limit in (2, 4, 6, 20):
        found = [answer.problem[1] for answer in chosen(answers, limit=limit).answers]
        assert len(found) == limit
        assert max(map(found.count, set(found))) - min(map(found.count, "abcd")) <= 1
    keys = [[answer.rollout.key for answer in chosen(answers, limit=limit).answers] for limit in (3, 7, 11)]
    assert keys[0] == keys[1][:3]
    assert keys[1] == keys[2][:7]
    assert chosen(answers, per_problem=2).counts == {CHOSEN: 8, "beyond_per_problem": 12}
    assert chosen(answers, per_problem=2, limit=5).counts == {CHOSEN: 5, "beyond_per_problem": 12, "beyond_limit": 3}


def test_the_order_of_the_source_decides_nothing_and_the_seed_does() -> None:
    answers = [an_answer(problem=problem, index=index) for problem in "abc" for index in range(4)]
    shuffled = random.Random(3).sample(answers, k=len(answers))
    first, again = chosen(answers, limit=6), chosen(shuffled, limit=6)
    assert [each.rollout.key for each in first.answers] == [each.rollout.key for each in again.answers]
    others = {tuple(each.rollout.key for each in chosen(answers, limit=6, seed=seed).answers) for seed in range(5)}
    assert len(others) > 1


@pytest.mark.parametrize(
    ("prefer", "wanted"), [("shortest", [1, 3, 0, 2]), ("longest", [2, 0, 3, 1]), ("value", [3, 0, 2, 1])]
)
def test_preferences(prefer: str, wanted: list[int]) -> None:
    lengths, values = [6, 2, 9, 4], [0.8, 0.1, 0.4, 0.9]
    answers = [
        an_answer(index=index, num_tokens=length, value=value)
        for index, (length, value) in enumerate(zip(lengths, values, strict=True))
    ]
    assert indices(chosen(answers, prefer=prefer)) == wanted
    assert indices(chosen(answers, prefer=prefer, per_problem=1)) == wanted[:1]


def test_diverse_takes_what_is_least_like_what_is_taken() -> None:
    """Against the definition: the largest Jaccard similarity of 3-grams to those before is the smallest each time."""
    texts = [[1, 2, 3, 4, 5], [1, 2, 3, 4, 6], [7, 8, 9, 7, 8], [1, 2, 3, 9, 9], [7, 8, 9, 1, 2]]
    answers = [an_answer(index=index, token_ids=ids) for index, ids in enumerate(texts)]
    order = indices(chosen(answers, prefer="diverse"))
    assert sorted(order) == [0, 1, 2, 3, 4]

    def likeness(left: int, right: int) -> float:
        grams = [{tuple(texts[each][at : at + 3]) for at in range(3)} for each in (left, right)]
        return len(grams[0] & grams[1]) / len(grams[0] | grams[1])

    for place in range(1, 5):
        before, left = order[:place], order[place:]
        closest = {index: max(likeness(index, each) for each in before) for index in left}
        assert closest[order[place]] == min(closest.values())


def test_repeated_answers_of_several_steps_are_one_and_those_of_other_problems_stay() -> None:
    same = [an_answer(problem=p, step=step, completion="2") for p, step in itertools.product("ab", range(3))]
    assert chosen(same).counts == {CHOSEN: 2, "duplicate": 4}


def test_questions_of_a_benchmark_are_found_by_curation_itself() -> None:
    from orz_bench.benchmarks.arithmetic import BENCHMARK, generate_sums

    held_out = BENCHMARK.generate()[:3] if BENCHMARK.generate else []
    training = generate_sums(split="train", num_problems=50)
    answers = [
        an_answer(problem=problem.problem_id, question=problem.question, gold=problem.gold)
        for problem in [*held_out, *training]
    ]
    found = overlaps(answers, against=("arithmetic",), folders=())
    assert {problem for _, problem in found} == {problem.problem_id for problem in held_out}
    assert '"benchmark": "arithmetic"' in next(iter(found.values()))
    assert overlaps(answers, against=(), folders=()) == {}
