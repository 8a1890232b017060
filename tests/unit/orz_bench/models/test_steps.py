"""Which training step a path tells."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orz_bench.models.steps import step_in_path

TOLD = {
    "iter2/checkpoint-500": 500,
    "iter2/checkpoint-1000": 1000,
    "run/global_step_40/actor/huggingface": 40,
    "run/global_step40": 40,
    "step=000120/policy": 120,
    "iter120": 120,
    "iter_0000500": 500,
    "x-ckpt-200": 200,
    "Checkpoint-7": 7,
    "epoch=2-step=500": 500,
    "epoch_3/step_40": 40,
    "checkpoint-500-merged": 500,
    "Qwen2.5-7B-ppo/step300": 300,
    "step-0": 0,
    "checkpoint-1000/checkpoint-2000/policy": 2000,
}
UNTOLD = (
    "Qwen2.5-7B",
    "meta-llama/Llama-3.1-8B",
    "run2024-11-25",
    "epoch_3",
    "Step-3.5-Flash",
    "step10k",
    "stepwise3",
    "twostep3",
    "models--org--step3/snapshots/abc",
    "checkpoint",
    "checkpoint-",
    "checkpoint-1234567890123",
    "iter2x",
    "v1.2",
    "500",
    "steps-per-epoch",
)


@pytest.mark.parametrize(("path", "step"), TOLD.items())
def test_told(path: str, step: int) -> None:
    assert step_in_path(Path("/data") / path) == step


@pytest.mark.parametrize("path", UNTOLD)
def test_untold(path: str) -> None:
    assert step_in_path(Path("/data") / path) is None


def test_a_link_is_what_it_points_to(tmp_path: Path) -> None:
    (tmp_path / "step=000120").mkdir()
    (tmp_path / "latest").symlink_to(tmp_path / "step=000120")
    (tmp_path / "checkpoint-7").symlink_to(tmp_path / "step=000120")
    (tmp_path / "plain").mkdir()
    (tmp_path / "step-9").symlink_to(tmp_path / "plain")
    assert [step_in_path(tmp_path / name) for name in ("latest", "checkpoint-7", "step-9")] == [120, 120, 9]


_WORDS = st.sampled_from(["step", "steps", "global_step", "iter", "iteration", "checkpoint", "ckpt", "Step"])
_PLAIN = st.text(st.sampled_from("abxyz-_."), min_size=1, max_size=8).filter(lambda text: text.strip("."))


@given(
    before=st.lists(st.one_of(_PLAIN, st.tuples(_WORDS, st.integers(0, 10**9)).map(lambda x: f"{x[0]}-{x[1]}"))),
    word=_WORDS,
    between=st.sampled_from(["=", "_", "-", ""]),
    step=st.integers(0, 10**12 - 1),
    zeros=st.integers(0, 3),
    after=st.lists(_PLAIN, max_size=3),
)
def test_the_last_one_counts_whatever_stands_around_it(
    before: list[str], word: str, between: str, step: int, zeros: int, after: list[str]
) -> None:
    digits = (("0" * zeros) + str(step))[-12:]
    path = Path("/data", *before, f"{word}{between}{digits}", *after)
    assert step_in_path(path) == int(digits)
