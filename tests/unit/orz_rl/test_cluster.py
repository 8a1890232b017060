"""Which bundle each process takes: colocated they share, otherwise none is taken twice but by policy and reference."""

from __future__ import annotations

from orz_rl.cluster import _bundles
from orz_rl.config import ClusterConfig


def test_colocated_processes_share() -> None:
    found = _bundles(ClusterConfig(policy_ranks=2, critic_ranks=2), has_critic=True, engines=2)
    assert {kind: list(bundles) for kind, bundles in found.items()} == {kind: [0, 1] for kind in found}


def test_separated_processes_do_not() -> None:
    config = ClusterConfig(policy_ranks=2, critic_ranks=3, colocate=False)
    found = _bundles(config, has_critic=True, engines=2)
    assert {kind: list(bundles) for kind, bundles in found.items()} == {
        "policy": [0, 1],
        "reference": [0, 1],
        "critic": [2, 3, 4],
        "engine": [5, 6],
    }
    assert list(_bundles(config, has_critic=False, engines=2)["engine"]) == [2, 3]
