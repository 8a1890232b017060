"""Blind comparisons: what is left follows from judge and question, words hold for texts, and nothing is lost."""

from __future__ import annotations

import shutil
import threading
from collections import Counter
from pathlib import Path

import pytest

from app.judging.annotations import Annotations
from app.judging.blind import (
    BlindPair,
    blind_annotations,
    chosen_sample,
    comparison_of,
    judge,
    judged_by,
    preference,
    response_of,
    shown_to,
    take_back,
    together,
    words_of,
)
from app.judging.blind_pairs import blind_pairs, checkpoints
from app.judging.side_folder import side_folder
from app.judging.tag_notes import SUGGESTED, described, tag_annotations
from app.judging.tag_notes import response_of as tag_response
from app.judging.travel import folder_rows, judgements_in, take_in, told
from app.queries.export_reading import rows_in
from app.queries.exports import exported
from app.queries.keys import RowKey
from app.queries.sides import Side
from orz_bench.records.run_dir import RunDir
from tests.support.app_runs import open_index, write_evaluation
from tests.support.builders import a_rollout

A, B = Side("run", 0, "0123456789ab"), Side("run", 5, "0123456789ab")


def _pair(name: str, a: str = "0" * 16, b: str = "f" * 16) -> BlindPair:
    keys = [RowKey("arithmetic", step, "f", name, 0) for step in (0, 5)]
    return BlindPair(benchmark="arithmetic", problem_id=name, a=keys[0], b=keys[1], hash_a=a, hash_b=b)


def _swapped(pair: BlindPair) -> BlindPair:
    return BlindPair(
        benchmark=pair.benchmark, problem_id=pair.problem_id, a=pair.b, b=pair.a, hash_a=pair.hash_b, hash_b=pair.hash_a
    )  # fmt: skip


PAIRS = [_pair(f"p{number}") for number in range(400)]


def test_which_side_is_left_is_even_by_judge_and_does_not_follow_the_order_of_the_checkpoints() -> None:
    for name in ("ada", "bob"):
        left = [pair.a_is_left(name) for pair in PAIRS]
        assert 150 < sum(left) < 250
        assert left == [pair.a_is_left(name) for pair in PAIRS], "reproducible"
        assert left == [not _swapped(pair).a_is_left(name) for pair in PAIRS], "the same text stands left"
    both = sum(pair.a_is_left("ada") == pair.a_is_left("bob") for pair in PAIRS)
    assert 150 < both < 250, "another judge sees another side"


def test_a_sample_follows_from_checkpoint_and_question() -> None:
    drawn = [chosen_sample(range(4), checkpoint="run@0~f", problem_id=f"p{number}") for number in range(400)]
    assert all(70 < count < 130 for count in Counter(drawn).values())
    assert chosen_sample([3, 1], checkpoint="x", problem_id="p") == chosen_sample(
        [1, 3], checkpoint="x", problem_id="p"
    )


@pytest.mark.parametrize("is_swapped", [False, True])
def test_a_word_holds_for_the_text_in_either_order(tmp_path: Path, is_swapped: bool) -> None:
    kept = blind_annotations(tmp_path, judge="ada")
    for pair in PAIRS[:6]:
        judge(kept, pair, judge="ada", choice="left" if pair.a_is_left("ada") else "right")
    judge(kept, PAIRS[6], judge="ada", choice="tie")
    judge(kept, PAIRS[7], judge="ada", choice="skip")
    take_back(kept, PAIRS[5])
    pairs = [_swapped(pair) if is_swapped else pair for pair in PAIRS[:10]]
    words, late = words_of(pairs, judged_by(kept.entries())["ada"], until=None)
    found = preference("ada", words, num_pairs=10, num_not_blind=late)
    assert (found.num_a, found.num_b) == ((0, 5) if is_swapped else (5, 0))
    assert (found.num_ties, found.num_skipped, found.num_open) == (1, 1, 3)
    assert found.share_b == (1 if is_swapped else 0)
    assert found.p_value == pytest.approx(2 / 32)
    assert found.interval is not None
    assert found.interval.low < found.interval.high


