"""A reward function in its process: what it may return, what ends a step, and that its code is its identity."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from orz_bench.errors import ConfigError, RunDirError
from orz_bench.records.rollout import Completion, Grade
from orz_bench.records.run_dir import RunDir
from orz_rl.recipes.registry import resolve
from orz_rl.rollout.problems import Prompts
from orz_rl.rollout.reward_process import RewardProcess, Scored, binary_of, checked_identity, open_reward
from orz_rl.training.identity import Maker, open_run
from tests.support.builders import a_problem
from tests.support.plugin_site import on_the_path

SOURCE = """
import math, os, time
from decimal import Decimal
def length(problem, completion, grade): return completion.num_tokens / 10
def keyword(problem, *, completion, grade): return 1
def any_way(*arguments, scale=2): return scale
def right(problem, completion, grade): return grade.is_correct
def nan(problem, completion, grade): return math.nan
def minus_inf(problem, completion, grade): return -math.inf
def none(problem, completion, grade): return None
def text(problem, completion, grade): return "1"
def exact(problem, completion, grade): return Decimal(1)
def raises(problem, completion, grade): raise KeyError("tags")
def leaves(problem, completion, grade): raise SystemExit(0)
def computes(problem, completion, grade):
    while True: pass
def dies(problem, completion, grade): os._exit(3)
def needs_digits(problem, completion, grade): return float(completion.text)
"""


@pytest.fixture(scope="module")
def rewards(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("rewards")
    with on_the_path(folder):
        (folder / "scored_here.py").write_text(SOURCE, encoding="utf-8")
        (folder / "failing_here.py").write_text("raise OSError('no model')", encoding="utf-8")
        yield folder


def a_scored(*, text: str = "", num_tokens: int = 3, is_right: bool = True) -> Scored:
    completion = Completion(
        problem_id="p7", sample_index=2, seed=0, text=text, num_tokens=num_tokens, stop_reason="eos"
    )
    verdict = "correct" if is_right else "wrong"
    grade = Grade(
        verdict=verdict,  # type: ignore[arg-type]
        why="",
        extracted="1",
        second_extractor="",
        second_extracted=None,
        second_verdict="wrong",
    )
    return Scored(problem=a_problem(), completion=completion, grade=grade, where="problem p7, sample 2, step 5")


def reward_of(name: str, scored: Scored) -> float:
    with closing(RewardProcess(f"scored_here:{name}", deadline_s=0.2)) as function:
        return function(scored)


@pytest.mark.usefixtures("rewards")
def test_a_function_gives_a_number() -> None:
    assert reward_of("length", a_scored(num_tokens=7)) == 0.7
    assert reward_of("any_way", a_scored()) == 2.0
    with closing(RewardProcess("scored_here:right", deadline_s=0.2)) as function:
        assert [function(a_scored(is_right=right)) for right in (True, False, True)] == [1.0, 0.0, 1.0]


@pytest.mark.usefixtures("rewards")
@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("nan", "it returned nan, wanted a finite number"),
        ("minus_inf", "it returned -inf, wanted a finite number"),
        ("none", "it returned None, wanted a number"),
        ("text", r"it returned '1' \(a str\), wanted a number"),
        ("exact", r"it returned Decimal\('1'\) \(a Decimal\), wanted a number"),
        ("raises", "it raised KeyError: 'tags'"),
        ("leaves", "it raised SystemExit: 0"),
        ("computes", r"it took more than 0\.2 s of CPU time \(reward.deadline_s\)"),
        ("dies", r"its process died \(exit code 3\)"),
    ],
)
def test_anything_else_names_the_rollout(name: str, fault: str) -> None:
    wanted = rf"reward\.function=scored_here:{name} failed on problem p7, sample 2, step 5: {fault}"
    with pytest.raises(ConfigError, match=wanted):
        reward_of(name, a_scored())


@pytest.mark.usefixtures("rewards")
@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("scored_here:keyword", r"keyword\(problem, \*, completion, grade\) cannot be called"),
        ("scored_here:absent", "has no attribute 'absent'"),
        ("scored_here:math", "is a module, wanted a function"),
        ("failing_here:f", "cannot be loaded: OSError: no model"),
        ("not_here:f", "cannot be loaded: ModuleNotFoundError"),
        (
            "scored_here:needs_digits",
            r"failed on a trial call before the run \(problem .*, right answer\): it raised Val",
        ),
        ("scored here:f", r"wanted package\.module:name"),
        ("binray", r"reward 'binray' is unknown \(did you mean 'binary'\?\)"),
    ],
)
def test_what_cannot_be_used_is_refused_before_the_run(name: str, fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        checked_identity(name, deadline_s=0.5, problem=a_problem())


def test_the_default_needs_no_process() -> None:
    assert open_reward("binary", deadline_s=1) is None
    assert checked_identity("binary", deadline_s=1, problem=a_problem()) is None
    scored = a_scored()
    assert binary_of(scored) == 1.0
    assert binary_of(replace(scored, completion=replace(scored.completion, stop_reason="length"))) == 0.0


def test_a_run_with_other_code_is_not_resumed(rewards: Path, tmp_path: Path) -> None:
    def opened() -> None:
        identity = checked_identity("scored_here:length", deadline_s=1, problem=a_problem())
        assert identity is not None
        config = resolve("tiny", overrides=["reward.function=scored_here:length"])
        parts = {"reward.function": identity}
        open_run(
            RunDir(tmp_path / "run"),
            config,
            prompts=Prompts((), ()),
            parts=parts,
            made_by=Maker("native", ()),
            notice=print,
        )

    opened()
    opened()
    file = rewards / "scored_here.py"
    before = file.read_text(encoding="utf-8")
    file.write_text(before.replace("/ 10", "/ 20"), encoding="utf-8")
    with pytest.raises(
        RunDirError, match=r"reward\.function is other code than when this run was started: found .*now"
    ):
        opened()
    file.write_text(before, encoding="utf-8")
    opened()
