"""Answers in the student's tokens, checked against their texts; and whether two models have one vocabulary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from orz_bench.asking.prompt_tokens import render_prompts
from orz_bench.asking.templates import TEMPLATES
from orz_bench.engines.engine import EngineSpec, Tokenizer
from orz_bench.engines.tokenizer import load_tokenizer
from orz_bench.environment import set_library_defaults
from orz_bench.errors import ConfigError, DataError, counted
from orz_bench.models.limits import ModelConfig
from orz_bench.models.transformers_imports import leave_out_unused
from orz_bench.records.arrays import token_ids
from orz_bench.records.rollout import Problem
from orz_bench.valuing.tokens import RolloutTokens
from orz_rl.curation.answers.source import Answer


@dataclass(slots=True)
class StudentTokens:
    """The tokens of answers as the student reads them. Texts without token ids are tokenised again, and counted."""

    checkpoint: str
    template: str
    """Of prompts, for answers that have only a question."""
    where: str
    """The answers, for messages."""
    num_tokenised: int = 0
    max_tokens: int | None = None
    _tokens: RolloutTokens = field(init=False)
    _renderer: Tokenizer | None = None
    _tokenizer: Any = field(init=False)

    def __post_init__(self) -> None:
        """Load the tokenizer. ConfigError if it does not load."""
        self._tokenizer = _loaded(self.checkpoint)
        self._tokens = RolloutTokens(self, where=self.where, reader="student")

    @property
    def tokenizer(self) -> Any:
        """Of Hugging Face."""
        return self._tokenizer

    @property
    def vocabulary(self) -> int:
        """The number of token ids that the student knows."""
        path = Path(self.checkpoint) / "config.json"
        rows = ModelConfig(path).vocabulary if path.is_file() else None
        return rows or len(self._tokenizer)

    def of(self, answer: Answer) -> Answer:
        """The answer with token ids. DataError if its ids, or those of its text, do not spell the stored text."""
        row = answer.rollout
        if not row.prompt:
            row = replace(row, prompt=self._prompt(answer))
        facts = {name: getattr(row, name) for name in ("problem_id", "sample_index", "prompt", "completion")}
        facts |= {"num_tokens": row.num_tokens, "stop_reason": row.stop_reason}
        found = self._tokens.of(facts | {"token_ids": row.token_ids, "prompt_token_ids": row.prompt_token_ids})
        self.num_tokenised += found.was_tokenised
        return replace(
            answer,
            rollout=replace(
                row,
                prompt_token_ids=token_ids(found.prompt),
                token_ids=found.response,
                num_tokens=len(found.response),
                logprobs=None if found.was_tokenised else row.logprobs,
            ),
        )

    def _prompt(self, answer: Answer) -> str:
        row = answer.rollout
        if not row.question:
            raise DataError(
                f"{self.where}: {row.problem_id} has neither a prompt nor a question; add a column question."
            )
        problem = Problem(
            benchmark=row.benchmark, problem_id=row.problem_id, question=row.question, gold=row.gold, kind="math"
        )
        if self._renderer is None:
            self._renderer = load_tokenizer(EngineSpec(name="transformers", checkpoint=self.checkpoint))
        return render_prompts([problem], TEMPLATES[self.template], tokenizer=self._renderer)[0].text


def require_same_vocabulary(*, student: str, teacher: str) -> None:
    """Raise ConfigError unless every token id means the same to both: a teacher scores the student's token ids."""
    difference = vocabulary_difference(student, teacher, names=("student", "teacher"))
    if difference is None:
        return
    raise ConfigError(
        f"distill.teacher={teacher} has another vocabulary than the student {student}: {difference} A teacher scores "
        f"the student's token ids: use one of the same tokenizer, or distil its answers as text "
        f"(orz-rl distill --from)."
    )


def vocabulary_difference(model: str, reader: str, *, names: tuple[str, str] = ("policy", "critic")) -> str | None:
    """How the vocabulary of what reads a model's token ids differs from its own, as a sentence; None: it does not."""
    ours, theirs = (_by_id(_loaded(checkpoint)) for checkpoint in (model, reader))
    if ours == theirs:
        return None
    first = min(number for number in ours.keys() | theirs.keys() if ours.get(number) != theirs.get(number))
    meanings = [f"{found[first]!r}" if first in found else "no token" for found in (ours, theirs)]
    return (
        f"{counted(len(theirs), 'token')}, wanted the same {len(ours):,}; token id {first} is {meanings[1]} to the "
        f"{names[1]} and {meanings[0]} to the {names[0]}."
    )


def _by_id(tokenizer: Any) -> Mapping[int, str]:
    return {number: token for token, number in tokenizer.get_vocab().items()}


def _loaded(checkpoint: str) -> Any:
    set_library_defaults()
    leave_out_unused()
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(checkpoint)
    except Exception as error:  # whatever the library raises, the message must name the folder
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise ConfigError(
            f"{checkpoint}: its tokenizer does not load ({reason}); save the checkpoint again."
        ) from error
