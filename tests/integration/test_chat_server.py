"""A chat endpoint of the real vLLM on a CPU, with and without a reasoning parser, from the command to the rows."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orz_bench.records.run_dir import RunDir
from tests.support.command_line import orz_bench, results_of, started
from tests.support.vllm_server import NAME, a_thinking_model, serving

pytestmark = [pytest.mark.real_model, pytest.mark.slow]

ASKED = ("eval", "--ckpt", NAME, "--engine", "openai", "--bench", "arithmetic", "--limit", "5", "--json")
GREEDY = ("--protocol", "greedy", "--max-tokens", "80")
SAMPLED = ("--protocol", "r1", "--max-tokens", "40")


@pytest.fixture(scope="module")
def model(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_thinking_model(tmp_path_factory.mktemp("thinking") / "smollm2", smollm2)


@pytest.fixture(scope="module")
def addresses(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Without a parser, with one."""
    with serving(model, tmp_path_factory.mktemp("server")) as found:
        yield found


def rows_of(run: Path) -> dict[tuple[str, int], dict[str, Any]]:
    """By problem and sample."""
    (folder,) = RunDir(run).evaluations()
    return {(row["problem_id"], row["sample_index"]): row for row in folder.read().to_pylist()}


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
    assert any("</think>" in row["completion"] for row in rows["plain"].values())
    (result,) = results_of(found["parsed"])
    usage = result["usage"]
    assert usage["new_tokens"] == sum(row["num_tokens"] for row in rows["parsed"].values())
    assert usage["cost"] == pytest.approx((usage["prompt_tokens"] + 2 * usage["new_tokens"]) / 1e6)
    assert "cost" in orz_bench("report", tmp_path / "parsed").stdout
    cards = [results_of(one)[0]["protocol"] for one in found.values()]
    assert [card.get("endpoint") for card in cards] == ["chat", "chat", None]
    assert {card["server"]["root"] for card in cards} == {str(model)}


def test_killed_and_resumed_no_sample_is_lost_or_doubled(addresses: tuple[str, str], tmp_path: Path) -> None:
    wanted = [*ASKED, *SAMPLED, "--base-url", addresses[1], "--endpoint", "chat", "--out", str(tmp_path)]
    process = started(*wanted, "-n", "8", "--concurrency", "2")
    while not list(tmp_path.glob("evals/*/*/*/part-*.parquet")) and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    assert process.wait(60) == -signal.SIGKILL
    kept = rows_of(tmp_path)
    assert 0 < len(kept) < 40, "killed before the last row was written"
    (result,) = results_of(orz_bench(*wanted, "-n", "8", "--samples-per-request", "4"))
    rows = rows_of(tmp_path)
    assert (result["num_samples"], result["num_generated_now"], len(rows)) == (40, 40 - len(kept), 40)
    assert {key: rows[key]["completion"] for key in kept} == {key: row["completion"] for key, row in kept.items()}
    assert all(0 < row["num_tokens"] <= 40 for row in rows.values())
    shared = [json.loads(row["extra"]) for key, row in rows.items() if key not in kept]
    assert {extra.get("choices", 1) for extra in shared} >= {4}
    assert len({row["completion"] for row in rows.values()}) > 30, "samples of a request differ"
