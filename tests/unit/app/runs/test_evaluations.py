"""Numbers of the page Benchmarks, against plain loops over the same rollouts."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pyarrow.parquet as pq
import pytest

from app.runs.curves import curves_of_run
from app.runs.evaluations import (
    Evaluated,
    benchmark_names,
    comparable,
    differing,
    evaluated,
    num_lost,
    outcomes,
    paired,
    part_fields,
    parts,
    protocol_card,
    result_rows,
    score_curves,
    stamp,
)
from orz_bench.errors import DataError
from orz_bench.records.run_dir import RunDir
from tests.support.builders import a_result, a_rollout, a_summary
from tests.support.runs import a_run


def _rows(one: Evaluated) -> list[dict[str, Any]]:
    folder = RunDir(one.path).evaluation(
        benchmark=one.result.benchmark, step=one.result.step, fingerprint=one.result.fingerprint
    )
    return [row for path in sorted(folder.path.glob("*.parquet")) for row in pq.ParquetFile(path).read().to_pylist()]


def _evaluated(run: Path) -> list[Evaluated]:
    return evaluated([curves_of_run(run)])


def _with_extras(run: RunDir) -> Evaluated:
    """An evaluation of six questions of levels 2, 10, none; two samples each."""
    folder = run.evaluation(benchmark="math500", step=3, fingerprint="abc")
    folder.path.mkdir(parents=True)
    levels = (10, 2, 10, None, 2, 2)
    rows = [
        a_rollout(
            benchmark="math500",
            problem_id=f"q{number}",
            sample_index=sample,
            verdict="correct" if (number + sample) % 3 == 0 else "wrong",
            extra={
                "url": f"https://example.org/{number}",
                "acc": number % 3 == 0,
                "format": sample,
                "our_why": "a" * (number % 2),
            }
            | ({} if level is None else {"level": level}),
        )
        for number, level in enumerate(levels)
        for sample in range(2)
    ]
    folder.append(rows)
    name = {"benchmark": "math500", "step": 3, "fingerprint": "abc"}
    return Evaluated(run="x", path=run.path, result=a_result(**name, summary=a_summary(n=2)))


def test_results_in_order_followed_by_published_ones(tmp_path: Path) -> None:
    a_run(tmp_path / "x", num_steps=6)
    found = _evaluated(tmp_path / "x")
    assert [(one.result.step, one.name) for one in found] == [(0, "x@0~0123456789ab"), (6, "x@6~0123456789ab")]
    assert benchmark_names(found) == ["arithmetic"]
    assert result_rows(found, "arithmetic")["step"].tolist() == [6, 0]
    known = Evaluated(run="x", path=tmp_path, result=a_result(benchmark="aime24", summary=a_summary(avg_at_n=0.25)))
    table = result_rows([known], "aime24")
    assert table["accuracy"][0] == 25
    sober = table[(table["model"] == "ORZ-7B") & table["source"].str.contains("Sober")].iloc[0]
    assert (sober["accuracy"], sober["question"]) == (19.7, "± 2.9 (from its source)")
    assert table["n"][1:].isna().all()


def test_bands_are_intervals_and_unknown_where_the_error_is(tmp_path: Path) -> None:
    facts = {"num_problems": 100, "num_samples": 1600, "se_question": 0.04}
    summary = a_summary(avg_at_n=0.5, se_sampling=None, **facts)
    row = score_curves([Evaluated(run="x", path=tmp_path, result=a_result(summary=summary))], "arithmetic").iloc[0]
    assert row[["accuracy", "low", "high"]].tolist() == pytest.approx([50, 50 - 1.96 * 4, 50 + 1.96 * 4], abs=0.5)
    assert row[["inner_low", "inner_high"]].isna().all()
    wide = Evaluated(
        run="x", path=tmp_path, result=a_result(summary=a_summary(avg_at_n=0.99, **facts | {"se_question": 0.01}))
    )
    assert 99 < score_curves([wide], "arithmetic")["high"][0] < 100
    none = a_result(summary=a_summary(avg_at_n=0.0, **facts | {"se_question": 0.0}))
    row = score_curves([Evaluated(run="x", path=tmp_path, result=none)], "arithmetic").iloc[0]
    assert (row["low"], row["high"] > 1) == (0, True)


def test_outcomes_and_their_comparison(tmp_path: Path) -> None:
    a_run(tmp_path / "x", num_steps=6)
    first, last = _evaluated(tmp_path / "x")
    expected: dict[str, list[bool]] = defaultdict(list)
    for row in _rows(last):
        expected[row["problem_id"]].append(row["verdict"] == "correct")
    assert {name: sorted(found) for name, found in outcomes(last).items()} == {
        name: sorted(found) for name, found in expected.items()
    }
    found = paired(first, last)
    assert found.differing == ()
    assert found.comparison.num_questions == 10
    difference = last.result.summary.avg_at_n - first.result.summary.avg_at_n
    assert found.comparison.difference == pytest.approx(difference)


def test_differing_protocols_are_named(tmp_path: Path) -> None:
    a_run(tmp_path / "x", num_steps=2)
    first, last = _evaluated(tmp_path / "x")
    other = Evaluated(run="x", path=last.path, result=a_result(**_fields(last) | {"protocol": {"temperature": 0.6}}))
    assert "temperature: 1.0 / 0.6" in paired(first, other).differing


def test_a_protocol_is_its_card(tmp_path: Path) -> None:
    """Beside it the file holds the model: the page Judging showed two whole cards as one field that differed."""
    run = RunDir(tmp_path)
    for step, temperature in ((0, 1.0), (1, 0.7)):
        folder = run.evaluation(benchmark="x", step=step, fingerprint="f")
        folder.path.mkdir(parents=True)
        card = {"model": f"m{step}", "fingerprint": "f", "card": {"template": "t", "temperature": temperature}}
        folder.protocol_path.write_text(json.dumps(card), encoding="utf-8")
    cards = [protocol_card(tmp_path, "x", step=step, fingerprint="f") for step in (0, 1)]
    assert differing(*cards) == ("temperature: 1.0 / 0.7",)
    assert protocol_card(tmp_path, "x", step=2, fingerprint="f") == {"protocol": "f"}


def test_what_is_compared_at_first_has_one_protocol(tmp_path: Path) -> None:
    def one(run: str, step: int, fingerprint: str) -> Evaluated:
        return Evaluated(run=run, path=tmp_path, result=a_result(step=step, fingerprint=fingerprint))

    alone = [one("a", 0, "p"), one("a", 40, "p"), one("a", 40, "q")]
    assert comparable(alone) == [alone[0], alone[1]]
    assert comparable(alone[1:]) == alone[1:], "under two protocols, where there is nothing else"
    assert comparable(alone[:1]) == alone[:1]
    several = [*alone, one("b", 3, "p"), one("b", 9, "q"), one("c", 1, "p")]
    assert comparable(several) == [alone[1], several[3], several[5]]
    assert comparable([alone[2], several[5]]) == [alone[2], several[5]]


def _fields(one: Evaluated) -> dict[str, Any]:
    return {name: getattr(one.result, name) for name in type(one.result).__dataclass_fields__}


def test_parts_by_level(tmp_path: Path) -> None:
    one = _with_extras(RunDir(tmp_path))
    assert part_fields(one) == ["level"], "an address is another for every question; the others are of answers"
    shares: dict[str, list[float]] = defaultdict(list)
    by_problem: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in _rows(one):
        by_problem[row["problem_id"]].append(row)
    for rows in by_problem.values():
        level = str(json.loads(rows[0]["extra"]).get("level", "–"))
        shares[level].append(100 * fmean(row["verdict"] == "correct" for row in rows))
    table = parts(one, "level")
    assert table["part"].tolist() == ["2", "10", "–"]
    for _, part in table.iterrows():
        found = shares[part["part"]]
        assert part["accuracy"] == pytest.approx(fmean(found))
        assert (part["questions"], part["samples"]) == (len(found), 2 * len(found))
        error = stdev(found) / len(found) ** 0.5 if len(found) > 1 else math.nan
        assert part["error"] == pytest.approx(error, nan_ok=True)
        assert math.isnan(error) or part["low"] < part["accuracy"] < part["high"] or part["accuracy"] in (0, 100)


def test_a_question_that_has_lost_samples_is_not_compared(tmp_path: Path) -> None:
    run = a_run(tmp_path / "x", num_steps=6)
    first, last = _evaluated(run.path)
    assert (num_lost(first), num_lost(last)) == (0, 0)
    before = stamp(last)
    (part,) = _parts_of(last)
    table = pq.read_table(part, partitioning=None)
    pq.write_table(table.slice(0, 14), part)  # three questions with their four samples, and half of a fourth
    assert (num_lost(first), num_lost(last)) == (0, 26)
    assert stamp(last) != before
    assert set(outcomes(last)) == set(list(outcomes(first))[:3])
    found = paired(first, last).comparison
    assert (found.num_questions, found.num_only_a) == (3, 7)
    part.write_bytes(part.read_bytes()[:-20])
    assert num_lost(last) == 40


def test_a_part_that_is_damaged_inside_is_named(tmp_path: Path) -> None:
    run = a_run(tmp_path / "x", num_steps=6)
    last = _evaluated(run.path)[-1]
    (part,) = _parts_of(last)
    content = bytearray(part.read_bytes())
    end = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    content[4:end] = bytes(end - 4)
    part.write_bytes(content)
    with pytest.raises(DataError, match="a part is damaged"):
        outcomes(last)


def _parts_of(one: Evaluated) -> list[Path]:
    return list((one.path / "evals" / "arithmetic").glob(f"step=*{one.result.step}/*/*.parquet"))


def test_missing_samples_are_reported(tmp_path: Path) -> None:
    one = Evaluated(run="x", path=tmp_path, result=a_result())
    with pytest.raises(DataError, match="evaluate again"):
        outcomes(one)
