"""Responses in stages by a real model: forced thoughts, and a critic that chooses; resumed, and never mixed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orz_bench.engines.registry import make_spec
from orz_bench.engines.tokenizer import load_tokenizer
from orz_bench.records.run_dir import RunDir
from orz_rl.assets.resolve import TINY
from tests.support.command_line import orz_bench
from tests.support.critics import a_critic
from tests.support.tiny_model import a_tiny_checkpoint

ASKED = ("--ckpt", TINY, "--engine", "transformers", "--dtype", "float32", "--bench", "arithmetic", "--limit", "2")


@pytest.fixture(scope="module")
def critic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_critic(tmp_path_factory.mktemp("critics") / "critic", of=TINY)


def rows_of(run: Path) -> list[dict[str, Any]]:
    (evaluation,) = RunDir(run).evaluations()
    rows = evaluation.read().to_pylist()
    return [row | {"extra": json.loads(row["extra"])} for row in rows]


def test_forced_thoughts_of_a_model(tmp_path: Path) -> None:
    out = tmp_path / "run"
    asked = (*ASKED, "--waits", "1", "--thought-tokens", "40", "--max-tokens", "60", "--keep-tokens", "--out", out)
    orz_bench("eval", *asked, "--n", "1")
    first = {row["problem_id"]: row["completion"] for row in rows_of(out)}
    told = orz_bench("eval", *asked, "--n", "3", "--json")
    assert json.loads(told.stdout)["results"][0]["num_generated_now"] == 4
    rows = rows_of(out)
    assert {row["problem_id"]: row["completion"] for row in rows if row["sample_index"] == 0} == first
    tokenizer = load_tokenizer(make_spec(name="transformers", checkpoint=str(TINY)))
    assert tokenizer is not None
    for row in rows:
        forcing = row["extra"]["forcing"]
        assert row["num_tokens"] == len(row["token_ids"]) <= 60
        assert tokenizer.decode(row["token_ids"]).startswith(row["completion"])  # type: ignore[attr-defined]
        assert row["completion"].count("Wait") >= forcing["waits"]
        assert (row["logprobs"] is None) == (forcing["put_in"] > 0)
        assert not forcing["closed"] or " </think> <answer>" in row["completion"]
    assert any(row["extra"]["forcing"]["waits"] for row in rows)
    assert len({row["completion"] for row in rows}) > 2


@pytest.mark.parametrize("method", ["prune", "beam"])
def test_a_critic_chooses_within_its_budget(critic: Path, tmp_path: Path, method: str) -> None:
    out = tmp_path / "run"
    asked = (*ASKED, "--select", method, "--critic", critic, "--budget", "150", "--width", "4", "--max-tokens", "50")
    orz_bench("eval", *asked, "--n", "2", "--out", out)
    rows = rows_of(out)
    assert len(rows) == 4
    for row in rows:
        found = row["extra"]["selection"]
        assert row["num_tokens"] <= found["spent_tokens"] <= 150
        assert found["method"] == method
        assert row["token_ids"] is None
    (scaled,) = json.loads(orz_bench("scale", out, "--k", "1", "--json").stdout)["evaluations"]
    spent = sum(row["extra"]["selection"]["spent_tokens"] for row in rows) / len(rows)
    assert scaled["points"][0]["length"] == pytest.approx(spent)
    again = orz_bench("eval", *asked, "--n", "2", "--out", out, "--json")
    assert json.loads(again.stdout)["results"][0]["num_generated_now"] == 0


def test_critics_that_do_not_fit_the_model(critic: Path, tmp_path: Path) -> None:
    asked = (*ASKED, "--select", "prune", "--budget", "200", "--width", "2", "--out", tmp_path / "run")
    other = a_critic(tmp_path / "other", of=a_tiny_checkpoint(tmp_path / "letters"))
    assert "has another tokenizer than the model" in orz_bench("eval", *asked, "--critic", other, expect=2).stderr
    assert "not a critic of a known format" in orz_bench("eval", *asked, "--critic", TINY, expect=2).stderr
    narrow = a_critic(tmp_path / "narrow", of=TINY)
    config = json.loads((narrow / "config.json").read_text())
    config["body"]["max_position_embeddings"] = 64
    (narrow / "config.json").write_text(json.dumps(config))
    refused = orz_bench("eval", *asked, "--critic", narrow, expect=2).stderr
    assert "its context has 64 tokens" in refused
    assert not list((tmp_path / "run").glob("evals/**/part-*"))
