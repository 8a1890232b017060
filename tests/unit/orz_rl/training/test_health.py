"""Signs of collapse: each is reported once, when it lasts, and within ten steps; healthy runs cause none."""

from __future__ import annotations

import csv
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import get_args

import pytest

from orz_rl.names import SignName
from orz_rl.training.health import SIGNS, Row, warnings
from tests.support.shared_data import shared_data

HEALTHY = {
    "policy/entropy": 1.0,
    "response/clip_rate": 0.0,
    "response/repetition": 0.05,
    "response/length_mean": 40.0,
    "group/all_right": 0.2,
    "group/all_wrong": 0.2,
    "mismatch/kl": 1e-6,
    "format/answer_rate": 1.0,
    "grading/timeout_share": 0.0,
}


def healthy_course(seed: int, num_steps: int) -> list[dict[str, float]]:
    """A run that learns: noisy, with a critic that starts wrong, and stretches on which there is nothing to learn."""
    rng = random.Random(seed)
    start, gain, scale = rng.uniform(0.3, 1.5), rng.uniform(0.3, 0.9), rng.uniform(0.05, 5)
    rows = []
    for step in range(1, num_steps + 1):
        done = 1 - 0.5 ** (step / num_steps * 6)
        row = HEALTHY | {
            "step": step,
            "policy/entropy": start * (1 - 0.7 * done) * rng.lognormvariate(0, 0.15),
            "reward/mean": min(1.0, max(0.0, 0.05 + gain * done + rng.gauss(0, 0.06))),
            "policy/grad_norm": scale * (1 + done) * rng.lognormvariate(0, 0.6),
            "critic/grad_norm": scale * (1 + 20 * 0.7**step) * rng.lognormvariate(0, 0.6),
            "critic/explained_variance": 0.5 * done - 4 * 0.6**step + rng.gauss(0, 0.15),
            "grading/timeout_share": rng.choice([0.0, 0.0, 0.004]),
        }
        if rng.random() < 0.1:  # every sample is right: no variance, no gradient
            row["policy/grad_norm"] = 1e-9
            del row["critic/explained_variance"]
        if rng.random() < 0.02:
            row["policy/grad_norm"] *= 1000  # one spike, which is clipped
        rows.append(row)
    return rows


@pytest.mark.parametrize("seed", range(20))
def test_a_healthy_run_hears_nothing(seed: int) -> None:
    rows = healthy_course(seed, 40 if seed % 2 else 120)
    reported = {end: found for end in range(1, len(rows) + 1) if (found := warnings(rows[:end], set()))}
    assert reported == {}


Course = Callable[[int, Row], dict[str, float]]
"""(steps since the fall began, from 0; a healthy row) -> what is changed."""
COURSES: dict[SignName, tuple[Course, ...]] = {
    "entropy_explosion": (
        lambda _, row: {"policy/entropy": 8.0},
        lambda age, row: {"policy/entropy": min(10.0, row["policy/entropy"] * 1.3 ** (age + 1))},
        lambda age, row: {"policy/entropy": row["policy/entropy"] + 0.25 * (age + 1)},
    ),
    "entropy": (lambda _, row: {"policy/entropy": 0.01}, lambda age, _: {"policy/entropy": 0.5 * 0.4 ** (age + 1)}),
    "reward": (lambda _, row: {"reward/mean": 0.05}, lambda age, row: {"reward/mean": max(0.05, 0.8 - 0.15 * age)}),
    "explained_variance": (
        lambda _, row: {"critic/explained_variance": -0.5},
        lambda age, row: {"critic/explained_variance": -0.5 + 0.3 * (age % 2)},
    ),
    "grad_norm": (
        lambda _, row: {"policy/grad_norm": 1000 * row["policy/grad_norm"]},
        lambda age, row: {"critic/grad_norm": 1000 * row["critic/grad_norm"]},
    ),
    "grading_timeouts": (lambda _, row: {"grading/timeout_share": 0.3},),
}


