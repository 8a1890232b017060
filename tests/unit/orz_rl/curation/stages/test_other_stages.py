"""Selection, language, pass counts in columns, and shares of sources."""

from __future__ import annotations

from pathlib import Path

import pytest

from orz_bench.errors import ConfigError, DataError
from orz_rl.curation.settings import (
    Condition,
    LanguageSettings,
    MixSettings,
    PassRateSettings,
    SelectSettings,
)
from orz_rl.curation.stages.language import Language
from orz_rl.curation.stages.mix import Mix, wanted
from orz_rl.curation.stages.pass_rate import PassRate, counts_of, place_of
from orz_rl.curation.stages.select import Select, is_met
from tests.support.curation_rows import a_row, decided, reasons, rows_of


def test_rows_are_selected_by_columns(tmp_path: Path) -> None:
    levels = [{"level": 1}, {"level": "3"}, {"level": 5}, {}]
    rows = [a_row(number=number, extra=extra) for number, extra in enumerate(levels)]
    conditions = (Condition(column="level", min=2, max=4),)
    assert reasons(Select(SelectSettings(conditions=conditions), ("s",)), rows, tmp_path) == [
        "not_selected",
        "",
        "not_selected",
        "",
    ]
    strict = (Condition(column="level", min=2, needs_column=True),)
    assert reasons(Select(SelectSettings(conditions=strict), ("s",)), rows, tmp_path)[3] == "not_selected"
    of_other_source = SelectSettings(conditions=(Condition(column="level", min=2, source="other"),))
    assert set(reasons(Select(of_other_source, ("s", "other")), rows, tmp_path)) == {""}
    assert reasons(Select(SelectSettings(max_question_chars=5), ("s",)), rows[:1], tmp_path) == ["too_long"]


def test_conditions_on_what_is_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"names 'othr' \(did you mean 'other'\?\)"):
        Select(SelectSettings(conditions=(Condition(column="level", source="othr"),)), ("s", "other"))
    stage = Select(SelectSettings(conditions=(Condition(column="levle", min=1),)), ("s",))
    with pytest.raises(ConfigError, match=r"no row has a column 'levle' \(did you mean 'level'\?\)"):
        decided(stage, [a_row(extra={"level": 1})], tmp_path)


def test_a_value_may_be_written_as_text() -> None:
    assert is_met(Condition(column="x", values=(1, "b")), "1")
    assert not is_met(Condition(column="x", values=(1,)), 2)
    assert not is_met(Condition(column="x", min=1), "many")


def test_language(tmp_path: Path) -> None:
    texts = [
        "How many positive integers less than 100 are divisible by three?",
        "Combien de nombres entiers positifs inférieurs à cent sont divisibles par trois ?",
        "Wie viele positive ganze Zahlen unter hundert sind durch drei teilbar?",
        "求所有满足 $x^2 = 4$ 的整数 $x$。",
        r"$\int_0^1 x^2\,dx$",
        "Compute $1+1$.",
        "Let β and δ be the roots. What is β + δ?",
    ]
    rows = rows_of((text, "1") for text in texts)
    assert reasons(Language(LanguageSettings(keep="english")), rows, tmp_path) == [
        "",
        "not_english",
        "not_english",
        "foreign_letters",
        "",
        "",
        "",
    ]
    assert set(reasons(Language(LanguageSettings()), rows, tmp_path)) == {""}


def test_pass_counts_in_columns(tmp_path: Path) -> None:
    settings = PassRateSettings(correct_column="right", samples=4, min=0.3, max=0.8)
    extras = [{"right": 0}, {"right": 1}, {"right": 2}, {"right": 4}, {}]
    rows = [a_row(number=number, extra=extra) for number, extra in enumerate(extras)]
    outcome = decided(PassRate(settings, seed=1, folder=tmp_path), rows, tmp_path)
    assert [fate.reason for fate in outcome.fates] == ["never_correct", "too_hard", "", "too_easy", "no_pass_count"]
    assert outcome.fates[2].row.extra == {"right": 2, "num_correct": 2, "num_samples": 4}
    kept = PassRateSettings(correct_column="right", above_zero=False)
    assert reasons(PassRate(kept, seed=1, folder=tmp_path), rows[:1], tmp_path) == [""]


@pytest.mark.parametrize("extra", [{"right": 5}, {"right": -1}, {"right": "many"}, {"right": 1.5}])
def test_a_count_that_is_none_is_an_error(extra: dict[str, object], tmp_path: Path) -> None:
    settings = PassRateSettings(correct_column="right", samples=4)
    with pytest.raises(DataError, match=r"line 1: .* is no pass count"):
        decided(PassRate(settings, seed=1, folder=tmp_path), [a_row(extra=extra)], tmp_path)


def test_counts_are_made_of_verdicts() -> None:
    columns = {"problem_id": ["a", "b", "a"], "verdict": ["correct", "wrong", "no_answer"]}
    found = counts_of(columns)
    assert (found["a"].num_correct, found["a"].num_samples, found["b"].rate) == (1, 2, 0.0)


def test_the_model_is_checked_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"pass_rate\.model.*no such"):
        place_of(PassRateSettings(model=str(tmp_path / "none")))
    with pytest.raises(ConfigError, match=r"pass_rate\.options: n is decided"):
        place_of(PassRateSettings(model="tiny", options={"n": 4}))
    with pytest.raises(ConfigError, match=r"pass_rate\.options: option 'max_token' is unknown"):
        place_of(PassRateSettings(model="tiny", options={"max_token": 4}))
    assert Path(place_of(PassRateSettings(model="tiny"))).is_dir()
    assert place_of(PassRateSettings(model="a-name", options={"engine": "openai"})) == "a-name"


@pytest.mark.parametrize(
    ("available", "weights", "total", "expected"),
    [
        ({"a": 10, "b": 30}, {}, None, {"a": 10, "b": 30}),
        ({"a": 10, "b": 30}, {"a": 1, "b": 1}, None, {"a": 10, "b": 10}),
        ({"a": 10, "b": 30}, {"a": 1, "b": 3}, 8, {"a": 2, "b": 6}),
        ({"a": 10, "b": 30}, {"b": 1}, None, {"a": 0, "b": 30}),
        ({"a": 10, "b": 10, "c": 10}, {"a": 1, "b": 1, "c": 1}, 10, {"a": 4, "b": 3, "c": 3}),
        ({"a": 10, "b": 30}, {}, 20, {"a": 5, "b": 15}),
    ],
)
def test_shares(
    available: dict[str, int], weights: dict[str, float], total: int | None, expected: dict[str, int]
) -> None:
    assert wanted(available, MixSettings(weights=weights, total=total)) == expected


def test_a_mix_that_cannot_be_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="allow 20 rows"):
        wanted({"a": 10, "b": 30}, MixSettings(weights={"a": 1, "b": 1}, total=21))
    with pytest.raises(ConfigError, match="no row of 'a' is left"):
        wanted({"a": 0, "b": 30}, MixSettings(weights={"a": 1}))
    with pytest.raises(ConfigError, match="names 'z'"):
        decided(Mix(MixSettings(weights={"z": 1}), seed=1, sources=("s",)), [a_row()], tmp_path)


def test_the_mix_depends_on_the_seed_alone(tmp_path: Path) -> None:
    rows = rows_of((f"What is {number}?", "1") for number in range(100))
    settings = MixSettings(total=30)
    first, again, other = (reasons(Mix(settings, seed=seed, sources=("s",)), rows, tmp_path) for seed in (1, 1, 2))
    assert first == again != other
    assert first.count("") == other.count("") == 30
