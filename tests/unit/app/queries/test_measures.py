from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from analysis.texts.reasoning import calculates, num_reasoning_chars, thought_of
from app.queries.keys import RowKey, key_of, key_text
from app.queries.measures import head, holds_gold, measure_part, measures
from app.queries.reasons import REASONS, bit, names_of
from orz_bench.records.keep_rules import KeepRule, Retention
from orz_bench.records.parquet import part_files
from orz_bench.records.retention import reduce_step
from orz_bench.records.run_dir import RolloutsDir
from tests.support.builders import a_rollout


@pytest.mark.parametrize(
    ("text", "gold", "holds"),
    [
        ("so it is 12.", "12", True),
        ("so it is 112 or 125", "12", False),
        ("about 12.5", "12", False),
        ("or 1,200 of 12", "12", True),
        ("0.12", "12", False),
        ("is \\frac{1}{2} then", "\\frac{1}{2}", True),
        ("is 7", "7", None),
        ("is 12", None, None),
        ("x" * 1000, "xx", False),
        ("", "12", False),
    ],
)
def test_gold_in_the_text(text: str, gold: str | None, holds: bool | None) -> None:
    assert holds_gold(text, gold) is holds


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("12 </think> <answer> 12 </answer>", 2),
        ("we add </think> \\boxed{3}", 5),
        ("we add <answer> 3", 5),
        ("we get \\boxed{3} </think>", 14),
        ("<think> no mark at all", 11),
        ("\\boxed{7}? We check: four and three. \\boxed{7}", 31),
        ("so \\boxed{7}, <answer> \\boxed{7} </answer>", 12),
        ("", 0),
    ],
)
def test_characters_of_reasoning(text: str, count: int) -> None:
    assert num_reasoning_chars(thought_of(text)) == count


@pytest.mark.parametrize(
    ("thought", "works"),
    [
        ("3+4=7, 7+5=12", True),
        ("3 \\cdot 4", True),
        ("x^2 is 9", True),
        ("(1) - (2)", True),
        ("12", False),
        ("x = 12", False),
        ("It is 12.", False),
        ("-3", False),
        ("", False),
    ],
)
def test_calculations(thought: str, works: bool) -> None:
    assert calculates(thought) is works


def test_a_rechecked_sum_is_reasoning() -> None:
    row = {"question": "9+3", "gold": "12", "extracted": "12", "why": "", "benchmark": "b", "problem_id": "p"}
    texts = ["12. wait, 12.</think> 12", "9+3=12</think> 12", "12</think> 12", "\\boxed{12}"]
    found = measures(pd.DataFrame([row | {"sample_index": k, "completion": text} for k, text in enumerate(texts)]))
    assert found["shows_work"].tolist() == [True, True, False, False]


def test_beginnings() -> None:
    assert head("a\n\n b\tc", 10) == "a b c"
    assert head("x" * 30, 10) == "x" * 10 + "…"
    assert head("a" + " " * 500 + "b", 10) == "a…"


def test_unknown_texts_stay_unknown() -> None:
    row = {"question": None, "gold": None, "completion": None, "extracted": None, "why": None, "extra": None}
    found = measures(pd.DataFrame([row | {"benchmark": "b", "problem_id": "p", "sample_index": 0}]))
    assert found.isna().all(axis=None)


def test_of_a_dropped_text_length_and_hash_are_known(tmp_path: Path) -> None:
    """In one part with texts that were kept, through the types of the stored columns."""
    folder = RolloutsDir(tmp_path)
    folder.append([a_rollout(problem_id=f"p{n}", completion=f"wait, so 2 x{n}", question="q") for n in range(40)])
    rule = KeepRule.parse("sampled:0.5")
    whole = measure_part(part_files(tmp_path)[0])
    dropped = reduce_step(folder, Retention(texts=rule, tokens=rule, logprobs=rule), step=1)["texts"]
    found = measure_part(part_files(tmp_path)[0])
    assert found["num_chars"] == whole["num_chars"]
    assert found["text_hash"] == whole["text_hash"]
    assert found["question_head"] == whole["question_head"]
    assert found["reflections"].null_count == found["preview"].null_count == found["shows_work"].null_count == dropped
    assert 0 < dropped < 40


def test_every_reason_has_its_bit() -> None:
    bits = [bit(reason.name) for reason in REASONS]
    assert len(set(bits)) == len(REASONS)
    assert names_of(sum(bits)) == tuple(reason.name for reason in REASONS)
    assert names_of(0) == ()


@pytest.mark.parametrize("key", [RowKey("a", 3, "", "p", 0), RowKey("a~b", 0, "0f", "x%/ü ~", 12)])
def test_a_key_survives_an_address(key: RowKey) -> None:
    assert key_of(key_text(key)) == key


@pytest.mark.parametrize("text", ["", "a", "a~b~c~d~e", "a~-1~c~d~0", "a~1~c~d~99999999999", "a~1~c~d~0~f"])
def test_other_texts_are_not_keys(text: str) -> None:
    assert key_of(text) is None