@pytest.mark.parametrize("start", [12, 30, 100])
@pytest.mark.parametrize(("sign", "which"), [(sign, n) for sign, some in COURSES.items() for n in range(len(some))])
def test_a_collapse_is_found_within_ten_steps(sign: SignName, which: int, start: int) -> None:
    rows = healthy_course(start, start)
    rows = [row | {"reward/mean": max(row["reward/mean"], 0.7)} for row in rows]
    reported: list[tuple[SignName, str]] = []
    usual = rows[-1] | {name: median(row[name] for row in rows) for name in ("policy/grad_norm", "critic/grad_norm")}
    for age in range(10):
        rows.append(usual | {"step": start + age + 1} | COURSES[sign][which](age, usual))
        reported += warnings(rows, {name for name, _ in reported})
    assert [name for name, _ in reported] == [sign]
    since = int(reported[0][1].split("since step ")[1].split()[0].strip(",:"))
    assert start - 3 <= since <= start + 8, reported


def test_a_critic_that_starts_useless_and_stays_so_is_found_at_once() -> None:
    rows = [HEALTHY | {"step": step, "critic/explained_variance": -0.5} for step in range(1, 61)]
    assert warnings(rows[:7], set()) == []
    assert [name for name, _ in warnings(rows[:10], set())] == ["explained_variance"]


@pytest.mark.parametrize(
    ("sign", "metric", "value"),
    [
        ("entropy", "policy/entropy", 0.01),
        ("clip_rate", "response/clip_rate", 0.9),
        ("repetition", "response/repetition", 0.5),
        ("length", "response/length_mean", 3.0),
        ("no_signal", "group/all_wrong", 0.9),
        ("mismatch", "mismatch/kl", 0.2),
        ("format", "format/answer_rate", 0.1),
        ("grading_timeouts", "grading/timeout_share", 0.1),
    ],
)
def test_a_lasting_sign_is_told_once(sign: str, metric: str, value: float) -> None:
    bad = HEALTHY | {metric: value}
    assert warnings([HEALTHY, *[bad] * 4], set()) == []
    (reported,) = warnings([HEALTHY, *[bad] * 5], set())
    assert reported[0] == sign
    assert "since step 2" in reported[1]
    assert warnings([HEALTHY, *[bad] * 6], {sign}) == []


def test_every_sign_has_a_name_of_the_list_and_says_since_when() -> None:
    assert [sign.name for sign in SIGNS] == list(get_args(SignName))
    assert all("{since}" in sign.text for sign in SIGNS)


def test_a_metric_that_is_absent_is_not_judged() -> None:
    assert warnings([], set()) == []
    assert warnings([{"step": float(step)} for step in range(1, 30)], set()) == []


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def reward_curves() -> dict[str, list[tuple[float, float]]]:
    curves = defaultdict(list)
    folder = shared_data() / "curves"
    for path in sorted(folder.glob("*_fig*.csv")):
        for row in rows_of(path):
            is_reward = row["panel"].startswith("Reward") or row["series"] == "Reward"
            if is_reward and row["flag"] != "clip_edge":
                name = "/".join((path.stem, row["panel"], row["series"], row["style"]))
                curves[name].append((float(row["x"]), float(row["y"])))
    for row in rows_of(folder / "orz_7b_train_per_step.csv"):
        if row["metric"] == "reward":
            curves["orz_7b"].append((float(row["step"]), float(row["y"])))
    return {name: sorted(points) for name, points in curves.items()}


def is_warned_of(points: Sequence[tuple[float, float]]) -> bool:
    rows = [{"step": x, "reward/mean": y} for x, y in points]
    return any(warnings(rows[:end], set()) for end in range(1, len(rows) + 1))


def test_of_published_reward_curves_the_one_that_collapses_is_warned_of() -> None:
    curves = reward_curves()
    assert len(curves) == 23
    assert len(curves["orz_7b"]) == 731
    assert [name for name, points in curves.items() if is_warned_of(points)] == [
        "feb2025_fig13/Reward During Training/Prompt 1024x64 U.S. 8/single"
    ]
