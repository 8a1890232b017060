"""A rank of DeepSpeed's ZeRO among many, on fake tensors: real shapes, partitions and collectives, no numbers.

Run as a program, because the world of fake ranks belongs to the process:
python -m tests.support.fake_rank '{"model": ..., "layers": ..., "tokens": ..., "ranks": ..., "role": ...}'
prints bytes as JSON: the peak of loading, the peak of an update's forward and backward pass, and what stays.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode

from tests.support.live_bytes import LiveBytes


class FakeScalars(LiveBytes):
    """Counts bytes, and says 0 where a library asks for the number in a tensor."""

    def __torch_dispatch__(
        self, func: Any, types: Sequence[Any], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        try:
            return super().__torch_dispatch__(func, types, args, kwargs)
        except DataDependentOutputException:
            return 0.0


def measured(task: Mapping[str, Any]) -> dict[str, int]:
    """Start a rank, and make two updates of one pack of four sequences."""
    from orz_bench.environment import set_library_defaults

    set_library_defaults()
    os.environ["LOCAL_RANK"] = "0"
    import deepspeed

    from orz_rl.planning.architectures import PUBLISHED
    from orz_rl.workers.model_rank import _deepspeed_settings
    from tests.unit.orz_rl.workers.test_model_rank import a_spec

    _join_fake_ranks(task["ranks"])
    shape = PUBLISHED[task["model"]]
    shape = replace(shape, layers=task["layers"] or shape.layers)
    is_critic = task["role"] == "critic"
    with FakeTensorMode(allow_non_fake_inputs=True), FakeScalars() as memory:
        model = _a_model(shape, is_critic=is_critic)
        model.to = lambda *_, **__: model  # fake tensors are where they are
        spec = a_spec("", zero_stage=task["stage"], dtype="bfloat16")
        settings = _deepspeed_settings(
            spec, num_parameters=sum(p.numel() for p in model.parameters()), hidden=shape.hidden
        )
        optimiser = torch.optim.AdamW(model.parameters(), lr=1.0)
        engine, *_ = deepspeed.initialize(model=model, optimizer=optimiser, config=settings)
        loading, peak = memory.peak, 0
        engine.train()
        for _ in range(2):  # the optimiser's state exists after the first
            memory.restart()
            engine.set_gradient_accumulation_boundary(is_boundary=True)
            engine.backward(_loss(engine, task["tokens"], is_critic=is_critic))
            peak = memory.peak
            engine.step()
        return {"loading": loading, "peak": peak, "states": memory.now}


def _a_model(shape: Any, *, is_critic: bool) -> Any:
    from tests.unit.orz_rl.planning.test_pack_memory import a_fake_model

    model = a_fake_model(shape, torch.bfloat16, head_float32=False)
    if is_critic:
        from transformers import AutoModelForTokenClassification

        from orz_rl.critic import ValueModel

        model.config.num_labels = 1
        classifier = AutoModelForTokenClassification.from_config(
            model.config, dtype=torch.bfloat16, attn_implementation="packed_sdpa"
        )
        model = ValueModel(classifier)
    getattr(model, "classifier", model).gradient_checkpointing_enable({"use_reentrant": False})
    return model


def _loss(engine: Any, tokens: int, *, is_critic: bool) -> Any:
    from orz_rl.ppo.packed_forward import response_scores, response_values
    from orz_rl.ppo.packs import Lengths, PackSlice

    lengths = (Lengths(16, (tokens // 4 - 16,)),) * 4
    pack = PackSlice(torch.zeros(tokens, dtype=torch.int32), lengths).to(torch.device("cpu"))
    if is_critic:
        return response_values(engine, pack).sum()
    return response_scores(engine, pack, with_entropy=True).logprobs_R.sum()


def _join_fake_ranks(count: int) -> None:
    import deepspeed
    from deepspeed.runtime.zero import partitioned_param_coordinator
    from torch.testing._internal.distributed.fake_pg import FakeStore

    # It compares numbers with those of rank 0, and fake ranks send none.
    partitioned_param_coordinator.assert_ints_same_as_other_ranks = lambda *_: None
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    torch.distributed.init_process_group("fake", rank=0, world_size=count, store=FakeStore())
    deepspeed.init_distributed(dist_backend="fake", auto_mpi_discovery=False, verbose=False)


if __name__ == "__main__":
    print(json.dumps(measured(json.loads(sys.argv[1]))))
