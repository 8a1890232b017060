"""Evaluations whose responses are generated in stages (orz_bench.steering): what they need, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from orz_bench.asking.protocol import Protocol
from orz_bench.asking.thoughts import THOUGHTS, WAIT
from orz_bench.engines.engine import Engine, Tokenizer
from orz_bench.engines.registry import get_engine
from orz_bench.engines.tokenizer import CheckpointTokenizer
from orz_bench.errors import ConfigError
from orz_bench.evaluation.evaluate import Evaluation
from orz_bench.evaluation.options import SearchOptions
from orz_bench.extraction.rules import LIKELIHOOD
from orz_bench.models.digest import checkpoint_digest
from orz_bench.steering.forcing import ForcedEngine, Forcing
from orz_bench.steering.search import SearchingEngine, SearchSettings
from orz_bench.valuing.critic import Critic, CriticSettings, open_critic


def require_steerable(protocol: Protocol, search: SearchOptions, *, engine: str, benchmark: str) -> None:
    """Raise ConfigError if this engine cannot generate in stages, or this benchmark has nothing to choose from."""
    if not protocol.is_forced and search.select is None:
        return
    what = "--waits and --thought-tokens" if protocol.is_forced else f"--select {search.select}"
    if not get_engine(engine).reads_files:
        raise ConfigError(
            f"{what}: responses in stages go on from token ids, which --engine {engine} does not return; use --engine "
            f"vllm or transformers."
        )
    if protocol.extractor == LIKELIHOOD:
        raise ConfigError(f"{benchmark}: {what} needs written answers, and here the most likely option counts.")
    if search.select is not None and protocol.is_forced:
        raise ConfigError("--select is not combined with --waits and --thought-tokens; leave one of them out.")
    if search.select is not None and protocol.sampling.temperature == 0:
        raise ConfigError(
            f"{benchmark}: --select {search.select} at temperature 0 has one candidate only; use --temperature 1."
        )


def selection_card(search: SearchOptions) -> dict[str, Any] | None:
    """What the protocol card says of a search; None without one. ConfigError for an option without the others."""
    settings = settings_of(search)
    if settings is None or search.critic is None:
        return None
    if not search.critic.is_dir():
        raise ConfigError(f"--critic {search.critic}: not a folder; give the critic/ folder of a checkpoint.")
    return settings.to_json() | {"critic": checkpoint_digest(search.critic)}


def settings_of(search: SearchOptions) -> SearchSettings | None:
    """The settings of a search; None without one. ConfigError for an option without the others."""
    needed = {"--critic PATH": search.critic, "--budget TOKENS": search.budget}
    if search.select is None:
        given = [name for name, value in needed.items() if value is not None]
        if given:
            raise ConfigError(f"{given[0].split()[0]} is for a search; add --select beam or --select prune.")
        return None
    missing = [name for name, value in needed.items() if value is None]
    if missing:
        raise ConfigError(f"--select {search.select} needs {' and '.join(missing)}.")
    return SearchSettings(method=search.select, budget=search.budget or 0, width=search.width)


def opened_critic(search: SearchOptions, *, tokenizer: Tokenizer | None, limit: int | None) -> Critic:
    """The critic of a search, which must know the tokens of the policy. ConfigError if it does not.

    `limit`: tokens of prompt and response that it has to read.
    """
    assert search.critic is not None
    critic = open_critic(search.critic, CriticSettings()).critic
    if not isinstance(tokenizer, CheckpointTokenizer) or not tokenizer.is_that_of(critic.tokenizer):
        raise ConfigError(
            f"--critic {search.critic}: has another tokenizer than the model, so that the same token ids mean other "
            f"texts; use a critic that was trained with this model."
        )
    if critic.vocabulary < tokenizer.num_ids:
        raise ConfigError(
            f"--critic {search.critic}: knows {critic.vocabulary:,} token ids, but the model's tokenizer has "
            f"{tokenizer.num_ids:,}; use a critic that was trained with this model."
        )
    if critic.max_tokens is not None and (limit is None or critic.max_tokens < limit):
        wanted = "any length" if limit is None else f"{limit:,}"
        raise ConfigError(
            f"--critic {search.critic}: its context has {critic.max_tokens:,} tokens, wanted {wanted}; set "
            f"--max-model-len {critic.max_tokens}, or use a critic with a longer one."
        )
    return critic


def engine_for(
    evaluation: Evaluation,
    open_engine: Callable[[], Engine],
    *,
    tokenizer: Callable[[], Tokenizer | None],
    search: SearchOptions,
    critic: Critic | None,
) -> Callable[[], Engine]:
    """What opens the engine of an evaluation: the plain one, or one that generates in stages."""
    card = evaluation.card
    if not is_steered(evaluation):
        return open_engine
    of_model = tokenizer()
    if not isinstance(of_model, CheckpointTokenizer):
        raise ConfigError(f"{card.engine} has a tokenizer of its own; responses in stages need the checkpoint's.")
    if card.is_forced:
        forcing = Forcing(
            ends=THOUGHTS[card.template].ends,
            close=THOUGHTS[card.template].close,
            waits=card.waits or 0,
            wait_text=card.wait_text or WAIT,
            thought_tokens=card.thought_tokens,
        )
        return lambda: ForcedEngine(
            open_engine(), forcing=forcing, tokenizer=of_model, max_model_len=card.max_model_len
        )
    settings = settings_of(search)
    assert settings is not None, "the card was made from them"
    assert critic is not None, "it is opened before the engine"
    return lambda: SearchingEngine(
        open_engine(), critic=critic, settings=settings, tokenizer=of_model, max_model_len=card.max_model_len
    )


def is_steered(evaluation: Evaluation) -> bool:
    """Whether its responses are generated in stages."""
    return evaluation.card.is_forced or evaluation.card.selection is not None
