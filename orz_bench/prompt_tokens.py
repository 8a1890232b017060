"""Token ids of many prompts that begin with the same worked examples: those are tokenised once."""

from __future__ import annotations

from collections.abc import Sequence

from orz_bench.engines.engine import Tokenizer


def encode_prompts(
    prompts: Sequence[str], examples: Sequence[str], *, tokenizer: Tokenizer | None
) -> list[tuple[int, ...] | None]:
    """The ids of every prompt; None without a tokenizer. `examples`: what is in each prompt before the question, or "".

    A prompt is cut in front of the white space that ends its examples, where no usual tokenizer joins anything. Whether
    this one does is checked on the first and the last prompt with those examples; then all of them are tokenised whole.
    """
    if tokenizer is None:
        return [None] * len(prompts)
    cuts = [_cut(prompt, shown) for prompt, shown in zip(prompts, examples, strict=True)]
    first = {head: at for at, (head, _) in reversed(list(enumerate(cuts)))}
    last = {head: at for at, (head, _) in enumerate(cuts)}
    heads = {head: tokenizer.encode(head) for head in first if head}
    safe = {
        head: ids
        for head, ids in heads.items()
        if all(ids + tokenizer.encode(cuts[at][1]) == tokenizer.encode(prompts[at]) for at in (first[head], last[head]))
    }
    return [
        safe[head] + tokenizer.encode(tail) if head in safe else tokenizer.encode(head + tail) for head, tail in cuts
    ]


def _cut(prompt: str, examples: str) -> tuple[str, str]:
    """(up to the last visible character of the examples, the rest)."""
    at = prompt.find(examples) + len(examples.rstrip()) if examples else 0
    return prompt[:at], prompt[at:]
