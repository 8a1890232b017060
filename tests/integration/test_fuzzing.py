"""A sample of the fuzzing campaign of tests.support.fuzzing: broken files and odd arguments over every command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.fuzzing import campaign
from tests.support.preloaded import FORKED

NUM, SEED = 150, 20_261_126


@pytest.mark.slow
def test_every_input_ends_with_exit_code_0_or_2(tmp_path: Path) -> None:
    process = FORKED.Process(target=run_campaign, args=(tmp_path,))
    process.start()
    process.join()
    outcomes = [json.loads(line) for line in (tmp_path / "outcomes.jsonl").read_text("utf-8").splitlines()]
    assert [failure for _, failure in outcomes if failure] == []
    codes = [code for code, _ in outcomes]
    assert len(codes) == NUM
    assert codes.count(0) >= NUM // 10, "the campaign means something: commands also succeed"
    assert codes.count(2) >= NUM // 10


def run_campaign(folder: Path) -> None:
    with (folder / "outcomes.jsonl").open("w", encoding="utf-8") as file:
        for code, failure in campaign(folder / "campaign", range(NUM), seed=SEED):
            file.write(json.dumps([code, str(failure or "")]) + "\n")
