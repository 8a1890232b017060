"""Settings of each engine: a class per engine, so that none is given a setting it would ignore.

Each setting is declared once, with its default and, where the command line has it, its option.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, Self, get_args

import typer

from orz_bench.engines.server_address import read_address
from orz_bench.errors import ConfigError

MOST = 10**9
"""Upper bound of every count."""

EndpointName = Literal["completions", "chat"]
"""completions: prompts as text or token ids; chat: messages, which the server renders."""


def require_counts(**counts: int | None) -> None:
    """Raise ConfigError for counts, by name, that are not from 1 to MOST; None is not checked."""
    faults = [
        f"{name} is {value}, wanted 1 to {MOST:,}"
        for name, value in counts.items()
        if value is not None and not 1 <= value <= MOST
    ]
    if faults:
        raise ConfigError("; ".join(faults) + ".")


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedSettings:
    """Settings that all engines have."""

    max_model_len: Annotated[int | None, typer.Option(help="Prompt and completion together, in tokens.")] = None
    """None: what the checkpoint allows."""
    num_engines: Annotated[int, typer.Option(min=1, help="Data-parallel engines, over Ray.")] = 1
    """More than 1: that many engines, each a Ray actor, on one work queue."""
    keep_tokens: Annotated[bool, typer.Option(help="Keep token ids and log-probs of every sample.")] = False
    """The sampled tokens' log-probabilities are those under the distribution that they were sampled from: at the
    sampling temperature, after top-k and top-p. A server returns neither ids nor log-probabilities."""
    tokenizer: Annotated[
        str | None, typer.Option(help="Folder or hub id, for a model on a server [default: the checkpoint's].")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """Settings of an engine that has none of its own."""

    engine: ClassVar[str] = "fake"

    @classmethod
    def of(cls, settings: EngineSettings | None) -> Self:
        """A spec's settings as those of this class, which its engine reads; the defaults where it has none."""
        assert settings is None or isinstance(settings, cls), f"{settings} are not {cls.__name__}"
        return cls() if settings is None else settings

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
    tensor_parallel: Annotated[int, typer.Option(min=1, help="GPUs per engine, for vllm.")] = 1
    gpu_memory_share: Annotated[float, typer.Option(help="Share of each GPU's memory, for vllm.")] = 0.9
    sleeps: bool = False
    """Whether the engine must be able to release GPU memory while training uses the device. Training sets it; there is
    no option."""

    def __post_init__(self) -> None:
        require_counts(tensor_parallel=self.tensor_parallel)
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
    batch_size: Annotated[int, typer.Option(min=1, help="Sequences at once, for transformers.")] = 32

    def __post_init__(self) -> None:
        require_counts(batch_size=self.batch_size)

    @property
    def block(self) -> int:
        """A whole batch."""
        return self.batch_size


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings(EngineSettings):
    """Settings of an OpenAI-compatible server."""

    engine: ClassVar[str] = "openai"
    base_url: Annotated[str, typer.Option(help="Address of an OpenAI-compatible server.")] = "http://127.0.0.1:8000/v1"
    endpoint: Annotated[
        EndpointName, typer.Option(help="completions: prompts of ours; chat: messages, rendered by the server.")
    ] = "completions"
    concurrency: Annotated[int, typer.Option(min=1, help="Requests in flight to a server.")] = 64
    request_timeout_s: Annotated[
        float, typer.Option("--request-timeout", min=1, help="Seconds that a server may take for an answer.")
    ] = 1800
    max_retries: Annotated[int, typer.Option(min=0, help="How often a server is asked again for an answer.")] = 8
    continue_on_error: Annotated[
        bool, typer.Option(help="Keep a sample without an answer as a failed one, which counts as wrong.")
    ] = False
    samples_per_request: Annotated[
        int, typer.Option(min=1, help="Samples of a question drawn by one request, for the chat endpoint.")
    ] = 1
    price_in: Annotated[float | None, typer.Option(min=0, help="Price of a million tokens of prompts.")] = None
    price_out: Annotated[float | None, typer.Option(min=0, help="Price of a million new tokens.")] = None

    def __post_init__(self) -> None:
        require_counts(concurrency=self.concurrency, samples_per_request=self.samples_per_request)
        read_address(self.base_url)
        if self.endpoint not in get_args(EndpointName):
            raise ConfigError(f"--endpoint {self.endpoint} is unknown, wanted completions or chat.")
        if self.endpoint != "chat" and self.samples_per_request != 1:
            raise ConfigError("--samples-per-request needs --endpoint chat; leave it out.")
        for name, price in (("price_in", self.price_in), ("price_out", self.price_out)):
            if price is not None and not (math.isfinite(price) and price >= 0):
                raise ConfigError(f"{name} is {price}, wanted 0 or more for a million tokens.")
        if (self.price_in is None) != (self.price_out is None):
            raise ConfigError("--price-in and --price-out belong together: give both, 0 for what is free.")

    def cost(self, *, prompt_tokens: float, new_tokens: float) -> float | None:
        """The price of so many tokens, in the currency of the prices; None without prices."""
        if self.price_in is None or self.price_out is None:
            return None
        return (prompt_tokens * self.price_in + new_tokens * self.price_out) / 1e6
