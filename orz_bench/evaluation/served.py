"""Facts about a server that an evaluation needs before it starts: the model, how prompts arrive, its context.

The server, its model and the tokenizer given for it are on the card: samples of different servers are never mixed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from orz_bench.engines.engine import EngineSpec, ProbePrompt, Sampling, Tokenizer
from orz_bench.errors import ConfigError
from orz_bench.evaluation.harness.options import PREFIX
from orz_bench.evaluation.options import EvalOptions


def require_chat(options: EvalOptions, *, benchmarks: Iterable[str]) -> None:
    """Raise ConfigError for what a chat endpoint cannot be asked, or what has no effect there."""
    if options.engine_settings.tokenizer is not None:
        raise ConfigError(
            "--tokenizer renders and counts the prompts of --endpoint completions; with --endpoint chat the server "
            "does both. Leave it out."
        )
    tasks = [name for name in benchmarks if name.startswith(PREFIX)]
    if tasks:
        raise ConfigError(
            f"{tasks[0]}: lm-eval's tasks are prompts of text; ask them with --endpoint completions and --tokenizer."
        )


def probe_prompt(text: str, tokenizer: Tokenizer | None) -> ProbePrompt:
    """A rendered prompt, with its token ids if they are known."""
    return ProbePrompt(text=text, token_ids=tokenizer.encode(text) if tokenizer is not None else None)


def meet_server(
    spec: EngineSpec,
    *,
    prompt: ProbePrompt | None,
    samplings: Sequence[Sampling],
    notice: Callable[[str], None],
) -> EngineSpec:
    """The spec with the facts about its server. EngineError or ConfigError if it cannot be evaluated."""
    from orz_bench.engines.openai.probe import ask_server, refuse_unmet

    facts = ask_server(spec, prompt=prompt, notice=notice)
    for sampling in samplings:
        refuse_unmet(facts, sampling)
    limit = min((some for some in (spec.max_model_len, facts.max_model_len) if some is not None), default=None)
    return replace(spec, server=facts, max_model_len=limit)


def context_note(lengths: Sequence[int], *, limit: int | None, max_tokens: int, of_server: int | None) -> str | None:
    """The sentence about a context that leaves less room for a completion than the protocol allows; else None.

    `lengths`: of the prompts, where they are known. `of_server`: the server's own limit.
    """
    if limit is None or max(lengths, default=0) + max_tokens <= limit:
        return None
    whose = "the server's" if limit == of_server else "the"
    room = (
        f"{limit - max(lengths):,} new tokens after the longest prompt" if lengths else "less than that after a prompt"
    )
    return (
        f"{whose} context of {limit:,} tokens leaves {room}, the protocol would allow {max_tokens:,}; an answer that "
        f"needs more is cut and counted as clipped"
    )
