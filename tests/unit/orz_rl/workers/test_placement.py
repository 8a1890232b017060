"""Which bundle each process takes: colocated they share, otherwise only policy and reference do."""

from __future__ import annotations

from orz_rl.config import ClusterConfig
from orz_rl.workers.placement import SHARE, place


def test_colocated_processes_share_bundles() -> None:
    found = place(ClusterConfig(policy_ranks=2, critic_ranks=2), has_critic=True, engines=2, gpus_per_engine=1)
    assert {role: list(bundles) for role, bundles in found.ranks.items()} == {role: [0, 1] for role in found.ranks}
    assert list(found.engines) == [0, 1]
    assert found.bundles == [{"CPU": 1.0, "GPU": 1.0}] * 2
    assert found.share_of(is_engine=True) == found.share_of(is_engine=False) == {"num_cpus": SHARE, "num_gpus": SHARE}
    assert found.num_trained == 2


def test_separate_processes_have_their_own_bundles() -> None:
    config = ClusterConfig(policy_ranks=2, critic_ranks=3, colocate=False)
    found = place(config, has_critic=True, engines=2, gpus_per_engine=4)
    assert {role: list(bundles) for role, bundles in found.ranks.items()} == {
        "policy": [0, 1],
        "reference": [0, 1],
        "critic": [2, 3, 4],
    }
    assert list(found.engines) == [5, 6]
    assert found.bundles == [{"CPU": 1.0, "GPU": 1.0}] * 5 + [{"CPU": 1.0, "GPU": 4.0}] * 2
    assert found.share_of(is_engine=True) == {"num_cpus": 1.0, "num_gpus": 4.0}
    assert found.share_of(is_engine=False) == {"num_cpus": SHARE, "num_gpus": SHARE}


def test_without_a_critic_no_bundle_is_reserved_for_it() -> None:
    config = ClusterConfig(policy_ranks=2, critic_ranks=3, colocate=False)
    found = place(config, has_critic=False, engines=2, gpus_per_engine=1)
    assert (list(found.ranks["critic"]), list(found.engines), found.num_trained) == ([], [2, 3], 1)


def test_policy_and_critic_may_share_while_engines_have_their_own() -> None:
    config = ClusterConfig(policy_ranks=2, critic_ranks=3, colocate=False, colocate_models=True)
    found = place(config, has_critic=True, engines=2, gpus_per_engine=4)
    assert [list(found.ranks[role]) for role in ("policy", "reference", "critic")] == [[0, 1], [0, 1], [0, 1, 2]]
    assert list(found.engines) == [3, 4]
    assert found.models_share
    assert not found.is_shared
    assert not place(ClusterConfig(colocate=False), has_critic=True, engines=1, gpus_per_engine=1).models_share


def test_colocated_engines_span_the_devices_of_several_ranks() -> None:
    found = place(ClusterConfig(policy_ranks=8, critic_ranks=8), has_critic=True, engines=2, gpus_per_engine=4)
    assert [list(found.spanned(engine)) for engine in range(2)] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert list(found.engines) == [0, 4]
    assert found.bundles == [{"CPU": 1.0, "GPU": 1.0}] * 8
    assert found.spans
    # Policy, critic, reference and a worker of an engine fit a GPU; the engine's own process takes none.
    assert found.share_of(is_engine=False)["num_gpus"] * 4 == 1.0
    assert found.share_of(is_engine=True) == {"num_cpus": SHARE, "num_gpus": 0.0}
    wide = place(ClusterConfig(policy_ranks=2, critic_ranks=1), has_critic=True, engines=1, gpus_per_engine=4)
    assert len(wide.bundles) == 4, "engines may have more devices than the models"


def test_a_run_on_cpus_reserves_no_gpu() -> None:
    found = place(ClusterConfig(device="cpu"), has_critic=True, engines=1, gpus_per_engine=1)
    assert found.bundles == [{"CPU": 1.0}]
    assert found.share_of(is_engine=True) == {"num_cpus": SHARE, "num_gpus": 0.0}


def test_a_run_without_engines_reserves_bundles_for_its_models_alone() -> None:
    """As a replay has none (rollout.replay)."""
    shared = place(ClusterConfig(policy_ranks=2, critic_ranks=2), has_critic=True, engines=0, gpus_per_engine=1)
    apart = place(ClusterConfig(colocate=False), has_critic=True, engines=0, gpus_per_engine=1)
    assert [len(each.bundles) for each in (shared, apart)] == [2, 2]
    assert [len(each.engines) for each in (shared, apart)] == [0, 0]
