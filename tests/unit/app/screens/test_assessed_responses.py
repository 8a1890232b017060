"""Responses that a critic has assessed, on the pages Rollouts and Suspicious."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from app.queries.keys import key_text
from orz_bench.records.values import VALUES_SCHEMA
from tests.support.app_runs import hostile_run
from tests.support.assessed import CRITIC, assess
from tests.support.runs import a_run
from tests.unit.app.screens.test_rollout_pages import KEY, drawn, finished, measured, texts


def test_the_reader_of_an_assessed_response(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", num_steps=1)
    evaluation = run.evaluation(benchmark="arithmetic", step=0, fingerprint="0123456789ab")
    assess(evaluation)
    measured(run)
    test = drawn(tmp_path, "rollouts", row=key_text(KEY), layer=["value", "advantage"], kind="eval", step="0")
    assert f"Values by the critic {CRITIC} (format orz, from critic)" in texts(test)
    pages = "".join(str(found.proto.body) for found in test.get("html"))
    assert 'class="orz-values"' in pages
    assert "value 0.60" in pages
    assert test.pills(key="reader:layers").value == ["value", "advantage"]
    assert "advantage " in pages, re.findall("<div class=.orz-text.*?</div>", pages)
    assert not test.warning
    assess(evaluation, "wbbbbbbbbbbbbbbb")
    chosen = drawn(tmp_path, "rollouts", row=key_text(KEY), critic=CRITIC, kind="eval", step="0")
    assert chosen.selectbox(key="reader:critic").value == CRITIC
    chosen.selectbox(key="reader:critic").set_value("wbbbbbbbbbbbbbbb").run()
    assert chosen.query_params["critic"] == "wbbbbbbbbbbbbbbb"
    wrong = drawn(tmp_path, "rollouts", row=key_text(KEY), critic="<b>x", kind="eval", step="0")
    assert "wanted one of" in texts(wrong)


def test_without_values_there_is_nothing_of_them(tmp_path: Path) -> None:
    finished(tmp_path / "run")
    test = drawn(tmp_path, "rollouts", row=key_text(KEY))
    assert "critic" not in texts(test)
    assert "value of tokens" not in test.pills(key="reader:layers").options
    queue = drawn(tmp_path, "suspicious")
    assert "value high, answer wrong  –" in queue.pills(key="suspicious:reasons").options


def test_suspicious_answers_by_value(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", num_steps=1)
    evaluation = run.evaluation(benchmark="arithmetic", step=0, fingerprint="0123456789ab")
    values = assess(evaluation)
    (part,) = values.paths()
    table = pq.read_table(part, partitioning=None)
    sure = [[0.95] * len(one) for one in table["values"].to_pylist()]
    pq.write_table(table.set_column(2, VALUES_SCHEMA.field("values"), pa.array(sure, pa.list_(pa.float32()))), part)
    measured(run)
    num_wrong = sum(one["verdict"] != "correct" for one in evaluation.read(["verdict"]).to_pylist())
    test = drawn(tmp_path, "suspicious", reasons=["value_high_wrong"])
    assert f"value high, answer wrong  {num_wrong}" in test.pills(key="suspicious:reasons").options
    assert f"**{num_wrong}** rollouts" in texts(test)
    assert f"Values are those of the critic {CRITIC}." in texts(test)


def test_hostile_values_are_inert(tmp_path: Path) -> None:
    run = hostile_run(tmp_path / "run")
    for folder in run.evaluations():
        values = assess(folder, num=1)
        card = {
            "digest": values.path.name,
            "dtype": "x",
            "format": "<script>alert(1)</script>",
            "path": "[a](http://x)",
        }
        (values.path / "critic.json").write_text(json.dumps(card), encoding="utf-8")
    measured(run)
    test = drawn(tmp_path, "rollouts", layer=["value", "advantage"], kind="eval")
    shown = texts(test)
    assert "Values by the critic" in shown
    assert "<script>" not in shown
    assert "[a](http" not in shown
