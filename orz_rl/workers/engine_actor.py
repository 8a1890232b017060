"""The Ray actor that holds one engine: its process, its log, and the calls of RayPool and of training."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from orz_bench.engines.engine import EngineSpec, Sampling, WeightSource
from orz_bench.records.rollout import Completion, Request
from orz_rl.workers.cluster import EngineMethod
from orz_rl.workers.process_log import write_output_to

BUNDLES = "VLLM_RAY_BUNDLE_INDICES"
"""vLLM's name for the bundles of an engine that spans several."""


class TrainedEngineActor:
    """An engine in a Ray actor: `call` runs any method of it."""

    def __init__(self, spec: EngineSpec, log: str) -> None:
        from orz_bench.engines.drawing import DrawingLoop
        from orz_bench.engines.local import open_trained
        from orz_bench.engines.ray.pool import EngineLoop

        write_output_to(log)
        if BUNDLES in os.environ:  # Ray hides all GPUs from an actor that takes none; its workers have them
            os.environ.pop("CUDA_VISIBLE_DEVICES", None)
        self._engine = open_trained(spec)
        self._loop, self._drawing = EngineLoop(self._engine), DrawingLoop(self._engine)

    def process_id(self) -> int:
        """Returns once the engine is loaded."""
        return os.getpid()

    def generate_some(self, requests: Sequence[Request], sampling: Sampling) -> list[list[Completion]]:
        """See EngineLoop.generate_some."""
        return self._loop.generate_some(requests, sampling)

    def draw_some(self, requests: Sequence[Request], sampling: Sampling) -> list[Completion]:
        """See DrawingLoop.draw_some."""
        return self._drawing.draw_some(requests, sampling)

    def take_unfinished(self) -> list[Request]:
        """See DrawingLoop.take_unfinished."""
        return self._drawing.take_unfinished()

    def call(self, method: EngineMethod, *source: WeightSource, settings: dict[str, Any]) -> None:
        """Run a method of the engine, once it has finished what it has in hand."""
        self._loop.finish()
        assert self._drawing.is_idle
        getattr(self._engine, method)(*source, **settings)
