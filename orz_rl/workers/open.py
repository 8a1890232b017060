"""Open the cluster that a configuration asks for: in this process, or on Ray."""

from __future__ import annotations

import os
from pathlib import Path

from orz_bench.environment import has_gpu, set_library_defaults
from orz_bench.errors import ConfigError
from orz_rl.config import TrainConfig
from orz_rl.workers.cluster import Cluster


def open_cluster(config: TrainConfig, *, logs: Path) -> Cluster:
    """Check the resources, then reserve them. Worker processes write their output into `logs`.

    Raises ConfigError if the device or resources are missing, EngineError if Ray does not answer.
    """
    set_library_defaults()
    if config.cluster.device == "cuda" and not has_gpu() and not os.environ.get("RAY_ADDRESS"):
        raise ConfigError(
            "cluster.device is cuda, but this machine has no GPU. Run on a machine with a GPU, join a cluster that has "
            "one (RAY_ADDRESS), or set cluster.device=cpu (and a model that can be trained on a CPU)."
        )
    if config.cluster.in_process:
        from orz_rl.workers.in_process import InProcessCluster

        return InProcessCluster()
    from orz_rl.workers.on_ray import RayCluster
    from orz_rl.workers.placement import place

    placement = place(
        config.cluster,
        has_critic=config.has_critic,
        engines=0 if config.rollout.replay else config.rollout.num_engines,
        gpus_per_engine=config.rollout.tensor_parallel,
    )
    return RayCluster(config.cluster, placement, logs=logs)
