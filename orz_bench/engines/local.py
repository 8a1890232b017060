"""One engine in this process. Imports an engine's library when it is opened, not before."""

from __future__ import annotations

from collections.abc import Callable

from orz_bench.engines.engine import Engine, EngineSpec, TrainedEngine
from orz_bench.environment import set_library_defaults


def open_local(spec: EngineSpec, *, notice: Callable[[str], None] | None = None) -> Engine:
    """Start one engine in this process; `notice` hears what it has to say meanwhile."""
    set_library_defaults()
    if spec.name in ("vllm", "transformers"):
        return open_trained(spec)
    if spec.name == "openai":
        from orz_bench.engines.openai.engine import OpenAIServerEngine

        return OpenAIServerEngine(spec, notice=notice)
    from orz_bench.engines.fake import FakeEngine

    return FakeEngine(spec)


def open_trained(spec: EngineSpec) -> TrainedEngine:
    """Start one engine in this process whose weights can be replaced: vllm or transformers."""
    set_library_defaults()
    if spec.name == "vllm":
        from orz_bench.engines.vllm.engine import VllmEngine

        return VllmEngine(spec)
    from orz_bench.engines.transformers.engine import TransformersEngine

    return TransformersEngine(spec)
