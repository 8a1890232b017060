"""Choose and open engines. Imports no engine before it is opened."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager

from orz_bench.engines.engine import Engine, EngineSpec, Notice
from orz_bench.engines.local import open_local
from orz_bench.engines.registry import ENGINES, get_engine
from orz_bench.environment import has_fast_bfloat16
from orz_bench.errors import ConfigError, EngineError, nearest
from orz_bench.installed.extras import how_to_install

_DTYPES = ("bfloat16", "float16", "float32")


def choose_engine(name: str) -> tuple[str, str]:
    """(engine, reason) for `--engine name`. ConfigError for an unknown one, EngineError for one not installed."""
    if name == "auto":
        if ENGINES["vllm"].is_installed:
            return "vllm", "engine: vllm"
        if not ENGINES["transformers"].is_installed:
            raise EngineError(
                f"no engine is installed; run: {how_to_install('vllm')}. Or use a server: --engine openai "
                "--base-url URL."
            )
        return (
            "transformers",
            f"engine: transformers, the slow fallback, because vllm is not installed ({how_to_install('vllm')})",
        )
    engine = get_engine(name)
    if not engine.is_installed:
        raise EngineError(
            f"--engine {name} is not installed; run: {how_to_install(engine.extra) if engine.extra else engine.package}"
        )
    return name, f"engine: {name}{engine.note}"


def choose_dtype(name: str, engine: str) -> str:
    """The type for `--dtype name`. auto is bfloat16 if the machine computes in it natively, else float32."""
    if not get_engine(engine).reads_files:
        return "unknown"
    if name == "auto":
        return "bfloat16" if has_fast_bfloat16() else "float32"
    if name not in _DTYPES:
        raise ConfigError(f"--dtype {name} is unknown{nearest(name, _DTYPES)}; there are auto, {', '.join(_DTYPES)}.")
    return name


def open_engine(spec: EngineSpec, *, notice: Notice | None = None) -> Engine:
    """Start the engine; `notice` receives messages for the user. EngineError with a remedy if it cannot start."""
    if spec.num_engines > 1:
        if get_engine(spec.name).is_server:
            raise ConfigError("--num-engines does not apply to a server; raise --concurrency instead.")
        if importlib.util.find_spec("ray") is None:
            raise EngineError(f"--num-engines needs Ray, which is not installed; run: {how_to_install('ray')}")
        from orz_bench.engines.ray.pool import RayPool

        return RayPool(spec)
    return open_local(spec, notice=notice)


@contextmanager
def opened_once(spec: EngineSpec, *, first: Callable[[], None], notice: Notice) -> Iterator[Callable[[], Engine]]:
    """A function that calls `first` and opens the engine at its first call, and returns the same one afterwards."""
    with ExitStack() as stack:
        opened: list[Engine] = []

        def get() -> Engine:
            if not opened:
                first()
                opened.append(stack.enter_context(closing(open_engine(spec, notice=notice))))
            return opened[0]

        yield get