def test_what_is_judged_after_the_result_is_not_blind(tmp_path: Path) -> None:
    kept, about = blind_annotations(tmp_path, judge="ada"), comparison_of(["a", "b"], benchmark="arithmetic")
    assert about == comparison_of(["b", "a"], benchmark="arithmetic")
    judge(kept, PAIRS[0], judge="ada", choice="left")
    kept.mark_seen(about)
    judge(kept, PAIRS[0], judge="bob", choice="left")
    entries = kept.entries()
    since = shown_to(entries, about)["ada"]
    entries[response_of(PAIRS[1])] = [
        entry.__class__(**{name: getattr(entry, name) for name in entry.__dataclass_fields__} | {
            "key": response_of(PAIRS[1]).key, "time": "2999-01-01T00:00:00.000+00:00"})
        for entry in entries[response_of(PAIRS[0])][:1]
    ]  # fmt: skip
    words, late = words_of(PAIRS[:3], judged_by(entries)["ada"], until=since)
    assert late >= 1
    assert PAIRS[1].id not in words


def test_the_word_of_all_is_that_of_most() -> None:
    words = [{"p": "a", "q": "a", "r": "skip", "s": "tie"}, {"p": "a", "q": "b", "r": "skip"}, {"p": "b", "s": "a"}]
    assert together(words) == {"p": "a", "q": "tie", "r": "skip", "s": "a"}


def test_two_judges_at_once_lose_nothing(tmp_path: Path) -> None:
    def judged(name: str) -> None:
        kept = blind_annotations(tmp_path, judge=name)
        for pair in PAIRS[:15]:
            judge(kept, pair, judge=name, choice="left")

    threads = [threading.Thread(target=judged, args=(name,)) for name in ("ada", "bob")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = judged_by(blind_annotations(tmp_path, judge="").entries())
    assert {name: len(own) for name, own in found.items()} == {"ada": 15, "bob": 15}


def test_comparisons_and_descriptions_travel(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for side, name in ((here, "ada"), (there, "bob")):
        side.mkdir()
        judge(blind_annotations(side, judge=name), PAIRS[0], judge=name, choice="left")
    tag_annotations(here, author="ada").write_note(tag_response("mine"), note="what it means")
    for _ in range(2):
        data = exported(folder_rows(here), "jsonl")
        told(take_in(judgements_in(rows_in(data, name="x.jsonl")), runs=[], side=there, author="bob"))
        assert set(judged_by(blind_annotations(there, judge="").entries())) == {"ada", "bob"}, (
            "neither replaces the other"
        )
        assert described(tag_annotations(there, author="")) == {**SUGGESTED, "mine": "what it means"}
    theirs = list(folder_rows(there))
    assert len(theirs) == 2
    assert len(theirs[0]["judgements"]) == 2


def test_pairs_of_two_evaluations(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    run.create(kind="eval", command=[], seed=0, environment={})
    for step, names in ((0, ("p", "same", "alone")), (5, ("p", "same"))):
        rows = [
            a_rollout(problem_id=name, sample_index=sample, step=step,
                      completion="equal" if name == "same" else f"{name} {sample} at {step}")
            for name in names for sample in range(3)
        ]  # fmt: skip
        write_evaluation(run, step, rows, benchmark="arithmetic")
    index = open_index(run.path, measured=False)
    assert checkpoints(index, run="run") == [("arithmetic", A), ("arithmetic", B)]
    found = blind_pairs("arithmetic", a=(index, A), b=(index, B))
    assert (found.num_same, found.num_alone, found.num_dropped) == (1, 1, 0)
    (pair,) = found.pairs
    assert (pair.a.step, pair.b.step) == (0, 5)
    measured = open_index(Path(shutil.copytree(run.path, tmp_path / "copy" / "run")))
    assert blind_pairs("arithmetic", a=(measured, A), b=(measured, B)) == found
    (back,) = blind_pairs("arithmetic", a=(index, B), b=(index, A)).pairs
    assert back.id == pair.id
    kept = Annotations.of_run_at(run.path, name="run", side=side_folder(tmp_path), author="ada")
    assert kept.of_run() == {}
