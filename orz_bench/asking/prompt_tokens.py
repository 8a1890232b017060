"""Prompts as text and as token ids, the same in training and evaluation.

Worked examples that many prompts share are tokenised once. Where a question, its examples or a system prompt spell a
control token, such as <|im_end|>, that part is encoded as text and only the template's own tokens as control tokens.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from orz_bench.asking.templates import Template
from orz_bench.engines.engine import Tokenizer
from orz_bench.engines.tokenizer import CheckpointTokenizer
from orz_bench.errors import ConfigError
from orz_bench.records.rollout import Problem

_MARK = "\ue0f0{}\ue0f1"
"""Placeholder for a text in a rendered prompt: private-use characters, which no template contains."""


@dataclass(frozen=True, slots=True)
class RenderedPrompt:
    """A prompt as the model sees it."""

    text: str
    token_ids: tuple[int, ...] | None
    """None without a tokenizer."""


def render_prompts(
    problems: Sequence[Problem], template: Template, *, tokenizer: Tokenizer | None
) -> list[RenderedPrompt]:
    """Every problem's prompt. ConfigError if a text spells a control token and is inseparable from the template."""
    texts = [template(problem, tokenizer) for problem in problems]
    ids = encode_prompts(texts, [problem.examples for problem in problems], tokenizer=tokenizer)
    prompts = [RenderedPrompt(text, found) for text, found in zip(texts, ids, strict=True)]
    if not isinstance(tokenizer, CheckpointTokenizer):
        return prompts
    return [
        RenderedPrompt(
            prompt.text, tokenizer.encode_pieces(_pieces(problem, prompt.text, template=template, tokenizer=tokenizer))
        )
        if any(map(tokenizer.spells_control, _given(problem, tokenizer)))
        else prompt
        for problem, prompt in zip(problems, prompts, strict=True)
    ]


def _given(problem: Problem, tokenizer: CheckpointTokenizer) -> tuple[str, ...]:
    """The texts of a prompt that are not part of the template."""
    starter = problem.extra.get("starter_code")
    return (problem.question, problem.examples, starter if isinstance(starter, str) else "", tokenizer.system or "")


def _pieces(
    problem: Problem, text: str, *, template: Template, tokenizer: CheckpointTokenizer
) -> list[tuple[str, bool]]:
    """The prompt in pieces: (text, True if it is not part of the template)."""
    given = _given(problem, tokenizer)
    marks = [_MARK.format(number) if some else "" for number, some in enumerate(given)]
    extra = dict(problem.extra) | ({"starter_code": marks[2]} if marks[2] else {})
    shape = template(
        replace(problem, question=marks[0], examples=marks[1], extra=extra),
        tokenizer.with_system(marks[3]) if marks[3] else tokenizer,
    )
    parts = re.split(f"({'|'.join(map(re.escape, filter(None, marks)))})", shape)
    for texts in (given, [some.strip() for some in given]):
        by_mark = dict(zip(marks, texts, strict=True))
        pieces = [(by_mark.get(part, part), part in by_mark) for part in parts if part]
        if "".join(piece for piece, _ in pieces) == text:
            return pieces
    raise ConfigError(
        f"{problem.problem_id}: its text spells a control token, and the template changes texts, so that the two can't "
        f"be separated; use --template orz-code, plain or few-shot, or leave the question out."
    )


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
