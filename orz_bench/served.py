"""What an evaluation must know of a server before it starts: which model answers, how prompts arrive, its room.

The server, its model and the tokenizer given for it stand on the card: samples of one are never mixed with another's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

from orz_bench.engines.engine import EngineSpec, Sampling, Tokenizer
from orz_bench.engines.tokenizer import CheckpointTokenizer


def meet_server(
    spec: EngineSpec,
    *,
    prompt: str | None,
    tokenizer: Tokenizer | None,
    samplings: Sequence[Sampling],
    notice: Callable[[str], None],
) -> EngineSpec:
    """The spec with what its server is and does. EngineError or ConfigError where it could not be evaluated."""
    from orz_bench.engines.openai_probe import ProbePrompt, ask_server, refuse_unmet

    shown = ProbePrompt()
    if prompt:
        shown = ProbePrompt(text=prompt, token_ids=tokenizer.encode(prompt) if tokenizer is not None else None)
    facts = ask_server(spec, prompt=shown, notice=notice)
    for sampling in samplings:
        refuse_unmet(facts, sampling)
    limit = min((some for some in (spec.max_model_len, facts.max_model_len) if some is not None), default=None)
    return replace(spec, server=facts, max_model_len=limit)


def card_facts(spec: EngineSpec, tokenizer: Tokenizer | None) -> dict[str, Any]:
    """`server` and `tokenizer` of the card, where there are such."""
    facts: dict[str, Any] = {}
    if spec.server is not None:
        names = ("base_url", "model", "root", "answers_as")
        facts["server"] = {name: value for name, value in asdict(spec.server).items() if name in names}
    if spec.tokenizer is not None and isinstance(tokenizer, CheckpointTokenizer):
        facts["tokenizer"] = tokenizer.digest
    return facts


def say_context(
    spec: EngineSpec, lengths: Sequence[int], *, max_tokens: int, name: str, notice: Callable[[str], None]
) -> None:
    """Say it where the context leaves a completion less than the protocol allows."""
    limit = spec.max_model_len
    if limit is None or max(lengths, default=0) + max_tokens <= limit:
        return
    whose = "the server's" if spec.server is not None and limit == spec.server.max_model_len else "the"
    room = f"{limit - max(lengths):,} new tokens after the longest prompt" if lengths else "fewer after long prompts"
    notice(
        f"{name}: {whose} context of {limit:,} tokens leaves {room}, the protocol would allow {max_tokens:,}; an "
        f"answer that needs more is cut and counted as clipped"
    )
