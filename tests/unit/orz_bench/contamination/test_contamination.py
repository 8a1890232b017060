"""A stub that knows some questions by heart, the test against fresh ones, and the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from orz_bench.cli import app
from orz_bench.contamination.asking import ContaminationSettings
from orz_bench.contamination.study import known_questions, old_against_fresh, permutation_p
from orz_bench.engines.asked_model import AskedModel
from orz_bench.errors import ConfigError, OrzError, RunDirError
from orz_bench.models.checkpoint import ModelIdentity
from orz_bench.records.carded_rows import SUMMARY
from orz_bench.records.contamination import KnownQuestions, read_contamination
from orz_bench.records.rollout import Problem
from tests.support.scripted_engine import Letters, ScriptedEngine

NAMES = ("Ann", "Bob", "Cleo", "Dan", "Eve", "Finn", "Gil", "Hal", "Ida", "Jo", "Kim", "Lea")


class Tokenizer(Letters):
    bos = eos = opening = ""


class Watcher:
    missing = -1

    def started(self, name: str, *, num_wanted: int, num_missing: int) -> None:
        self.missing = num_missing

    def committed(self, num_questions: int) -> None: ...


def questions(benchmark: str, *, first: int) -> list[Problem]:
    return [
        Problem(
            benchmark=benchmark,
            problem_id=f"{benchmark}-{at}",
            question=f"{name} has {first + at} pears and buys {2 * at + 3} more. How many pears has {name} now?",
            gold=str(first + 3 * at + 3),
            kind="math",
        )
        for at, name in enumerate(NAMES)
    ]


OLD, FRESH = questions("old", first=10), questions("fresh", first=70)


def knows(problems: list[Problem]) -> ScriptedEngine:
    """Goes on with a known question; says `1` to everything else, and the gold to a known beginning."""

    def script(prompt: str, seed: int) -> str:
        if prompt.endswith("\\boxed{"):
            shown = prompt.split("This is the problem:\n")[1].split("\nAssistant")[0]
            known = [one.gold for one in problems if shown and one.question.startswith(shown)]
            return f"{known[0] if known else 1}}} </answer>"
        known = [one.question[len(prompt) :] for one in problems if one.question.startswith(prompt)]
        return known[0] if known else " says that it is so and so, and that nobody knows it yet."

    return ScriptedEngine(script, tokenizer=Tokenizer())


def asked(problems: list[Problem], engine: ScriptedEngine, folder: Path, **changes: Any) -> KnownQuestions:
    model = AskedModel(
        identity=ModelIdentity(label="stub", step=0, digest="d"),
        tokenizer=Tokenizer(),
        open_engine=lambda: engine,
        context=None,
        facts={},
    )
    found, _ = known_questions(
        problems,
        model=model,
        settings=ContaminationSettings(**changes),
        folder=folder,
        data_hash="h",
        observer=Watcher(),
    )
    return found


def test_what_is_known_is_completed_and_answered(tmp_path: Path) -> None:
    engine = knows(OLD)
    old, fresh = (asked(problems, engine, tmp_path) for problems in (OLD, FRESH))
    assert [(one.share, one.exact.value, one.rouge_l.value) for one in old.completions] == [
        (0.4, 1, 1), (0.6, 1, 1), (0.8, 1, 1)
    ]  # fmt: skip
    assert [one.exact.value for one in fresh.completions] == [0, 0, 0]
    assert [(one.share, one.right.value) for one in old.answers] == [(0, 0), (0.4, 1), (0.6, 1), (0.8, 1)]
    assert all(one.right.value == 0 for one in fresh.answers)
    assert all(one.by_chance is not None and one.by_chance.value == 0 for one in old.answers)
    assert old.completions[0].exact.low is not None
    assert old.completions[0].exact.low < 1
    test = old_against_fresh(old, fresh)
    assert test.p_value == test.p_exact == 1e-4
    assert test.low > 0
    assert old_against_fresh(fresh, fresh).p_value > 0.3


def test_the_beginning_is_the_share_of_the_question(tmp_path: Path) -> None:
    engine = knows([])
    asked(OLD[:1], engine, tmp_path, shares=(0.4,))
    assert [request.prompt for request in engine.asked[0]] == ["Ann has 10 pears and"]
    asked(OLD[:1], engine, tmp_path, shares=(0.4,), template="orz-code")
    (request,) = engine.asked[2]
    assert request.prompt.endswith("This is the problem:\nAnn has 10 pears and")


def test_what_is_stored_is_not_asked_again(tmp_path: Path) -> None:
    engine = knows(OLD)
    first = asked(OLD[:5], engine, tmp_path)
    calls = len(engine.asked)
    again = asked(OLD[:5], engine, tmp_path)
    assert (first, len(engine.asked)) == (again, calls)
    asked(OLD, engine, tmp_path)
    assert len(engine.asked[calls]) == 7 * 3


def test_short_questions_and_programs_are_left_out_and_counted(tmp_path: Path) -> None:
    short = Problem(benchmark="old", problem_id="s", question="1+1", gold="2", kind="math")
    program = Problem(benchmark="old", problem_id="c", question=OLD[0].question, gold="ab12", kind="code")
    found = asked([short, program, OLD[1]], knows([]), tmp_path, shares=(0.8,))
    assert (found.num_questions, found.num_without, found.completions[0].num, found.answers[0].num) == (3, 2, 2, 2)


def test_too_few_questions_are_refused(tmp_path: Path) -> None:
    few, many = asked(OLD[:9], knows([]), tmp_path), asked(FRESH, knows([]), tmp_path)
    with pytest.raises(ConfigError, match="old: 9 questions can be completed, wanted at least 10"):
        old_against_fresh(few, many)


def test_unknown_templates_are_named() -> None:
    with pytest.raises(ConfigError, match="template 'orz' is unknown"):
        ContaminationSettings(template="orz")
    with pytest.raises(ConfigError, match="answers need a template"):
        ContaminationSettings(answer_template="none")


def test_the_permutation_test_keeps_its_level() -> None:
    rng = np.random.default_rng(1)
    found = [permutation_p(rng.random(12), rng.random(12)) for _ in range(40)]
    assert sum(p < 0.1 for p in found) <= 9
    assert permutation_p(np.ones(12), np.ones(12)) == 1
    assert permutation_p(np.zeros(12), np.ones(12)) == 1


FAKE = ("--engine", "fake", "--limit", "12")


def test_the_command(tmp_path: Path) -> None:
    table = tmp_path / "fresh.jsonl"
    rows = [{"question": problem.question, "answer": problem.gold} for problem in FRESH]
    table.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    arguments = ["contamination", "--ckpt", "fake", *FAKE, "--bench", "arithmetic", "--fresh", str(table)]
    done = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "run"), "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert [one["num_questions"] for one in found["benchmarks"]] == [12, 12]
    assert [one["share"] for one in found["benchmarks"][0]["completions"]] == [0.4, 0.6, 0.8]
    assert found["against_fresh"][0]["p_value"] > 0.001
    stored = read_contamination(tmp_path / "run")
    assert {one.model for one in stored} == {"fake"}
    assert {one.known.benchmark: json.loads(json.dumps(one.known.to_json())) for one in stored} == {
        one["benchmark"]: one for one in found["benchmarks"]
    }
    assert [[test.to_json() for test in one.tests] for one in stored if one.tests] == [found["against_fresh"]]
    again = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "run")])
    text = " ".join(again.output.split())
    assert "12 questions are asked already, 0 to go" in text
    assert "not shown to be known" in text


def test_a_damaged_summary_is_named(tmp_path: Path) -> None:
    assert read_contamination(tmp_path) == []
    asked(OLD, knows(OLD), tmp_path)
    (path,) = tmp_path.glob(f"contamination/*/*/{SUMMARY}")
    path.write_text('{"benchmark": "old"}', encoding="utf-8")
    with pytest.raises(RunDirError, match="run orz-bench contamination again"):
        read_contamination(tmp_path)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--bench", "arithmetic", "--fresh", "arithmetic"], "arithmetic is both"),
        (["--bench", "arithmetic", "--at", "0,40"], "more than 0 and less than 100"),
        (["--bench", "arithmetic", "--before", "orz"], "template 'orz' is unknown"),
        (["--bench", "no_such_benchmark"], "no_such_benchmark"),
    ],
)
def test_errors_of_the_command(tmp_path: Path, more: list[str], message: str) -> None:
    done = CliRunner().invoke(app, ["contamination", "--ckpt", "fake", *FAKE, "--out", str(tmp_path / "run"), *more])
    assert done.exit_code == 2, done.output
    assert message in " ".join(done.output.split())


def test_a_question_that_does_not_fit_is_an_error(tmp_path: Path) -> None:
    model = AskedModel(
        identity=ModelIdentity(label="stub", step=0, digest="d"),
        tokenizer=Tokenizer(),
        open_engine=lambda: knows([]),
        context=30,
        facts={},
    )
    with pytest.raises(OrzError, match=r"old-0 needs .* tokens with its prompt, but the model's context is 30"):
        known_questions(
            OLD,
            model=model,
            settings=ContaminationSettings(),
            folder=tmp_path,
            data_hash="h",
            observer=Watcher(),
        )
