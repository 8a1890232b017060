"""Every mistake that a user or a file can make: one screen that says what to do, exit code 2, nothing lost."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.command_line import COMMAND, PROJECT, orz_bench, rows_of, started
from tests.support.tiny_model import a_tiny_checkpoint

FAKE = ("eval", "--ckpt", "fake", "--engine", "fake", "--bench", "arithmetic", "--n", "2")


def fault(*arguments: str | Path, environment: dict[str, str] | None = None, is_started: bool = False) -> str:
    done = orz_bench(*arguments, expect=2, environment=environment, is_started=is_started)
    assert "Traceback" not in done.stdout + done.stderr
    assert done.stderr.count("\n") < 25
    return " ".join(done.stderr.split())


def test_a_path_that_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello", encoding="utf-8")
    assert "not a checkpoint: config.json is missing" in fault("eval", "--ckpt", tmp_path, "--bench", "arithmetic")


def test_a_half_written_checkpoint(tmp_path: Path) -> None:
    weights = a_tiny_checkpoint(tmp_path) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    assert "half-written; it holds" in fault("eval", "--ckpt", tmp_path, "--bench", "arithmetic")


def test_a_broken_tokenizer(tmp_path: Path) -> None:
    (a_tiny_checkpoint(tmp_path) / "tokenizer.json").write_text("{", encoding="utf-8")
    text = fault("eval", "--ckpt", tmp_path, "--bench", "arithmetic", "--out", tmp_path / "run")
    assert "its tokenizer does not load" in text


def test_a_tokenizer_without_pad_bos_or_chat_template(tmp_path: Path) -> None:
    checkpoint = a_tiny_checkpoint(tmp_path / "m", pad=False)
    arguments = ("eval", "--ckpt", checkpoint, "--engine", "transformers", "--bench", "arithmetic", "--limit", "2")
    arguments += ("--n", "2", "--max-tokens", "4", "--out", tmp_path / "run")  # type: ignore[assignment]
    assert "has no chat template. Use --template" in fault(*arguments, "--template", "chat")
    orz_bench(*arguments, "--template", "plain")
    assert len(rows_of(tmp_path / "run")) == 4


def test_an_unknown_benchmark_names_the_nearest(tmp_path: Path) -> None:
    text = fault("eval", "--ckpt", "fake", "--engine", "fake", "--bench", "math50", "--out", tmp_path, is_started=True)
    assert "did you mean 'math500'" in text


def test_an_unknown_protocol_template_or_extractor(tmp_path: Path) -> None:
    assert "protocol 'ozr' is unknown (did you mean 'orz'?); there are" in fault(
        *FAKE, "--protocol", "ozr", "--out", tmp_path / "a"
    )
    assert "did you mean 'orz-code'" in fault(*FAKE, "--template", "orz_code", "--out", tmp_path / "b")
    assert "wanted one of orz, boxed, final" in fault(*FAKE, "--extractor", "last", "--out", tmp_path / "c")


def test_several_faults_of_a_protocol_are_told_at_once(tmp_path: Path) -> None:
    text = fault(*FAKE, "--top-p", "2", "--max-tokens", "0", "--out", tmp_path)
    assert "top_p is 2.0" in text
    assert "max_tokens is 0" in text


def test_greedy_with_several_samples(tmp_path: Path) -> None:
    assert "n is 2 at temperature 0" in fault(*FAKE, "--temperature", "0", "--out", tmp_path)


def test_a_data_file_with_a_broken_line(tmp_path: Path) -> None:
    rows = [json.dumps({"id": i, "problem": "?", "answer": 1}) for i in range(30)]
    rows[16] = rows[16][:-5]
    (tmp_path / "aime2024.jsonl").write_text("\n".join(rows), encoding="utf-8")
    text = fault(
        "eval", "--ckpt", "fake", "--engine", "fake", "--bench", "aime24", "--data-dir", tmp_path, "--out", tmp_path
    )
    assert "aime2024.jsonl, line 17: broken JSON" in text


def test_missing_data(tmp_path: Path) -> None:
    nowhere = {"ORZ_DATA": "", "HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    text = fault("data", "check", "aime24", environment=nowhere, is_started=True)
    assert "into a folder aime_2024, and name the folder above it with --data-dir" in text


def test_broken_golds_stop_before_anything_is_drawn(tmp_path: Path) -> None:
    rows = [{"id": i, "problem": "?", "answer": r"\frac{1}{2" if i == 3 else 1} for i in range(30)]
    (tmp_path / "aime2024.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    arguments = ("eval", "--ckpt", "fake", "--engine", "fake", "--bench", "aime24", "--n", "1", "--data-dir", tmp_path)
    text = fault(*arguments, "--out", tmp_path / "run")
    assert "1 gold answer fails the grader's self-check" in text
    assert "balanced, so a box cannot hold it" in text
    assert not (tmp_path / "run" / "evals").exists()
    orz_bench(*arguments, "--out", tmp_path / "run", "--keep-broken-golds")


def test_a_run_of_a_newer_schema(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"schema_version": 99}', encoding="utf-8")
    for arguments in ((*FAKE, "--out", tmp_path), ("report", tmp_path), ("compare", tmp_path, tmp_path)):
        assert "a run of schema 99, but this version reads up to 1; upgrade orz" in fault(*arguments)


def test_rollouts_of_a_newer_schema(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    orz_bench(*FAKE, "--out", tmp_path)
    part = next(tmp_path.glob("evals/*/*/*/part-*.parquet"))
    table = pq.ParquetFile(part).read()
    pq.write_table(table.replace_schema_metadata({"orz_rollout_schema": "7"}), part)
    assert "rollouts of schema 7" in fault(*FAKE, "--out", tmp_path)


def test_a_damaged_part(tmp_path: Path) -> None:
    orz_bench(*FAKE, "--out", tmp_path)
    part = next(tmp_path.glob("evals/*/*/*/part-*.parquet"))
    part.write_bytes(part.read_bytes()[:200])
    assert "not a readable part of rollouts" in fault(*FAKE, "--out", tmp_path)
    part.rename(tmp_path / "away")
    orz_bench(*FAKE, "--out", tmp_path)


def test_reports_of_nothing(tmp_path: Path) -> None:
    assert "not a run directory" in fault("report", tmp_path)
    assert "not a run directory" in fault("compare", tmp_path, tmp_path)


def test_comparing_different_protocols_has_to_be_asked_for(tmp_path: Path) -> None:
    orz_bench(*FAKE, "--out", tmp_path / "a")
    orz_bench(*FAKE, "--template", "plain", "--out", tmp_path / "b")
    text = fault("compare", tmp_path / "a", tmp_path / "b")
    assert "different protocols (template: orz-code / plain" in text
    done = orz_bench("compare", tmp_path / "a", tmp_path / "b", "--across-protocols")
    assert "PROTOCOLS DIFFER" in done.stdout


def test_a_port_that_refuses(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = ("eval", "--ckpt", "m", "--engine", "openai", "--base-url", f"http://127.0.0.1:{port}/v1")
    text = fault(*arguments, "--bench", "arithmetic", "--out", tmp_path)
    assert "no connection" in text
    assert "Start the server, or set --base-url" in text


@pytest.mark.parametrize("engine", ["vllm", "transformers", "openai"])
def test_an_engine_that_is_not_installed(tmp_path: Path, engine: str) -> None:
    missing = {"vllm": "vllm", "transformers": "transformers", "openai": "openai"}[engine]
    code = (
        f"import importlib.util as u; find = u.find_spec\n"
        f"u.find_spec = lambda name, *a: None if name == {missing!r} else find(name, *a)\n"
        f"import sys; sys.argv = ['orz-bench', 'eval', '--ckpt', 'x', '--engine', {engine!r}]\n"
        f"from orz_bench.cli import main; main()"
    )
    done = subprocess.run([COMMAND[0], "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert f'pip install -e "{PROJECT}[{engine}]"' in done.stderr


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert "cannot write" in fault(*FAKE, "--out", tmp_path / "file" / "run")


def test_a_second_evaluation_in_the_same_folder(tmp_path: Path) -> None:
    slow = (
        "eval",
        "--ckpt",
        "fake:0.5:0.5",
        "--engine",
        "fake",
        "--bench",
        "arithmetic",
        "--n",
        "16",
        "--out",
        tmp_path,
    )
    first = started(*slow)
    try:
        while not list(tmp_path.glob("evals/*/*/*/protocol.json")):
            assert first.poll() is None, first.communicate()
            time.sleep(0.01)
        assert "another process writes here" in fault(*slow)
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"this machine allows no mount: {mounted.stderr.decode().strip()}")
    try:
        wanted = ("eval", "--ckpt", "fake:0.5", "--engine", "fake", "--bench", "arithmetic", "--n", "100")
        text = fault(*wanted, "--out", disk / "run")
        assert "no space left to write" in text
        kept = rows_of(disk / "run")
        assert 0 < len(kept) < 10_000
        subprocess.run(["mount", "-o", "remount,size=60m", disk], check=True)
        orz_bench(*wanted, "--out", disk / "run")
        rows = rows_of(disk / "run")
        assert len(rows) == len(set(rows)) == 10_000
        assert set(kept) <= set(rows)
    finally:
        subprocess.run(["umount", disk], check=True)
