"""A chat endpoint of the real vLLM on a CPU, with and without a reasoning parser, from the command to the rows."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from analysis.cli import app
from orz_bench.evaluation import recorder
from orz_bench.records.marks import MarksDir
from orz_bench.records.run_dir import RunDir
from tests.support.command_line import orz_bench, results_of, started
from tests.support.named_points import Point, kill_at
from tests.support.runs import a_run
from tests.support.vllm_server import NAME, a_thinking_model, serving

pytestmark = pytest.mark.slow

ASKED = ("eval", "--ckpt", NAME, "--engine", "openai", "--bench", "arithmetic", "--max-tokens", "200", "--json")
GREEDY = ("--protocol", "greedy", "--limit", "8")
SAMPLED = ("--protocol", "r1", "--limit", "5", "-n", "8")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_thinking_model(tmp_path_factory.mktemp("thinking") / "tiny")


@pytest.fixture(scope="module")
def addresses(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Without a parser, with one."""
    with serving(model, tmp_path_factory.mktemp("server")) as found:
        yield found


def rows_of(run: Path) -> dict[tuple[str, int], dict[str, Any]]:
    """By problem and sample."""
    (folder,) = RunDir(run).evaluations()
    return {(row["problem_id"], row["sample_index"]): row for row in folder.read().to_pylist()}


def killed_after_two_parts() -> None:
    """Run first in a process that is to end so; its parts have six rows."""
    recorder.PART_ROWS = 6
    kill_at(Point("pathlib:Path", "rename", 2, is_after=True, is_counted=moves_a_part))()


def moves_a_part(source: Path, _target: Path) -> bool:
    return source.name.startswith(".part-")


def test_a_parsers_thoughts_and_the_same_prompts_by_completions(
    addresses: tuple[str, str], model: Path, tmp_path: Path
) -> None:
    """Three ways to ask the same model the same: what it wrote, its length and its grade are the same."""
    plain, parsed = addresses
    ways = {
        "plain": ("--base-url", plain, "--endpoint", "chat"),
        "parsed": ("--base-url", parsed, "--endpoint", "chat", "--price-in", "1", "--price-out", "2"),
        "completions": ("--base-url", plain, "--tokenizer", model, "--dtype", "auto"),
    }
    found = {name: orz_bench(*ASKED, *GREEDY, *way, "--out", tmp_path / name) for name, way in ways.items()}
    rows = {name: rows_of(tmp_path / name) for name in ways}
    for key, row in rows["plain"].items():
        parsed_row, text_row = rows["parsed"][key], rows["completions"][key]
        assert text_row["completion"] == row["completion"]
        assert parsed_row["completion"] == f"<think>{row['completion']}"
        for name in ("num_tokens", "stop_reason", "extracted", "verdict"):
            assert parsed_row[name] == row[name] == text_row[name]
        extra = json.loads(parsed_row["extra"])
        assert extra["thought_field"] == "reasoning"
        assert extra["usage"]["reasoning_tokens"] is None, "the server says 0, which it cannot be"
        assert (row["token_ids"], row["logprobs"]) == (None, None)
    assert all("</think>" in row["completion"] for row in rows["plain"].values())
    results = {name: results_of(one)[0] for name, one in found.items()}
    assert results["plain"]["thoughts"] == {"content": 8}
    assert results["parsed"]["thoughts"] == {"reasoning": 8}
    assert results["parsed"]["avg_at_n"] == results["plain"]["avg_at_n"] > 0
    usage = results["parsed"]["usage"]
    assert usage["new_tokens"] == sum(row["num_tokens"] for row in rows["parsed"].values())
    assert usage["cost"] == pytest.approx((usage["prompt_tokens"] + 2 * usage["new_tokens"]) / 1e6)
    assert "cost" in orz_bench("report", tmp_path / "parsed").stdout
    cards = [result["protocol"] for result in results.values()]
    assert [card.get("endpoint") for card in cards] == ["chat", "chat", None]
    assert {card["server"]["root"] for card in cards} == {str(model)}


def test_killed_and_resumed_no_sample_is_lost_or_doubled(addresses: tuple[str, str], tmp_path: Path) -> None:
    wanted = [*ASKED, *SAMPLED, "--base-url", addresses[1], "--endpoint", "chat", "--out", str(tmp_path)]
    process = started(*wanted, "--concurrency", "2", prepare=killed_after_two_parts)
    _, errors = process.communicate(timeout=600)
    assert process.returncode == -signal.SIGKILL, errors
    kept = rows_of(tmp_path)
    assert 12 <= len(kept) < 40
    (result,) = results_of(orz_bench(*wanted, "--samples-per-request", "4"))
    rows = rows_of(tmp_path)
    assert (result["num_samples"], result["num_generated_now"], len(rows)) == (40, 40 - len(kept), 40)
    assert {key: rows[key]["completion"] for key in kept} == {key: row["completion"] for key, row in kept.items()}
    assert all(0 < row["num_tokens"] <= 200 for row in rows.values())
    requests: dict[int, list[str]] = {}
    for key in rows.keys() - kept.keys():
        extra = json.loads(rows[key]["extra"])
        if extra.get("choices") == 4:
            requests.setdefault(extra["request_seed"], []).append(rows[key]["completion"])
    assert requests, "none gave four samples"
    assert all(len(texts) == 4 for texts in requests.values())
    assert any(len(set(texts)) > 1 for texts in requests.values()), "the samples of a request are draws of their own"


@pytest.mark.parametrize("endpoint", ["completions", "chat"])
def test_a_judge_on_the_server_reads_all_responses_and_resumes(
    addresses: tuple[str, str], model: Path, tmp_path: Path, endpoint: str
) -> None:
    """This model says neither yes nor no; what counts is that every response has its reply and the card its server."""
    run = a_run(tmp_path / "run", num_steps=1)
    own = tmp_path / "own.py"
    own.write_text(
        "from analysis import Behaviour\nDOUBTS = Behaviour(name='doubts', what='x', question='Does it doubt?')\n",
        encoding="utf-8",
    )
    arguments = ["detect", str(run.path), "--behaviour", f"{own}:DOUBTS", "--bench", "training", "--judge", NAME]
    arguments += ["--judge-engine", "openai", "--judge-base-url", addresses[1], "--judge-endpoint", endpoint]
    arguments += ["--judge-tokenizer", str(model)] if endpoint == "completions" else []
    done = CliRunner().invoke(app, [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    marks = run.rollouts(1).path / "marks" / "doubts"
    (card,) = [json.loads(path.read_text(encoding="utf-8"))["judge"] for path in marks.glob("*/card.json")]
    assert (card["model"], card["server"]["root"]) == (f"openai:{NAME}", str(model))
    assert card["prompts_as"] == (
        "token ids" if endpoint == "completions" else "messages, in the server's chat template"
    )
    (folder,) = marks.iterdir()
    found = MarksDir(folder).read()
    assert len(found) == run.rollouts(1).read(["problem_id"]).num_rows
    assert all(mark.reply for mark in found.values())
    parts = list(folder.glob("part-*"))
    again = CliRunner().invoke(app, [*arguments, "--json"])
    assert (again.exit_code, again.stdout) == (0, done.stdout)
    assert list(folder.glob("part-*")) == parts
