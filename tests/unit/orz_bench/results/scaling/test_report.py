"""What `orz-bench scale` shows of a stored evaluation."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from orz_bench.errors import ConfigError
from orz_bench.records.arrays import logprobs, token_ids
from orz_bench.records.parquet import rollouts_from_table
from orz_bench.records.run_dir import EvaluationDir, RunDir, write_text
from orz_bench.records.values import CriticCard, TokenValues, ValuesDir
from orz_bench.results.scaling.curves import scaling_of
from orz_bench.results.scaling.report import ScaledEvaluation, render_scaling, render_scaling_html
from orz_bench.results.scaling.stored import stored_evaluations
from orz_bench.terminal import as_text
from tests.support.builders import a_result, a_rollout, a_summary


def an_evaluation(folder: Path, *, n: int = 4, num_tokens: int | None = 7) -> EvaluationDir:
    run = RunDir(folder)
    run.create(kind="eval", command=["orz-bench"], seed=0, environment={})
    found = run.evaluation(benchmark="arithmetic", step=0, fingerprint="abc")
    found.path.mkdir(parents=True)
    rollouts = [
        a_rollout(
            problem_id=f"q{question}",
            sample_index=sample,
            verdict="correct" if sample <= question else "wrong",
            extracted="<b>" if sample > question else "4",
            num_tokens=num_tokens,
        )
        for question in range(3)
        for sample in range(n)
    ]
    found.append(rollouts)
    write_text(found.protocol_path, "{}")
    found.write_result(replace(a_result(summary=a_summary(n=n)), benchmark="arithmetic", model="<i>m</i>"))
    return found


def scaled(run: Path) -> ScaledEvaluation:
    (stored,) = stored_evaluations(run)
    scaling = scaling_of(stored.questions)
    return ScaledEvaluation(stored=stored, scaling=scaling, pairs=tuple(scaling.compare(scaling.at_equal_length())))


def test_table_json_and_page_agree(tmp_path: Path) -> None:
    an_evaluation(tmp_path)
    each = scaled(tmp_path)
    found = each.to_json()
    json.dumps(found)
    assert {"points", "front", "comparisons", "rules", "unit", "n", "critic", "ks"} - {"ks"} <= set(found)
    text, page = as_text(render_scaling([each])), render_scaling_html([each])
    passed = next(point for point in found["points"] if point["rule"] == "pass" and point["k"] == 4)
    assert passed["accuracy"] == 1.0
    assert "100.0 (28)" in text
    assert "100.0 (28)" in page
    assert "<i>m</i>" not in page
    (svg,) = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)
    assert len(ET.fromstring(svg).findall("{http://www.w3.org/2000/svg}circle")) == 2 * len(found["points"])


def test_lengths_are_characters_where_tokens_are_unknown(tmp_path: Path) -> None:
    an_evaluation(tmp_path, num_tokens=None)
    each = scaled(tmp_path)
    assert each.stored.unit == "characters"
    assert "the numbers of tokens are unknown: lengths are in characters" in each.notes()


def test_one_sample_a_question_is_an_error(tmp_path: Path) -> None:
    an_evaluation(tmp_path, n=1)
    with pytest.raises(ConfigError, match="every evaluation has one sample a question"):
        stored_evaluations(tmp_path)


def test_a_benchmark_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    an_evaluation(tmp_path)
    with pytest.raises(ConfigError, match="it has arithmetic at step 0"):
        stored_evaluations(tmp_path, benchmarks=["aime24"])


def some_values(folder: EvaluationDir, digest: str, *, num: int = 12) -> None:
    values = ValuesDir.beside(folder, digest)
    values.open(CriticCard(digest=digest, dtype="float32", format="orz", path="critic"))
    keys = sorted(folder.keys())[:num]
    values.append(
        [
            TokenValues(
                problem_id=key[0],
                sample_index=key[1],
                values=logprobs([0.5, 0.1 * key[1]]),
                char_ends=token_ids([1, 2]),
            )
            for key in keys
        ]
    )


def test_values_of_two_critics_are_never_mixed(tmp_path: Path) -> None:
    folder = an_evaluation(tmp_path)
    some_values(folder, "waaaaaaaaaaaaaaa")
    assert stored_evaluations(tmp_path)[0].critic == "waaaaaaaaaaaaaaa"
    some_values(folder, "wbbbbbbbbbbbbbbb")
    with pytest.raises(ConfigError, match=r"values of 2 critics .*choose one with --critic"):
        stored_evaluations(tmp_path)
    (chosen,) = stored_evaluations(tmp_path, critic="wb")
    assert chosen.critic == "wbbbbbbbbbbbbbbb"
    assert chosen.questions[0].values["final"].tolist() == pytest.approx([0.0, 0.1, 0.2, 0.3])
    with pytest.raises(ConfigError, match="wanted those of wc"):
        stored_evaluations(tmp_path, critic="wc")


def test_missing_values_leave_the_critic_out_and_are_said(tmp_path: Path) -> None:
    folder = an_evaluation(tmp_path)
    some_values(folder, "waaaaaaaaaaaaaaa", num=11)
    each = scaled(tmp_path)
    assert not any(rule.needs_values for rule in each.scaling.rules)
    assert "1 response has no values of the critic" in each.notes()[0]


def test_regraded_samples_have_the_values_of_the_same_texts(tmp_path: Path) -> None:
    folder = an_evaluation(tmp_path)
    some_values(folder, "waaaaaaaaaaaaaaa")
    again = folder.under("def")
    again.path.mkdir()
    again.append(rollouts_from_table(folder.read()))
    write_text(again.protocol_path, '{"regraded_from": "abc"}')
    again.write_result(replace(a_result(summary=a_summary(n=4)), benchmark="arithmetic", fingerprint="def"))
    found = stored_evaluations(tmp_path)
    assert [each.critic for each in found] == ["waaaaaaaaaaaaaaa"] * 2
    assert all(question.values for each in found for question in each.questions)
