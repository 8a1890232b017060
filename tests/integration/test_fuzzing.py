"""A sample of the fuzzing campaign of tests.support.fuzzing: broken files and odd arguments over every command."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.fuzzing import campaign

NUM, SEED = 150, 20_261_126


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_input_ends_with_exit_code_0_or_2(tmp_path: Path) -> None:
    outcomes = list(campaign(tmp_path, range(NUM), seed=SEED))
    assert [failure for _, failure in outcomes if failure is not None] == []
    codes = [code for code, _ in outcomes]
    assert codes.count(0) >= NUM // 10, "the campaign means something: commands also succeed"
    assert codes.count(2) >= NUM // 10
