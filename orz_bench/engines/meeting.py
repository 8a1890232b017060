"""Facts about a server that are needed before it is asked: the model, how prompts arrive, its context.

The server, its model and the tokenizer given for it are on the card: samples of different servers are never mixed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from orz_bench.engines.engine import EngineSpec, Notice, ProbePrompt, Sampling, Tokenizer


def probe_prompt(text: str, tokenizer: Tokenizer | None) -> ProbePrompt:
    """A rendered prompt, with its token ids if they are known."""
    return ProbePrompt(text=text, token_ids=tokenizer.encode(text) if tokenizer is not None else None)


def meet_server(
    spec: EngineSpec,
    *,
    prompt: ProbePrompt | None,
    samplings: Sequence[Sampling],
    notice: Notice,
) -> EngineSpec:
    """The spec with the facts about its server. EngineError or ConfigError if it cannot be asked so."""
    from orz_bench.engines.openai.probe import ask_server, refuse_unmet

    facts = ask_server(spec, prompt=prompt, notice=notice)
    for sampling in samplings:
        refuse_unmet(facts, sampling)
    limit = min((some for some in (spec.max_model_len, facts.max_model_len) if some is not None), default=None)
    return replace(spec, server=facts, max_model_len=limit)
