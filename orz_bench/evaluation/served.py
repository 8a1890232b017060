"""Facts about a server that an evaluation needs before it starts: the model, how prompts arrive, its context.

The server, its model and the tokenizer given for it are on the card: samples of different servers are never mixed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from orz_bench.engines.engine import Engine, EngineSpec, Sampling, Tokenizer
from orz_bench.engines.open import open_engine
from orz_bench.errors import ConfigError


def meet_server(
    spec: EngineSpec,
    *,
    prompt: str | None,
    tokenizer: Tokenizer | None,
    samplings: Sequence[Sampling],
    notice: Callable[[str], None],
) -> EngineSpec:
    """The spec with the facts about its server. EngineError or ConfigError if it cannot be evaluated."""
    from orz_bench.engines.openai.probe import ProbePrompt, ask_server, refuse_unmet

    shown = ProbePrompt()
    if prompt:
        shown = ProbePrompt(text=prompt, token_ids=tokenizer.encode(prompt) if tokenizer is not None else None)
    facts = ask_server(spec, prompt=shown, notice=notice)
    for sampling in samplings:
        refuse_unmet(facts, sampling)
    limit = min((some for some in (spec.max_model_len, facts.max_model_len) if some is not None), default=None)
    return replace(spec, server=facts, max_model_len=limit)


def card_facts(spec: EngineSpec, tokenizer: Callable[[], Tokenizer | None]) -> dict[str, Any]:
    """`server` and `tokenizer` of the card, if the spec has them; only the latter loads the tokenizer."""
    facts: dict[str, Any] = {}
    if spec.server is not None:
        names = ("base_url", "model", "root", "answers_as")
        facts["server"] = {name: value for name, value in asdict(spec.server).items() if name in names}
    if spec.tokenizer is not None:
        from orz_bench.engines.tokenizer import CheckpointTokenizer

        loaded = tokenizer()
        if isinstance(loaded, CheckpointTokenizer):
            facts["tokenizer"] = loaded.digest
    return facts


def report_context(
    spec: EngineSpec, lengths: Sequence[int], *, max_tokens: int, name: str, notice: Callable[[str], None]
) -> None:
    """Report a context that leaves less room for a completion than the protocol allows."""
    limit = spec.max_model_len
    if limit is None or max(lengths, default=0) + max_tokens <= limit:
        return
    whose = "the server's" if spec.server is not None and limit == spec.server.max_model_len else "the"
    room = (
        f"{limit - max(lengths):,} new tokens after the longest prompt" if lengths else "less than that after a prompt"
    )
    notice(
        f"{name}: {whose} context of {limit:,} tokens leaves {room}, the protocol would allow {max_tokens:,}; an "
        f"answer that needs more is cut and counted as clipped"
    )


def snapshot(name: str, revision: str) -> str:
    """The folder of a hub checkpoint at a revision. ConfigError if the hub does not give it."""
    if Path(name).exists():
        raise ConfigError(f"--revision {revision}: {name} is a folder, which has no revisions; leave the option out.")
    from huggingface_hub import snapshot_download

    patterns = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]
    try:
        return str(snapshot_download(name, revision=revision, allow_patterns=patterns))
    except Exception as error:  # the client raises anything; the user needs a remedy
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ConfigError(
            f"--ckpt {name} --revision {revision}: the hub did not give it ({reason}). Check the names and the network."
        ) from error


@contextmanager
def opened_once(
    spec: EngineSpec, *, first: Callable[[], None], notice: Callable[[str], None]
) -> Iterator[Callable[[], Engine]]:
    """A function that calls `first` and opens the engine at its first call, and returns the same one afterwards."""
    with ExitStack() as stack:
        opened: list[Engine] = []

        def get() -> Engine:
            if not opened:
                first()
                opened.append(stack.enter_context(closing(open_engine(spec, notice=notice))))
            return opened[0]

        yield get
