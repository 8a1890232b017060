"""Decisions of a gate: their errors, looks, tiers, and policies that cannot be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from orz_bench.errors import ConfigError
from orz_bench.results.comparison import Outcomes
from orz_bench.results.gate import Gated, Rule, decide, overall
from orz_bench.results.gate_policy import load_policy

RULE = Rule(benchmark="bench", margin=0.1, tier="required")


def outcomes(correct: int, *, of: int = 8, questions: int = 40) -> Outcomes:
    """Every question with so many correct samples."""
    return {str(question): [sample < correct for sample in range(of)] for question in range(questions)}


@pytest.mark.parametrize(
    ("base", "candidate", "decision"), [(4, 4, "GO"), (4, 8, "GO"), (4, 2, "NO-GO"), (8, 0, "NO-GO")]
)
def test_a_clear_difference_is_decided(base: int, candidate: int, decision: str) -> None:
    gated = decide(outcomes(base), outcomes(candidate), rule=RULE, looks=[8], error=0.05)
    assert gated is not None
    assert gated.decision == decision
    assert gated.difference == pytest.approx((candidate - base) / 8)
    assert gated.low <= gated.difference <= gated.high


def test_a_loss_of_the_margin_itself_is_not_decided() -> None:
    a, b = outcomes(5, of=10), outcomes(4, of=10)
    gated = decide(a, b, rule=RULE, looks=[10], error=0.05)
    assert gated is not None
    assert gated.decision == "INCONCLUSIVE"


def test_the_largest_look_that_both_reach_decides_from_its_first_samples() -> None:
    a, b = outcomes(2, of=9), outcomes(2, of=4)
    assert decide(a, b, rule=RULE, looks=[5, 8], error=0.05) is None
    gated = decide(a, b, rule=RULE, looks=[1, 2, 4, 8], error=0.05)
    assert gated is not None
    assert (gated.samples, gated.difference) == (4, 0.0)  # two of the first four on either side


def test_a_wrong_go_at_the_margin_is_rare_with_several_looks() -> None:
    """The full simulation is benchmarks/gate.py."""
    rng, wrong, pairs = np.random.default_rng(3), 0, 150
    for _ in range(pairs):
        base = rng.uniform(0.2, 0.9, 30)
        candidate = base - RULE.margin + rng.uniform(-0.1, 0.1, 30)
        sides = [{str(q): list(rng.random(8) < p) for q, p in enumerate(side)} for side in (base, candidate)]
        for look in (2, 8):
            cut = [{key: row[:look] for key, row in side.items()} for side in sides]
            gated = decide(*cut, rule=RULE, looks=(2, 8), error=0.2)
            assert gated is not None
            if gated.decision != "INCONCLUSIVE":
                wrong += gated.decision == "GO"
                break
    assert 0 < wrong <= 0.2 * pairs


def test_more_looks_make_each_more_careful() -> None:
    a = outcomes(4)
    b: Outcomes = {key: row[::-1] for key, row in a.items()} | dict(outcomes(3, questions=10))
    widths = []
    for looks in ([8], [2, 8], [1, 2, 4, 8]):
        gated = decide(a, b, rule=RULE, looks=looks, error=0.05)
        assert gated is not None
        widths.append(gated.high - gated.low)
    assert widths == sorted(widths)
    assert widths[0] < widths[-1]


def gated(decision: str, tier: str = "required") -> Gated:
    found = decide(outcomes(4), outcomes(4), rule=RULE, looks=[8], error=0.05)
    assert found is not None
    return replace(found, decision=decision, rule=replace(RULE, tier=tier))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        ([gated("GO"), gated("GO")], "GO"),
        ([gated("GO"), gated("INCONCLUSIVE")], "INCONCLUSIVE"),
        ([gated("INCONCLUSIVE"), gated("NO-GO")], "NO-GO"),
        ([gated("GO"), gated("NO-GO", "advisory")], "GO"),
        ([gated("INCONCLUSIVE"), gated("GO", "advisory")], "INCONCLUSIVE"),
    ],
)
def test_required_benchmarks_decide(found: list[Gated], wanted: str) -> None:
    assert overall(found) == wanted


def test_runs_without_a_common_question_are_refused() -> None:
    with pytest.raises(ConfigError, match="share no question"):
        decide({"a": [True]}, {"b": [True]}, rule=RULE, looks=[1], error=0.05)


def policy(folder: Path, text: str) -> Path:
    (folder / "policy.yaml").write_text(text, encoding="utf-8")
    return folder / "policy.yaml"


def test_a_policy(tmp_path: Path) -> None:
    text = "looks: [2, 4]\nerror: 0.1\nbenchmarks:\n  aime24: {margin: 5}\n  gsm8k: {margin: 0, tier: advisory}\n"
    found = load_policy(policy(tmp_path, text))
    assert (found.error, found.looks) == (0.1, (2, 4))
    assert found.rules == (
        Rule(benchmark="aime24", margin=0.05, tier="required"),
        Rule(benchmark="gsm8k", margin=0.0, tier="advisory"),
    )


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", "the file: input should be"),
        ("benchmarks: {}", "benchmarks: "),
        ("benchmarks: {a: {margin: -1}}", r"benchmarks\.a\.margin: "),
        ("benchmarks: {a: {margin: .nan}}", r"benchmarks\.a\.margin: "),
        ("benchmarks: {a: {margin: 1, teir: advisory}}", r"benchmarks\.a\.teir: "),
        ("benchmarks: {a: {margin: 1, tier: advisory}}", "every benchmark is advisory"),
        ("looks: [4, 4]\nbenchmarks: {a: {margin: 1}}", "wanted rising numbers"),
        ("looks: []\nbenchmarks: {a: {margin: 1}}", "looks: "),
        ("error: 0.5\nbenchmarks: {a: {margin: 1}}", "error: "),
        ("benchmarks: [", "not readable as a policy"),
    ],
)
def test_a_policy_that_cannot_be_is_refused(text: str, wanted: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=wanted):
        load_policy(policy(tmp_path, text))


def test_a_policy_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "policy.yaml", tmp_path, tmp_path / "missing.yaml"):
        with pytest.raises(ConfigError, match="not readable as a policy"):
            load_policy(path)
