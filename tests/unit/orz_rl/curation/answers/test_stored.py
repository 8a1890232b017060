"""Stored answers are read from runs and tables, in the student's tokens, and kept with their fates in the run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from orz_bench.errors import OrzError
from orz_bench.records.arrays import logprobs, token_ids
from orz_bench.records.rollout import Rollout
from orz_bench.records.run_dir import RolloutsDir, RunDir
from orz_bench.records.values import CriticCard, TokenValues, ValuesDir
from orz_rl.curation.answers.choice import Limits
from orz_rl.curation.answers.stored import (
    Demonstrations,
    Wanted,
    choose_demonstrations,
    stored_demonstrations,
    told,
)
from orz_rl.curation.answers.tokens import require_same_vocabulary
from orz_rl.settings.distill import AnswerChoice, AnswerSource
from tests.support.builders import a_rollout
from tests.support.tiny_model import ALPHABET, a_tiny_checkpoint

PROMPT, ANSWER = "What is 1 + 1?", "two </think> <answer> 2 </answer>"


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_tiny_checkpoint(tmp_path_factory.mktemp("student"))


def ids_of(text: str) -> list[int]:
    return [3 + ALPHABET.find(char) for char in text]


def a_row(text: str = ANSWER, **changes: Any) -> Rollout:
    facts: dict[str, Any] = {
        "prompt": PROMPT,
        "prompt_token_ids": ids_of(PROMPT),
        "completion": text,
        "token_ids": ids_of(text),
        "logprobs": [-0.5] * len(text),
        "num_tokens": len(text),
        "reward": 1.0,
        "policy_version": 3,
    }
    return a_rollout(**facts | changes)


def a_run(folder: Path, steps: Mapping[int, Sequence[Rollout]]) -> Path:
    run = RunDir(folder)
    run.create(kind="train", command=(), seed=0, environment={})
    for step, rows in steps.items():
        with run.rollouts(step).lock():
            run.rollouts(step).append([replace(row, step=step) for row in rows])
    return folder


def found(source: Path, student: Path, *, heard: list[str] | None = None, **settings: Any) -> Demonstrations:
    wanted = Wanted(
        student=str(student),
        template="plain",
        seed=1,
        limits=Limits(200, 100, 300),
        stop=("</answer>",),
        benchmarks=(),
        folders=(),
    )
    heard = [] if heard is None else heard
    return choose_demonstrations(AnswerSource(str(source), AnswerChoice(**settings)), wanted, notice=heard.append)


def test_rollouts_of_a_run_are_learned_token_by_token_and_say_where_they_were(student: Path, tmp_path: Path) -> None:
    rows = [a_row(), a_row("no", sample_index=1, verdict="wrong"), a_row("2, 2", sample_index=2)]
    run = a_run(tmp_path / "run", {1: rows, 2: [a_row("again", problem_id="p1", extra={"level": 2})]})
    heard: list[str] = []
    chosen = found(run, student, heard=heard)
    by_text = {row.completion: row for row in chosen.rows}
    assert set(by_text) == {ANSWER, "2, 2", "again"}
    assert [row.key for row in sorted(chosen.rows, key=lambda row: row.key)] == [("p0", 0), ("p0", 1), ("p1", 0)]
    last = by_text["again"]
    assert list(last.token_ids or ()) == ids_of("again")
    assert list(last.logprobs or ()) == [-0.5] * 5
    assert last.policy_version is None, "no version of this policy has written it"
    assert last.extra == {"level": 2, "distilled_from": {"step": 2, "sample_index": 0}}
    assert heard == []
    assert told(chosen.card) == (
        f"3 answers to 2 problems from {run} are learned, {len(ANSWER) + 4 + 5} tokens; not chosen: 1 not_right"
    )
    assert {row.completion for row in found(run, student, from_step=2).rows} == {"again"}


def test_texts_are_tokenised_again_and_end_as_they_ended(student: Path, tmp_path: Path) -> None:
    """A table of another tool: other names, no tokens; what no stop string ended is ended by the end token."""
    table = tmp_path / "answers.jsonl"
    rows = [
        {"id": "a", "prompt": PROMPT, "problem": "1 + 1?", "answer": "2", "response": ANSWER, "correct": True},
        {"id": "b", "prompt": PROMPT, "problem": "1 + 2?", "answer": "3", "response": "It is 3.", "correct": 1},
        {"id": "c", "problem": "2 + 2?", "answer": "4", "response": "4", "correct": True, "finish_reason": "stop"},
        {
            "id": "d",
            "problem": "2 + 3?",
            "answer": "5",
            "response": "5 and",
            "correct": True,
            "finish_reason": "length",
        },
        {"id": "e", "problem": "2 + 4?", "answer": "6", "response": "7", "correct": False},
        {"id": "f", "problem": "2 + 5?", "answer": "7", "response": "7"},
    ]
    table.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    heard: list[str] = []
    chosen = found(table, student, heard=heard)
    by_id = {row.problem_id: row for row in chosen.rows}
    assert list(by_id["a"].token_ids or ()) == ids_of(ANSWER)
    assert list(by_id["b"].token_ids or ()) == [*ids_of("It is 3."), 0]
    assert by_id["c"].prompt == "2 + 2?\n\nPlease reason step by step, and put your final answer within \\boxed{}.\n"
    assert all(list(row.prompt_token_ids or ()) == ids_of(row.prompt) for row in chosen.rows)
    assert all(row.logprobs is None and row.num_tokens == len(row.token_ids or ()) for row in chosen.rows)
    assert chosen.card["counts"] == {"chosen": 3, "not_graded": 1, "not_right": 1, "cut_off": 1}
    (said,) = heard
    assert said.startswith("3 answers without token ids: tokenised again")


def test_stored_values_choose_and_are_kept(student: Path, tmp_path: Path) -> None:
    texts = ["first", "second", "third"]
    rows = [a_row(text, sample_index=index) for index, text in enumerate(texts)]
    run = a_run(tmp_path / "run", {1: rows})
    with pytest.raises(OrzError, match=r"has values of no critic, but prefer=value needs exactly one"):
        found(run, student, prefer="value")
    for digest, means in {"aaa": [0.1, 0.9, 0.5], "bbb": [0.9, 0.1, 0.5]}.items():
        stored = ValuesDir.beside(RunDir(run).rollouts(1), digest)
        stored.open(CriticCard(digest=digest, dtype="float32", format="orz", path="x"))
        stored.append(
            [
                TokenValues(
                    problem_id="p0",
                    sample_index=index,
                    values=logprobs([mean] * len(text)),
                    char_ends=token_ids(list(range(1, len(text) + 1))),
                )
                for index, (text, mean) in enumerate(zip(texts, means, strict=True))
            ]
        )
    with pytest.raises(OrzError, match=r"has values of aaa, bbb, but .* choose with critic=DIGEST"):
        found(run, student, prefer="value")
    (best,) = found(run, student, prefer="value", critic="a", per_problem=1).rows
    assert best.completion == "second"
    assert best.extra["distilled_from"]["value"] == pytest.approx(0.9)


def test_they_are_stored_with_every_fate_and_read_again(student: Path, tmp_path: Path) -> None:
    source = a_run(tmp_path / "source", {1: [a_row(), a_row("no", sample_index=1, verdict="wrong")]})
    chosen = found(source, student)
    run = a_run(tmp_path / "run", {})
    assert stored_demonstrations(run) is None
    chosen.store(run)
    again = stored_demonstrations(run)
    assert again is not None
    assert (again.rows, again.digest) == (chosen.rows, chosen.digest)
    fates = pq.read_table(run / "distillation" / "fates.parquet").to_pylist()
    assert [(row["sample_index"], row["fate"], row["evidence"]) for row in fates] == [
        (1, "not_right", "wrong"),
        (0, "chosen", ""),
    ]
    again.store(run)
    branch = a_run(tmp_path / "branch", {})
    again.store(branch)
    of_branch = stored_demonstrations(branch)
    assert of_branch is not None
    assert (of_branch.rows, of_branch.card) == (again.rows, again.card)
    assert pq.read_table(branch / "distillation" / "fates.parquet").to_pylist() == fates
    RolloutsDir(run / "distillation" / "chosen").replace([a_row("2, 2")])
    with pytest.raises(OrzError, match=r"the chosen answers are not those of card.json; .* --fresh"):
        stored_demonstrations(run)


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        ([a_row("no", verdict="wrong")], r"none of 1 answer is known to be right(.|\n)*1 not_right"),
        (
            [a_row("cut", stop_reason="length")],
            r"no answer is left to learn of 1:\n  1 cut_off: ended at the token limit",
        ),
        (
            [a_row(token_ids=[5] * len(ANSWER))],
            r"its token ids do not decode to the stored text with the student's token",
        ),
        ([a_row("ab", token_ids=[3, 999], logprobs=[0, 0])], r"student"),
        (
            [a_row("λ", token_ids=None, logprobs=None)],
            r"its text, tokenised with the student's tokenizer, does not decode",
        ),
    ],
)
def test_what_cannot_be_learned_is_said(rows: list[Rollout], wanted: str, student: Path, tmp_path: Path) -> None:
    with pytest.raises(OrzError, match=wanted):
        found(a_run(tmp_path / "run", {1: rows}), student)


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (None, "no such file or run"),
        ("", "has 0 rows"),
        ('{"response": "2", "correct": true}\n', r"line 1: has no question"),
        ('{"problem": "1?", "response": "2", "correct": true, "sample": "x"}\n', r"line 1: sample_index is 'x'"),
    ],
)
def test_a_source_that_is_none_is_named(content: str | None, wanted: str, student: Path, tmp_path: Path) -> None:
    source = tmp_path / "answers.jsonl"
    if content is not None:
        source.write_text(content, encoding="utf-8")
    with pytest.raises(OrzError, match=wanted):
        found(source, student)


def test_a_run_without_rollouts_is_named(student: Path, tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", {3: [a_row()]})
    with pytest.raises(OrzError, match=r"has no rollouts of step 4 or later \(from_step\)"):
        found(run, student, from_step=4)


def test_a_teacher_of_another_vocabulary_is_refused(student: Path, tmp_path: Path) -> None:
    require_same_vocabulary(student=str(student), teacher=str(student))
    other = a_tiny_checkpoint(tmp_path / "other")
    path = other / "tokenizer.json"
    path.write_text(path.read_text("utf-8").replace('"A": 36', '"A": 37').replace('"B": 37', '"B": 36'), "utf-8")
    with pytest.raises(
        OrzError, match=r"another vocabulary .* token id 36 is 'B' to the teacher and 'A' to the student"
    ):
        require_same_vocabulary(student=str(student), teacher=str(other))
