"""A problem, one sampled completion of it, its grade, and the three together: a rollout.

These are facts: written once, by the stage that knows them (benchmarks write Problem, evaluate() writes Request,
engines write Completion, grading writes Grade), and never filled in later.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args

from orz_bench.errors import RecordError

StopReason = Literal["eos", "stop_string", "length", "failed"]
"""Why sampling ended: the model's end token, one of the protocol's stop strings, the token limit, or no answer."""

Verdict = Literal["correct", "wrong", "no_answer", "unparseable", "timeout", "error"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

AnswerKind = Literal["math", "choice", "instruction", "code"]
"""How a gold and an answer are compared: as mathematics, as the letter of an option, by checks of what was asked, or by
running a program."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One question of a benchmark."""

    benchmark: str
    problem_id: str
    question: str
    """The text that the template shows, options included."""
    gold: str
    """Bare LaTeX or plain text for mathematics (no dollar signs needed), one capital letter for choices, the checks as
    JSON for instructions, the digest of the tests for programs."""
    kind: AnswerKind
    num_choices: int = 0
    """Options A, B, ... of a choice problem; 0 for the other kinds."""
    examples: str = ""
    """What a template with the benchmark's own worked examples shows before the question; not written into rows."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Subject, level, url and the like: JSON values only."""

    def __post_init__(self) -> None:
        if not self.problem_id:
            raise RecordError(f"a {self.benchmark} problem has an empty id; every problem needs its own id.")
        # MMLU-Pro has questions that are left with one option.
        if self.kind == "choice" and not 1 <= self.num_choices <= 26:
            raise RecordError(f"{self.problem_id}: a choice problem has {self.num_choices} options, wanted 1 to 26.")
        for name in ("problem_id", "question", "gold", "examples", "extra"):
            _refuse_half_characters(name, getattr(self, name))


def _refuse_half_characters(name: str, value: Any) -> None:
    """JSON can hold half of a surrogate pair (half an emoji); no tokenizer and no UTF-8 file can."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        around = ascii(text[max(0, error.start - 20) : error.end + 5])
        raise RecordError(f"{name} holds half a character (a lone surrogate: {around}), wanted whole ones") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One sample that an engine is asked to draw."""

    problem: Problem
    sample_index: int
    seed: int
    """A function of (run seed, step, benchmark, problem id, sample index): see orz_bench.seeds."""
    prompt: str
    prompt_token_ids: tuple[int, ...] | None
    """None only for an engine that tokenises on a server."""
    options: tuple[tuple[int, ...], ...] = ()
    """Token ids of the options, where the most likely one counts instead of a written answer."""
    num_shared: int = 0
    """First tokens that the prompt has in common with those of its neighbours: an engine may compute them once."""

    @property
    def key(self) -> tuple[str, int]:
        """(problem id, sample index): unique within one evaluation."""
        return (self.problem.problem_id, self.sample_index)


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """One sampled answer, exactly as the engine returned it."""

    problem_id: str
    sample_index: int
    seed: int
    text: str
    """Decoded tokens; the stop string that ended it is kept, the end token is not."""
    num_tokens: int
    stop_reason: StopReason
    token_ids: tuple[int, ...] | None = None
    logprobs: tuple[float, ...] | None = None
    """One per token, natural log, under the distribution that the token was drawn from: the policy's at the sampling
    temperature, after top-k and top-p (both renormalise); at temperature 0 that of temperature 1. A server: None."""
    policy_version: int | None = None
    """How many weight updates the engine had received; None outside training."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """What else the engine found, such as the log-likelihood of every option: JSON values only."""

    def __post_init__(self) -> None:
        if self.logprobs is not None and (self.token_ids is None or len(self.token_ids) != len(self.logprobs)):
            num_ids = "no" if self.token_ids is None else len(self.token_ids)
            raise RecordError(f"completion has {num_ids} tokens but {len(self.logprobs)} logprobs.")

    @property
    def key(self) -> tuple[str, int]:
        """(problem id, sample index): unique within one evaluation."""
        return (self.problem_id, self.sample_index)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """What became of one answer, and why; a missing answer is a verdict with a reason, never a zero."""

    verdict: Verdict
    why: str
    extracted: str | None
    """The answer that the protocol's extractor found; None when it found none."""
    second_extractor: str
    second_extracted: str | None
    second_verdict: Verdict
    """The same response under a second extractor: a format effect shows as a difference between the two."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """The parts of the verdict, such as each instruction's: JSON values only."""

    @property
    def is_correct(self) -> bool:
        """Whether the verdict is correct."""
        return self.verdict == "correct"

    def columns(self) -> dict[str, Any]:
        """The fields that a rollout has under the same names: all but `extra`, which it joins with others."""
        return {each.name: getattr(self, each.name) for each in fields(self) if each.name != "extra"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """One row of the run directory: a problem with its completion and grade. Unknown is None, never guessed."""

    benchmark: str
    problem_id: str
    question: str
    gold: str
    sample_index: int
    seed: int
    step: int
    policy_version: int | None = None
    prompt: str
    completion: str
    prompt_token_ids: tuple[int, ...] | None = None
    token_ids: tuple[int, ...] | None = None
    logprobs: tuple[float, ...] | None = None
    num_tokens: int
    stop_reason: StopReason
    extracted: str | None
    verdict: Verdict
    why: str
    second_extractor: str
    second_extracted: str | None
    second_verdict: Verdict
    reward: float | None = None
    advantage: float | None = None
    value: float | None = None
    grader_version: str
    extra: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_parts(
        cls,
        *,
        request: Request,
        completion: Completion,
        grade: Grade,
        step: int,
        grader_version: str,
        keep_tokens: bool,
    ) -> Rollout:
        """Join what the three stages found. Token ids and logprobs are large: `keep_tokens` decides."""
        problem = request.problem
        return cls(
            benchmark=problem.benchmark,
            problem_id=problem.problem_id,
            question=problem.question,
            gold=problem.gold,
            sample_index=completion.sample_index,
            seed=completion.seed,
            step=step,
            policy_version=completion.policy_version,
            prompt=request.prompt,
            completion=completion.text,
            prompt_token_ids=request.prompt_token_ids if keep_tokens else None,
            token_ids=completion.token_ids if keep_tokens else None,
            logprobs=completion.logprobs if keep_tokens else None,
            num_tokens=completion.num_tokens,
            stop_reason=completion.stop_reason,
            grader_version=grader_version,
            **grade.columns(),
            extra={**problem.extra, **completion.extra, **grade.extra},
        )

    @property
    def key(self) -> tuple[str, int]:
        """(problem id, sample index): unique within one evaluation."""
        return (self.problem_id, self.sample_index)
