"""A Ray cluster of two nodes (two raylets here) trains with two policy ranks under ZeRO-2 and two rollout engines.

Placement is separated and a KL term needs the reference model, so every kind of process has its place.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from orz_rl.workers.ports import free_port
from tests.support.command_line import ENVIRONMENT
from tests.support.training import SMALL, metrics_of, orz_rl, rollouts_of

RAY = Path(sys.executable).parent / "ray"
NODE = ENVIRONMENT | {"RAY_AUTH_MODE": "disabled", "RAY_prestart_worker_first_driver": "0"}
"""Both nodes and the trainer are on loopback, and end with the test. No core gets an idle process."""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[str]:
    """Its address. Every process of it is in one process group, and ends with the test."""
    port = free_port()
    address = f"127.0.0.1:{port}"
    common = ["--num-cpus=4", "--disable-usage-stats", "--object-store-memory=200000000", "--block"]
    common += ["--include-log-monitor=false"]  # the logs are read where they are written
    # Not Ray's own folder, in which it would leave this cluster's address for others; short, for it holds sockets.
    folder = Path(tempfile.mkdtemp(prefix="ray"))
    head = [str(RAY), "start", "--head", f"--port={port}", "--include-dashboard=false", f"--temp-dir={folder}"]
    nodes = [spawn([*head, *common], tmp_path / "head.log")]
    try:
        wait_for(tmp_path / "head.log", "runtime started", node=nodes[0])
        nodes.append(spawn([str(RAY), "start", f"--address={address}", *common], tmp_path / "second.log"))
        wait_for(tmp_path / "second.log", "runtime started", node=nodes[1])
        yield address
    finally:
        for node in nodes:
            os.killpg(node.pid, signal.SIGKILL)  # nothing of it is used again, and a regular end takes ten seconds
            node.wait()
        shutil.rmtree(folder, ignore_errors=True)


def spawn(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as file:
        return subprocess.Popen(command, stdout=file, stderr=file, env=NODE, start_new_session=True)


def wait_for(log: Path, text: str, *, node: subprocess.Popen[bytes]) -> None:
    while text not in log.read_text("utf-8", errors="replace"):
        assert node.poll() is None, log.read_text("utf-8", errors="replace")
        time.sleep(0.2)


@pytest.mark.slow
@pytest.mark.real_model
def test_two_nodes_two_ranks_two_engines(cluster: str, workers: Mapping[str, str], tmp_path: Path) -> None:
    run = tmp_path / "run"
    done = orz_rl(
        "train",
        "--recipe",
        "tiny",
        "--variant",
        "kl_loss",
        "rollout.engine=transformers",
        "rollout.num_engines=2",
        "cluster.colocate=false",
        "cluster.policy_ranks=2",
        "cluster.zero_stage=2",
        "cluster.weight_sync=broadcast",
        "cluster.spread=true",
        "rollout.num_problems=8",
        "data.limit=64",
        "eval.benchmarks=",
        "num_steps=2",
        "--out",
        run,
        environment={**workers, "RAY_ADDRESS": cluster, "RAY_AUTH_MODE": "disabled"},
    )
    assert "step 2/2" in done.stderr
    rows = metrics_of(run)
    assert [row["policy_version"] for row in rows] == [0, 1]
    # Both ranks hold the same weights, and the engines got them whole: engine and trainer agree.
    assert all(row["mismatch/logprob_abs_max"] < 1e-3 for row in rows)
    assert {path.name for path in (run / "logs").iterdir()} == {
        "policy-0.log",
        "policy-1.log",
        "reference-0.log",
        "reference-1.log",
        "critic-0.log",
        "engine-0.log",
        "engine-1.log",
    }
    assert len(list((run / "checkpoints").glob("step=000002/state/policy/state/*optim_states.pt"))) == 2
    nodes = {
        line.split()[4]
        for log in (run / "logs").glob("policy-*.log")
        for line in log.read_text().splitlines()
        if line.startswith("process ")
    }
    assert len(nodes) == 2


@pytest.mark.slow
def test_a_cluster_that_does_not_answer_is_reported(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    done = orz_rl(
        *SMALL,
        "cluster.in_process=false",
        "--out",
        tmp_path / "run",
        expect=2,
        environment={"RAY_ADDRESS": address},
    )
    assert f"RAY_ADDRESS={address}" in done.stderr


@pytest.mark.slow
@pytest.mark.real_model
def test_samples_go_on_with_two_engines(cluster: str, workers: Mapping[str, str], tmp_path: Path) -> None:
    run, num_steps = tmp_path / "run", 4
    orz_rl(
        *SMALL,
        "cluster.in_process=false",
        "cluster.colocate=false",
        "cluster.colocate_models=true",
        "rollout.num_engines=2",
        "rollout.max_staleness=1",
        "rollout.partial=true",
        f"num_steps={num_steps}",
        "--out",
        run,
        environment={**workers, "RAY_ADDRESS": cluster, "RAY_AUTH_MODE": "disabled"},
    )
    assert [row["policy_version"] for row in metrics_of(run)] == list(range(num_steps))
    steps = {step: rollouts_of(run, step) for step in range(1, num_steps + 1)}
    keys = [(row["problem_id"], row["sample_index"]) for rows in steps.values() for row in rows]
    assert len(set(keys)) == len(keys) == num_steps * 16
    for step, rows in steps.items():
        versions = {version for row in rows for version in row["token_versions"] or [row["policy_version"]]}
        assert versions <= {step - 2, step - 1}
