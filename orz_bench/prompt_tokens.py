"""Token ids of many prompts that begin with the same worked examples: those are tokenised once."""

from __future__ import annotations

from collections.abc import Sequence

from orz_bench.engines.engine import Tokenizer


def encode_prompts(
    prompts: Sequence[str], examples: Sequence[str], *, tokenizer: Tokenizer | None
) -> list[tuple[int, ...] | None]:
    """The ids of every prompt; None without a tokenizer. `examples`: what is in each prompt before the question, or "".

    A prompt is cut in front of the white space that ends its examples, where no usual tokenizer joins anything. Whether this
    one does is checked on the first and the last prompt with those examples; then all of them are tokenised whole.
    """
    if tokenizer is None:
        return [None] * len(prompts)
    cuts = [_cut(prompt, shown) for prompt, shown in zip(prompts, examples, strict=True)]
    heads: dict[str, tuple[int, ...] | None] = {}
    for order in (range(len(prompts)), range(len(prompts) - 1, -1, -1)):
        checked: set[str] = set()
        for at in order:
            head, tail = cuts[at]
            if head and head not in checked and heads.get(head, ()) is not None:
                checked.add(head)
                ids = tokenizer.encode(head)
                heads[head] = ids if ids + tokenizer.encode(tail) == tokenizer.encode(prompts[at]) else None
    return [_joined(heads.get(head), head + tail, tail, tokenizer=tokenizer) for head, tail in cuts]


def _cut(prompt: str, examples: str) -> tuple[str, str]:
    """(up to the last visible character of the examples, the rest)."""
    at = prompt.find(examples) + len(examples.rstrip()) if examples else 0
    return prompt[:at], prompt[at:]


def _joined(head: tuple[int, ...] | None, prompt: str, tail: str, *, tokenizer: Tokenizer) -> tuple[int, ...]:
    return tokenizer.encode(prompt) if head is None else head + tokenizer.encode(tail)
