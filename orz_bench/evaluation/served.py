"""What a chat endpoint cannot be asked, and what a server's context leaves for answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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
