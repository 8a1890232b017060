"""Which bundle each process takes: colocated they share, otherwise none is taken twice but by policy and reference."""

from __future__ import annotations

import os
from pathlib import Path

from orz_bench.environment import set_library_defaults
from orz_rl.config import ClusterConfig
from orz_rl.ppo.packed_forward import Pack
from orz_rl.workers.cluster import InProcessCluster, _bundles
from tests.support.tiny_model import a_tiny_checkpoint
from tests.unit.orz_rl.workers.test_model_rank import a_spec


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


def test_a_model_in_this_process_leaves_the_environment_as_it_is(tmp_path: Path) -> None:
    """A LOCAL_RANK that stays behind makes the next library that sees it wait for ranks that never come."""
    import orz_rl.workers.model_rank  # noqa: F401 - DeepSpeed sets a variable of torch's when it is imported

    set_library_defaults()
    before = dict(os.environ)
    spec = a_spec(a_tiny_checkpoint(tmp_path / "model"))
    model = InProcessCluster().open_model(spec, 1)
    pack = Pack.of([([5, 6, 7], [8, 9])])
    (logprobs,) = model.start("logprobs", [[pack]]).results()
    with model.sending_weights((0,)):
        assert len(logprobs[0]) == 2
    assert dict(os.environ) == before
