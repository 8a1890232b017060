"""Settings of each engine: a class per engine, so that none is given a setting it would ignore."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from orz_bench.engines.server_address import read_address
from orz_bench.errors import ConfigError

MOST = 10**9
"""Upper bound of every count."""


def require_counts(of: Any, *names: str) -> None:
    """Raise ConfigError for counts that are not from 1 to MOST; None is not checked."""
    faults = [
        f"{name} is {value}, wanted 1 to {MOST:,}"
        for name in names
        if (value := getattr(of, name)) is not None and not 1 <= value <= MOST
    ]
    if faults:
        raise ConfigError("; ".join(faults) + ".")


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """Settings of an engine that has none of its own."""

    engine: ClassVar[str] = "fake"

    @property
    def gpus(self) -> int:
        """GPUs per engine, where there are any."""
        return 1

    @property
    def block(self) -> int | None:
        """Requests generated together as one block; None: the engine accepts requests while it generates."""
        return 16


@dataclass(frozen=True, slots=True, kw_only=True)
class VllmSettings(EngineSettings):
    """Settings of vllm."""

    engine: ClassVar[str] = "vllm"
    tensor_parallel: int = 1
    """GPUs per engine."""
    gpu_memory_share: float = 0.9
    """Share of each GPU's memory."""
    sleeps: bool = False
    """Whether the engine must be able to release GPU memory while training uses the device."""

    def __post_init__(self) -> None:
        require_counts(self, "tensor_parallel")
        if not 0 < self.gpu_memory_share <= 1:
            raise ConfigError(f"gpu_memory_share is {self.gpu_memory_share}, wanted more than 0 and at most 1.")

    @property
    def gpus(self) -> int:
        """GPUs per engine."""
        return self.tensor_parallel

    @property
    def block(self) -> None:
        """vllm accepts requests while it generates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformersSettings(EngineSettings):
    """Settings of transformers."""

    engine: ClassVar[str] = "transformers"
    batch_size: int = 32
    """Sequences decoded together."""

    def __post_init__(self) -> None:
        require_counts(self, "batch_size")

    @property
    def block(self) -> int:
        """A whole batch."""
        return self.batch_size


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings(EngineSettings):
    """Settings of an OpenAI-compatible server."""

    engine: ClassVar[str] = "openai"
    base_url: str = "http://127.0.0.1:8000/v1"
    concurrency: int = 64
    """Requests in flight."""
    request_timeout_s: float = 1800.0
    """Longest time for one answer."""
    max_retries: int = 6
    """How often one answer is requested again."""
    continue_on_error: bool = False
    """Whether a sample without an answer is stored as a failed one with the reason, instead of an error at the end."""

    def __post_init__(self) -> None:
        require_counts(self, "concurrency")
        read_address(self.base_url)
