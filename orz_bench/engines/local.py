"""One engine in this process. Imports an engine's library when it is opened, not before."""

from __future__ import annotations

from collections.abc import Callable

from orz_bench.engines.engine import Engine, EngineSpec, TrainedEngine
from orz_bench.engines.registry import get_engine
from orz_bench.environment import set_library_defaults


def open_local(spec: EngineSpec, *, notice: Callable[[str], None] | None = None) -> Engine:
    """Start one engine in this process; `notice` receives messages for the user."""
    set_library_defaults()
    return get_engine(spec.name).load()(spec, notice=notice)


def open_trained(spec: EngineSpec) -> TrainedEngine:
    """Start one engine in this process whose weights can be replaced, as those of vllm and transformers can."""
    engine = open_local(spec)
    assert isinstance(engine, TrainedEngine), f"the weights of {spec.name} cannot be replaced"
    return engine
