"""A failed request counts among samples that were judged, as in summary.json, and makes no score where none was."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.queries.filters import Filters
from app.queries.index import FAILED, NOT_GRADED
from app.queries.questions import history, questions
from app.queries.rates import rates, unrated
from app.queries.selection import facets, select
from orz_bench.exchange.import_files import ImportOptions, import_files
from orz_bench.records.judged import IS_JUDGED_SQL, NO_RESPONSE, are_scored, is_judged
from orz_bench.records.run_dir import RunDir
from tests.support.app_runs import open_index

KINDS: dict[str, dict[str, Any]] = {
    "right": {"output": "2", "correct": True},
    "wrong": {"output": "3", "correct": False},
    "failed": {"output": None, "correct": False},
    "unjudged": {"output": "2", "correct": None},
}
ROWS = list(itertools.product(KINDS, repeat=2))


def _imported(folder: Path, kinds: Sequence[Sequence[str]]) -> RunDir:
    """An evaluation of questions with two samples each, imported as a user would."""
    file = folder / "a.jsonl"
    rows = [
        {"problem_id": f"q{number}", "question": f"What is {number}?", "answer": "2", "sample_index": sample}
        | KINDS[kind]
        for number, question in enumerate(kinds)
        for sample, kind in enumerate(question)
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    list(import_files([file], folder / "run", options=ImportOptions(benchmark="math500", step=0)))
    return RunDir(folder / "run")


@pytest.mark.parametrize(
    "kinds",
    [
        [("failed", "failed")] * 3,
        [("failed", "failed"), ("failed", "right"), ("right", "wrong")],
        [("failed", "failed"), ("wrong", "wrong")],
        [("failed", "unjudged"), ("unjudged", "unjudged")],
        [("failed", "failed"), ("unjudged", "unjudged")],
        [("failed", "unjudged"), ("right", "wrong")],
        [("right", "right")],
        ROWS,
    ],
)
def test_the_app_counts_what_the_summary_counts(tmp_path: Path, kinds: list[tuple[str, str]]) -> None:
    run = _imported(tmp_path, kinds)
    (at,) = run.evaluations()
    index = open_index(run.path, measured=False)
    found = rates(index, "math500", fingerprint=at.fingerprint)
    flat = [kind for question in kinds for kind in question]
    if at.summary_path.exists():
        summary = json.loads(at.summary_path.read_text(encoding="utf-8"))
        assert found.graded.sum() == summary["num_samples"] == len(flat)
        assert found.shares.mean() == pytest.approx(summary["avg_at_n"])
    elif not {"right", "wrong"} & set(flat):
        assert np.isnan(found.shares).all(), "nobody has judged anything: no 0 %"
        assert not facets(index, select(index, Filters()))["verdict"]
        assert all(one.last_share is None for one in questions(index))
        why = unrated(index, "math500", fingerprint=at.fingerprint)
        assert why == {0: FAILED if set(flat) == {"failed"} else NOT_GRADED}
        (step,) = history(index, "math500", problem_id="q0")
        assert step.share is None
        assert step.why_unrated == (FAILED if set(kinds[0]) == {"failed"} else NOT_GRADED)
    else:
        assert found.graded.sum() == len(flat) - flat.count("unjudged"), "failed requests count beside judged samples"


def test_one_rule_in_python_and_in_sql(tmp_path: Path) -> None:
    index = open_index(_imported(tmp_path, [("right", "right")]).path, measured=False)
    for verdict, why in itertools.product(("correct", "no_answer", None), (NO_RESPONSE, "no boxed answer", None)):
        found = index.cursor().execute(
            f"SELECT {IS_JUDGED_SQL} FROM (SELECT ?::VARCHAR AS verdict, ?::VARCHAR AS why)", [verdict, why]
        ).fetchone()  # fmt: skip
        assert found == (is_judged(verdict, why),)
    assert not are_scored([])
