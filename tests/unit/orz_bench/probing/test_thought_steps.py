"""Steps of thoughts, their perturbations, and beginnings of thoughts."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orz_bench.probing.thought_steps import Effect, cut_at, perturbed, steps_of, variants_of

SUM = " 12. wait, let me recheck: 7+3=10, 10+9=19"
TEXTS = st.text(alphabet="ab 17.,:=\n!?;-wait", max_size=60)


@pytest.mark.parametrize(
    ("thought", "steps"),
    [
        (SUM, [" 12. ", "wait, ", "let me recheck: ", "7+3=10, ", "10+9=19"]),
        ("We have x, y. So x = 3.5, y = 2.\nThen stop", ["We have x, y. ", "So x = 3.5, ", "y = 2.\n", "Then stop"]),
        ("However, it is 1,000. Done", ["However, ", "it is 1,000. ", "Done"]),
        ("", []),
        ("one", ["one"]),
    ],
)  # fmt: skip
def test_known_steps(thought: str, steps: list[str]) -> None:
    assert [step.text for step in steps_of(thought)] == steps


def test_reflections_are_known() -> None:
    assert [step.is_reflection for step in steps_of(SUM)] == [False, True, True, False, False]


@given(TEXTS)
def test_steps_are_the_thought(thought: str) -> None:
    steps = steps_of(thought)
    assert "".join(step.text for step in steps) == thought
    assert all(thought[step.start : step.end] == step.text for step in steps)


@given(TEXTS, st.text(max_size=4))
def test_perturbing_moves_every_number_and_nothing_else(thought: str, seed: str) -> None:
    for step in steps_of(thought):
        other = perturbed(step, seed=seed)
        assert other == perturbed(step, seed=seed)
        if not step.has_numbers:
            assert other == ""
            continue
        numbers = [list(map(int, re.findall(r"\d+", text))) for text in (step.text, other)]
        assert len(numbers[0]) == len(numbers[1])
        assert re.split(r"\d+", step.text) == re.split(r"\d+", other)
        assert any(a != b for a, b in zip(*numbers, strict=True))
        assert all(abs(a - b) <= 3 for a, b in zip(*numbers, strict=True))


@given(TEXTS, st.floats(0, 1))
def test_a_cut_is_a_beginning_that_cuts_no_word(thought: str, share: float) -> None:
    cut = cut_at(thought, share)
    assert thought.startswith(cut)
    assert len(cut) <= round(share * len(thought))
    if 0 < len(cut) < len(thought):
        assert cut[-1].isspace() or thought[len(cut)].isspace()
    assert cut_at(thought, 1) == thought
    assert cut_at(thought, 0) == ""


def test_variants_end_where_the_step_ends() -> None:
    steps = steps_of(SUM)
    words = variants_of(steps, 2, seed="s")
    assert words.both == " 12. wait, let me recheck: "
    assert words.without_step == " 12. wait, "
    last = variants_of(steps, 3, seed="s")
    assert last.both == " 12. wait, let me recheck: 7+3=10"
    assert last.without_step.startswith(" 12. wait, let me recheck: ")
    assert last.without_step != last.both
    assert last.without_context.endswith("7+3=10")
    assert not last.without_context.startswith(" 12.")
    assert last.without_context.removesuffix("7+3=10") == last.neither[: -len(last.without_step.split(": ")[1])]


def test_an_effect_is_the_mean_of_both_interventions() -> None:
    effect = Effect.of([0.9, 0.1, 0.4, 0.6])
    assert effect.intact == pytest.approx(0.8)
    assert effect.perturbed == pytest.approx(-0.2)
    assert effect.score == pytest.approx(0.5)
    assert effect.support == pytest.approx(0.3)
