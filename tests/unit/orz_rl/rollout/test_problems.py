"""Training problems: formats, faults, refused prompts, and the order of steps."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orz_bench.benchmarks.arithmetic import generate_sums
from orz_bench.engines.fake import FakeTokenizer
from orz_bench.errors import ConfigError, DataError
from orz_rl.rollout.problems import (
    make_prompts,
    next_problems,
    problems_at,
    read_problems,
    select_problems,
    source_names,
)
from orz_rl.rollout.rewards import binary_reward, overlong_penalty
from tests.support.builders import a_problem
from tests.support.shared_data import shared_data


def orz_format(*pairs: tuple[str, str]) -> str:
    turns = ([{"from": "human", "value": q}, {"from": "assistant", "ground_truth": {"value": a}}] for q, a in pairs)
    return json.dumps(list(turns))


def test_the_published_training_format(tmp_path: Path) -> None:
    path = tmp_path / "orz.json"
    path.write_text(orz_format(("1 + 1?", "2"), ("2 + 2?", "k = 9")), encoding="utf-8")
    problems = read_problems([str(path)])
    assert [(p.problem_id, p.question, p.gold) for p in problems] == [
        ("orz-0", "1 + 1?", "2"),
        ("orz-1", "2 + 2?", "k = 9"),
    ]


def test_json_lines_keep_their_ids(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text('{"id": "a", "problem": "1 + 1?", "answer": 2}\n{"problem": "?", "answer": 3}\n', encoding="utf-8")
    assert [p.problem_id for p in read_problems([str(path)])] == ["a", "mine-1"]


def test_two_files_of_one_name_are_two_sources(tmp_path: Path) -> None:
    rows = '{"problem": "1 + 1?", "answer": 2}\n{"id": "own", "problem": "?", "answer": 3}\n'
    paths = [tmp_path / name for name in ("A/train.jsonl", "B/train.jsonl", "other.jsonl")]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.write_text(rows, encoding="utf-8")
    assert [p.problem_id for p in read_problems(list(map(str, paths)))] == [
        "A/train-0",
        "A/train:own",
        "B/train-0",
        "B/train:own",
        "other-0",
        "other:own",
    ]
    assert [p.problem_id for p in read_problems([str(paths[0])])] == ["train-0", "own"]
    with pytest.raises(DataError, match=r"contains .*other\.jsonl twice"):
        read_problems([str(paths[2])] * 2)


@pytest.mark.parametrize(
    ("sources", "names"),
    [
        (["a/x.json", "b/x.json"], ["a/x", "b/x"]),
        (["a/x.json", "x.json"], ["a/x", "x"]),
        (["a/x.json", "a/x.csv"], ["a/x.json", "a/x.csv"]),
        (["r/a/x.json", "s/a/x.json", "y.json"], ["r/a/x", "s/a/x", "y"]),
        (["hub:o/n/x.json", "hub:o/m/x.json", "arithmetic"], ["n/x", "m/x", "arithmetic"]),
    ],
)
def test_sources_have_names_of_their_own(sources: list[str], names: list[str]) -> None:
    assert list(source_names(sources).values()) == names


@pytest.mark.parametrize("name", ["problem", "answer", "id", "level", "subject"])
@pytest.mark.parametrize("suffix", [".jsonl", ".json"])
def test_half_a_character_is_a_question_mark_everywhere(tmp_path: Path, name: str, suffix: str) -> None:
    good = {"id": "a", "problem": "1 + 1?", "answer": "2", "level": "\U0001f600", "subject": "x"}
    rows = [good, good | {"id": "b", name: "half \ud83d of it"}]
    path = tmp_path / f"train{suffix}"
    path.write_text(json.dumps(rows) if suffix == ".json" else "\n".join(map(json.dumps, rows)), encoding="utf-8")
    _, problem = read_problems([str(path)])
    texts = [problem.problem_id, problem.question, problem.gold, json.dumps(problem.extra, ensure_ascii=False)]
    assert "half ? of it" in "".join(texts)
    assert "".join(texts).encode("utf-8")


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("a.jsonl", '{"problem": "?"}\n', r"a\.jsonl: no column is the answer \(looked for answer, .*:answer=COLUMN"),
        ("a.jsonl", '{"problem": "?", "answer": 1}\n{"problem": "?"}', "line 2: column answer: found nothing"),
        ("a.jsonl", '{"problem": "?", "answer": 1}\n{"prob', "line 2: broken JSON"),
        ("a.json", '[[{"from": "human", "value": "?"}]]', "row 0: wanted two turns"),
        ("a.json", "[[", "not readable as JSON"),
        ("a.jsonl", '{"id": 1, "problem": "?", "answer": 1}\n' * 2, "duplicate id '1' in line 1 and line 2"),
        ("a.jsonl", "\n", r"a\.jsonl: has no rows"),
    ],
)
def test_faults_are_named(tmp_path: Path, name: str, text: str, fault: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=fault):
        read_problems([str(tmp_path / name)])


def test_prompts_that_are_too_long_are_refused_and_counted() -> None:
    problems = [a_problem(problem_id="short", question="1?"), a_problem(problem_id="long", question="word " * 50)]
    found = make_prompts(problems, FakeTokenizer(), template="plain", max_tokens=30)
    assert [prompt.problem.problem_id for prompt in found.prompts] == ["short"]
    assert found.too_long == ("long",)
    with pytest.raises(
        ConfigError, match=r"none of 2 prompts fits: all are longer than data.max_prompt_tokens=3 \(shortest:"
    ):
        make_prompts(problems, FakeTokenizer(), template="plain", max_tokens=3)


@given(st.integers(1, 40), st.integers(1, 15), st.integers(0, 5))
def test_every_problem_comes_once_before_any_comes_twice(num_problems: int, batch_size: int, seed: int) -> None:
    steps = -(-3 * num_problems // batch_size)
    stream = [
        index
        for step in range(steps)
        for index in problems_at(num_problems, start=step * batch_size, count=batch_size, seed=seed)
    ]
    for epoch in range(3):
        part = stream[epoch * num_problems : (epoch + 1) * num_problems]
        assert Counter(part) == Counter(range(num_problems))


def test_the_order_depends_on_the_seed_and_the_epoch() -> None:
    def epoch(number: int, seed: int) -> list[int]:
        return problems_at(50, start=50 * number, count=50, seed=seed)

    assert epoch(0, 1) == epoch(0, 1)
    assert len({tuple(epoch(number, seed)) for number in (0, 1) for seed in (1, 2)}) == 4


def test_an_impossible_batch() -> None:
    with pytest.raises(ConfigError, match="both have to be positive"):
        problems_at(0, start=0, count=4, seed=0)


def test_generated_sums_are_never_those_of_the_benchmark() -> None:
    train = {problem.question for problem in read_problems(["arithmetic"])}
    held_out = {problem.question for problem in generate_sums(split="held_out")}
    assert len(train) > 10_000
    assert not train & held_out
    assert len(train | held_out) == 504 + 3024 + 15_120


def test_english_leaves_out_other_scripts_and_keeps_mathematics() -> None:
    questions = ("Find $\\alpha$ if \u03b1 + \u03b2 = 3.", "求下列各式的值", "Найдите x", "Was ist größer, é oder ñ?")
    problems = [a_problem(problem_id=str(n), question=question) for n, question in enumerate(questions)]
    assert [p.problem_id for p in select_problems(problems, limit=None, language="english")] == ["0", "3"]
    assert len(select_problems(problems, limit=3, language="any")) == 3
    with pytest.raises(ConfigError, match="excludes every one of"):
        select_problems(problems[1:3], limit=None, language="english")


MATHEMATICS = "²½①ℝµﬁʹ𝑥∠αªℵ₀Å㎏Ⅳₙ∞√ʃ⅓𝔽ⓐ﹪"


@pytest.mark.parametrize("sign", sorted(set(MATHEMATICS)))
def test_english_keeps_every_sign_of_mathematics(sign: str) -> None:
    problem = a_problem(question=f"Find {sign} if it is so.")
    assert select_problems([problem], limit=None, language="english") == [problem]


@pytest.mark.parametrize(("tokens", "wanted"), [(10, 0.0), (60, 0.0), (80, -0.5), (100, -1.0)])
def test_the_overlong_penalty_grows_in_the_buffer(tokens: int, wanted: float) -> None:
    assert overlong_penalty(tokens, max_tokens=100, buffer=40) == wanted
    assert overlong_penalty(tokens, max_tokens=100, buffer=0) == 0.0


def test_truncated_answers_earn_nothing() -> None:
    assert binary_reward("correct", "stop_string") == binary_reward("correct", "eos") == 1.0
    assert binary_reward("correct", "length") == binary_reward("wrong", "eos") == binary_reward("timeout", "eos") == 0.0


@pytest.mark.parametrize(
    ("name", "dropped"), [("orz57k_first2048", 0), ("orz72k_ext_first2725", 34), ("deepscaler_by_difficulty", 44)]
)
def test_english_drops_no_english_problem_of_real_files(name: str, dropped: int) -> None:
    """Each of the others was looked at: Chinese, and Cyrillic letters as words, unknowns, units or look-alikes."""
    problems = read_problems([str(shared_data() / "train" / f"{name}.jsonl")])
    assert len(problems) - len(select_problems(problems, limit=None, language="english")) == dropped


@pytest.mark.parametrize(
    ("name", "count"), [("orz57k_first2048", 2048), ("orz72k_ext_first2725", 2725), ("gsm8k_train", 7473)]
)
def test_real_training_files(name: str, count: int) -> None:
    problems = read_problems([str(shared_data() / "train" / f"{name}.jsonl")])
    assert len(problems) == count
    prompts = make_prompts(problems, FakeTokenizer(), template="orz-code", max_tokens=2048)
    assert not prompts.too_long


@given(st.integers(1, 15), st.integers(0, 30), st.integers(0, 5))
def test_no_step_has_a_problem_twice_and_every_epoch_each_once(step_size: int, more: int, seed: int) -> None:
    num_problems = step_size + more
    cursor, stream = 0, list[int]()
    for _ in range(-(-4 * num_problems // step_size)):
        selection = next_problems(num_problems, start=cursor, count=step_size, seed=seed, step_size=step_size)
        assert len(set(selection.indices)) == step_size
        assert selection.cursor == cursor + step_size, "nothing is skipped"
        # A function of its arguments: a resumed run gets the same problems.
        assert list(selection.indices) == problems_at(num_problems, start=cursor, count=step_size, seed=seed)
        cursor, stream = selection.cursor, [*stream, *selection.indices]
    for epoch in range(4):
        assert Counter(stream[epoch * num_problems : (epoch + 1) * num_problems]) == Counter(range(num_problems))


@given(st.integers(1, 8), st.integers(0, 20), st.integers(1, 4), st.randoms(use_true_random=False))
def test_steps_of_any_size_have_no_problem_twice(step_size: int, more: int, rounds: int, chance: random.Random) -> None:
    """As dynamic sampling takes them: rounds of chance sizes, steps that start anywhere."""
    num_problems, cursor = step_size + more, 0
    for _ in range(12):
        taken: set[int] = set()
        for _ in range(rounds):
            count = chance.randint(1, step_size)
            selection = next_problems(
                num_problems, start=cursor, count=count, seed=1, step_size=step_size, taken=frozenset(taken)
            )
            assert not taken & set(selection.indices)
            assert len(set(selection.indices)) == min(count, num_problems - len(taken))
            cursor, taken = selection.cursor, taken | set(selection.indices)


def test_long_epochs_are_not_computed_from_the_first() -> None:
    """The shortcut to the epoch before and the whole chain agree, where both hold."""
    for num_problems, step_size in ((40, 20), (41, 20), (50, 7)):
        by_chain = list(range(num_problems))
        for epoch in range(9):
            order = problems_at(
                num_problems, start=epoch * num_problems, count=num_problems, seed=3, step_size=step_size
            )
            num_older = epoch * num_problems % step_size
            shuffled = problems_at(
                num_problems, start=epoch * num_problems, count=num_problems, seed=3, step_size=num_problems
            )
            older = set(by_chain[num_problems - num_older :]) if epoch and num_older else set()
            head = [index for index in shuffled if index not in older][: step_size - num_older] if older else []
            by_chain = [*head, *(index for index in shuffled if index not in head)]
            assert order == by_chain
