"""Models and engine in the caller's process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import get_args

from orz_bench.engines.engine import TrainedEngine
from orz_bench.environment import set_library_defaults
from orz_rl.ppo.packed_forward import Pack
from orz_rl.workers.cluster import EngineMethod, ModelGroup, RankMethod
from orz_rl.workers.in_process import InProcessCluster
from tests.support.preloaded import FORKED
from tests.support.tiny_model import a_tiny_checkpoint
from tests.unit.orz_rl.workers.test_model_rank import a_spec


def test_a_model_in_the_callers_process_leaves_the_environment_as_it_is(tmp_path: Path) -> None:
    """If LOCAL_RANK stays set, the next library that reads it waits for ranks that never come."""
    process = FORKED.Process(target=use_model, args=(a_tiny_checkpoint(tmp_path / "model"),))
    process.start()
    process.join()
    assert process.exitcode == 0


def use_model(checkpoint: Path) -> None:
    import orz_rl.workers.model_rank  # noqa: F401 - DeepSpeed sets a variable of torch's when it is imported

    set_library_defaults()
    before = dict(os.environ)
    spec = a_spec(checkpoint)
    model = InProcessCluster().open_model(spec, 1)
    pack = Pack.of([([5, 6, 7], [8, 9])])
    (logprobs,) = model.logprobs([[pack]]).results()
    with model.sending_weights((0,)):
        assert len(logprobs[0]) == 2
    assert dict(os.environ) == before


def test_every_method_that_is_called_by_name_exists() -> None:
    from orz_rl.workers.model_rank import ModelRank

    assert all(hasattr(ModelRank, name) and hasattr(ModelGroup, name) for name in get_args(RankMethod))
    assert all(hasattr(TrainedEngine, name) for name in get_args(EngineMethod))
