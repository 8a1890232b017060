"""Texts without end, on the pages that show two of them beside each other, and in the facts of a rollout."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.queries.keys import RowKey, key_text
from app.reader.markup import escape
from app.views.names import MOST_HEADING
from app.views.texts import FACT_CHARS, WHOLE_CHARS
from orz_bench.records.run_dir import RunDir
from tests.support.app_runs import write_evaluation
from tests.support.builders import a_rollout
from tests.unit.app.screens.test_rollout_pages import drawn, measured, texts

FINGERPRINT = "0123456789ab"
ID = "p" * 5_000
LONG = "9" * 10_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("endless")
    run = RunDir(found / "run")
    run.create(kind="eval", command=[], seed=0, environment={})
    for step in (0, 1):
        text = f"step {step} " * (WHOLE_CHARS // 5)
        rows = [
            a_rollout(
                problem_id=ID,
                step=step,
                completion=text,
                gold=LONG,
                extracted=f"{LONG}{step}",
                why=LONG,
                verdict="wrong",
            )
        ]
        write_evaluation(run, step, rows, benchmark="arithmetic")
    run.mark("DONE")
    measured(run)
    return found


SAME = key_text(RowKey("arithmetic", 0, FINGERPRINT, ID, 0))
SIDES = [f"run@{step}~{FINGERPRINT}" for step in (0, 1)]


@pytest.mark.parametrize(
    ("page", "state"),
    [
        ("question", {"bench": "arithmetic", "problem": ID}),
        ("question", {"bench": "arithmetic", "problem": ID, "left": SAME, "right": SAME}),
        ("question", {"bench": "arithmetic", "problem": ID, "at": SIDES}),
        ("judging", {"bench": "arithmetic"}),
    ],
)
def test_two_of_them_stand_beside_each_other(folder: Path, page: str, state: dict[str, str | list[str]]) -> None:
    test = drawn(folder, page, run="run", **state)
    assert "fault of the app" not in texts(test)
    assert len([one for one in test.get("html") if 'class="orz-text"' in one.proto.body]) == 2
    assert len([toggle for toggle in test.toggle if toggle.label == "Show all"]) == 2


@pytest.mark.parametrize("page", ["rollouts", "question", "judging"])
def test_facts_are_cut(folder: Path, page: str) -> None:
    bodies = "".join(one.proto.body for one in drawn(folder, page, run="run").get("html"))
    assert f"{escape(LONG[:FACT_CHARS])}…" in bodies
    assert LONG[: FACT_CHARS + 1] not in bodies


@pytest.mark.parametrize("page", ["rollouts", "question", "judging"])
def test_a_heading_has_room_for_a_part_of_an_id(folder: Path, page: str) -> None:
    headings = [one.value for one in drawn(folder, page, run="run").markdown if "ppp" in one.value]
    assert headings
    assert max(map(len, headings)) < 2 * MOST_HEADING
