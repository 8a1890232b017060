"""State shared by all evaluations of one checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orz_bench.engines.engine import Engine, EngineSpec, Tokenizer
from orz_bench.evaluation.evaluate import Observer
from orz_bench.models.checkpoint import ModelIdentity
from orz_bench.records.run_dir import RunDir


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalContext:
    """A checkpoint, the engine that loads it, and where results go."""

    run: RunDir
    model: ModelIdentity
    spec: EngineSpec
    tokenizer: Callable[[], Tokenizer | None]
    """Loads it at its first call."""
    open_engine: Callable[[], Engine]
    """Starts the engine at its first call; afterwards it returns the same one."""
    observer: Observer
