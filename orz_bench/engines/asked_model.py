"""A checkpoint that is asked something beside an evaluation: its identity, its tokenizer, and an engine when needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from orz_bench.engines.describe import card_facts
from orz_bench.engines.engine import Engine, LikelihoodEngine, Notice
from orz_bench.engines.model_options import ModelOptions
from orz_bench.engines.open import choose_dtype, choose_engine, opened_once
from orz_bench.engines.registry import get_engine, make_spec
from orz_bench.errors import ConfigError
from orz_bench.models.checkpoint import ModelIdentity, find_checkpoints


class Encodes(Protocol):
    """The part of a tokenizer that makes prompts."""

    def encode(self, text: str) -> tuple[int, ...]:
        """Token ids; no special token is added."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedModel:
    """One model."""

    identity: ModelIdentity
    tokenizer: Encodes
    open_engine: Callable[[], Engine]
    """Starts the engine at its first call; afterwards it returns the same one."""
    context: int | None
    """Tokens of prompt and completion together; None if unlimited."""
    facts: dict[str, Any]
    """What else of the model can move an answer: engine and its version, type of its numbers, context."""

    @property
    def card(self) -> dict[str, Any]:
        """What identifies it."""
        return {"model": self.identity.digest} | self.facts

    def likelihoods(self) -> LikelihoodEngine:
        """The engine, where it computes log-likelihoods. ConfigError where it does not."""
        engine = self.open_engine()
        if not isinstance(engine, LikelihoodEngine):
            raise ConfigError("this engine computes no log-likelihoods; use --engine vllm or transformers.")
        return engine


@contextmanager
def asked_model(name: str, options: ModelOptions, *, step: int | None = None, notice: Notice) -> Iterator[AskedModel]:
    """The checkpoint that `name` means: a folder, a hub id, or the last (or this) step of a training run.

    ConfigError for a server, whose tokens and likelihoods are unknown.
    """
    from orz_bench.engines.tokenizer import load_tokenizer

    engine, reason = choose_engine(options.engine)
    if get_engine(engine).is_server:
        raise ConfigError(
            f"--engine {engine}: what is asked here are tokens and their likelihoods, which a server does not give; "
            f"use --engine vllm or transformers."
        )
    notice(reason)
    found = find_checkpoints(name, engine=engine, reads_files=get_engine(engine).reads_files, step=step)
    checkpoint = found[-1]
    if len(found) > 1:
        notice(f"{name}: asks its last checkpoint, of step {checkpoint.model.step}")
    spec = make_spec(
        name=engine, checkpoint=checkpoint.path, dtype=choose_dtype(options.dtype, engine), **options.by_name()
    )
    tokenizer = load_tokenizer(spec)
    assert tokenizer is not None, "only servers have none"
    facts = card_facts(spec)
    with opened_once(spec, first=lambda: None, notice=notice) as open_engine:
        yield AskedModel(
            identity=checkpoint.model,
            tokenizer=tokenizer,
            open_engine=open_engine,
            context=facts["max_model_len"],
            facts=facts,
        )


class Bounded(Protocol):
    """What has a context."""

    @property
    def context(self) -> int | None:
        """Tokens of prompt and completion together; None if unlimited."""
        ...


def require_room(model: Bounded, lengths: Sequence[int], *, what: str) -> None:
    """ConfigError if a text of so many tokens does not fit the context."""
    longest = max(lengths, default=0)
    if model.context is not None and longest > model.context:
        raise ConfigError(
            f"{what} needs {longest:,} tokens with its prompt, but the model's context is {model.context:,}; use a "
            f"model with a longer one, or raise --max-model-len."
        )
