"""Engines that span the devices of several ranks: who reads whose weights, and where vLLM finds its workers."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from orz_bench.errors import ConfigError
from orz_rl.planning.plan import num_devices
from orz_rl.recipes.registry import resolve
from orz_rl.workers.engine_actor import BUNDLES
from orz_rl.workers.weight_transport import TRANSPORTS, Route


class Rank:
    """An actor of a rank, which records what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        class Method:
            @staticmethod
            def remote() -> str:
                self.asked.append(name)
                return name

        return Method


@pytest.mark.parametrize(
    ("alive", "width", "readers"),
    [((0, 1), 1, {0: [0], 1: [1]}), ((0, 1), 2, {0: [0, 1], 1: [2, 3]}), ((1,), 2, {1: [2, 3]})],
)
def test_each_worker_reads_from_the_rank_on_its_device(
    alive: tuple[int, ...], width: int, readers: dict[int, list[int]]
) -> None:
    ranks = [Rank() for _ in range(5)]
    waited: list[Sequence[Any]] = []

    def wait(references: Sequence[Any], kind: str) -> list[Any]:
        waited.append(references)
        return []

    route = Route(ranks, alive, workers_per_engine=width, wait=wait)
    with TRANSPORTS["ipc"](route) as sources:
        found = {engine: [ranks.index(rank) for rank in source.ranks] for engine, source in sources.items()}
    assert found == readers
    read = {rank for those in readers.values() for rank in those}
    for number, rank in enumerate(ranks):
        assert rank.asked == ["open_buckets"] + ["drain_buckets"] * (number not in read), "gathering is a collective"


def test_vllm_reads_the_places_of_its_workers_from_these_variables() -> None:
    spec = find_spec("vllm")
    if spec is None or spec.origin is None:
        pytest.skip("vllm is not installed")
    known = (Path(spec.origin).parent / "envs.py").read_text("utf-8")
    assert f'"{BUNDLES}"' in known
    assert '"VLLM_RAY_PER_WORKER_GPUS"' in known


def test_the_32b_recipe_can_be_colocated() -> None:
    changes = ["cluster.colocate=true", "rollout.gpu_memory_share=0.7", "rollout.num_engines=8"]
    config = resolve("orz_32b", overrides=changes)
    assert (config.cluster.transport, num_devices(config)) == ("ipc", 32)
    with pytest.raises(ConfigError, match=r"16 engines of 4 devices each and 32 policy ranks .* \(64\)"):
        resolve("orz_32b", overrides=changes[:2])
