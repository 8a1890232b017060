"""A problem, one sampled completion, its grade, and the three combined: a rollout.

Each record is written once, by the stage that knows its facts (benchmarks write Problem, evaluate() writes Request,
engines write Completion, grading writes Grade), and never filled in later.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Self, get_args

from orz_bench.errors import RecordError, counted

StopReason = Literal["eos", "stop_string", "length", "failed"]
"""Why sampling ended: the model's end token, a stop string of the protocol, the token limit, or no answer."""

Verdict = Literal["correct", "wrong", "no_answer", "unparseable", "timeout", "error"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

Message = Mapping[str, str]
"""One turn of a chat: its "role" and its "content"."""

AnswerKind = Literal["math", "choice", "instruction", "code"]
"""How an answer is compared with the gold: as mathematics, as the letter of an option, by checks of instructions, or by
running a program."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One question of a benchmark."""

    benchmark: str
    problem_id: str
    question: str
    """The text shown by the template, including options."""
    gold: str
    """Bare LaTeX or plain text for mathematics (no dollar signs needed), one capital letter for choices, the checks as
    JSON for instructions, the digest of the tests for programs."""
    kind: AnswerKind
    num_choices: int = 0
    """Options A, B, ... of a choice problem; 0 for the other kinds."""
    examples: str = ""
    """Worked examples of the benchmark, which some templates show before the question; not written into rows."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Subject, level, url and the like: JSON values only."""

    def __post_init__(self) -> None:
        if not self.problem_id:
            raise RecordError(f"a {self.benchmark} problem has an empty id; every problem needs a unique id.")
        # MMLU-Pro has questions with only one option left.
        if self.kind == "choice" and not 1 <= self.num_choices <= 26:
            raise RecordError(
                f"{self.problem_id}: a choice problem has {counted(self.num_choices, 'option')}, wanted 1 to 26."
            )
        for name in ("problem_id", "question", "gold", "examples", "extra"):
            _refuse_half_characters(name, getattr(self, name))


def _refuse_half_characters(name: str, value: Any) -> None:
    """Raise RecordError for half a surrogate pair (half an emoji): JSON can contain it, tokenizers and UTF-8 cannot."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        around = ascii(text[max(0, error.start - 20) : error.end + 5])
        raise RecordError(
            f"{name} contains half a character (a lone surrogate: {around}), wanted whole ones"
        ) from error


def _keep_buffers(record: Any, *names: str) -> None:
    """Make these fields of a new record buffers of numbers, whatever sequences they were given as."""
    given = {name: getattr(record, name) for name in names}
    if all(value is None for value in given.values()):
        return
    from orz_bench.records.arrays import FIELDS, as_numbers

    for name, value in given.items():
        object.__setattr__(record, name, as_numbers(value, FIELDS[name]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What engines have drawn of a sample that is not complete: with other weights they go on from here."""

    token_ids: Sequence[int]
    logprobs: Sequence[float]
    token_versions: Sequence[int]
    """Of the weights that drew each token; see Completion."""

    def __post_init__(self) -> None:
        _keep_buffers(self, "token_ids", "logprobs", "token_versions")
        if not len(self.token_ids) == len(self.logprobs) == len(self.token_versions) > 0:
            raise RecordError(
                f"an unfinished sample has {counted(len(self.token_ids), 'token')}, "
                f"{counted(len(self.logprobs), 'logprob')} and {counted(len(self.token_versions), 'version')}; wanted "
                f"equally many, at least one."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request for one sample."""

    problem: Problem
    sample_index: int
    seed: int
    """A function of (run seed, step, benchmark, problem id, sample index): see orz_bench.seeds."""
    prompt: str
    prompt_token_ids: tuple[int, ...] | None
    """None only if a server tokenises."""
    options: tuple[tuple[int, ...], ...] = ()
    """Token ids of the options, if the most likely one counts instead of a written answer."""
    num_shared: int = 0
    """Leading tokens that the prompt shares with its neighbours: an engine may compute them once."""
    messages: tuple[Message, ...] = ()
    """For a server's chat endpoint: what is sent instead of the prompt, which shows the same to people."""
    drawn: Drawn | None = None
    """What was drawn of the sample before other weights came; None: nothing."""
    max_tokens: int | None = None
    """Limit of new tokens of this request, where it is below that of the sampling settings."""

    def room(self, max_tokens: int) -> int:
        """The limit of new tokens under settings that allow so many."""
        return max_tokens if self.max_tokens is None else min(self.max_tokens, max_tokens)

    @classmethod
    def group(
        cls,
        problem: Problem,
        *,
        prompt: str,
        prompt_token_ids: tuple[int, ...] | None,
        seeds: Iterable[int],
        messages: tuple[Message, ...] = (),
    ) -> list[Self]:
        """The requests for the samples of one problem, one for each seed: sample 0, 1, and so on.

        In an evaluation every sample has a seed of its own (seeds.sample_seed), in training those of a group are
        consecutive (group_seeds of the collector).
        """
        return [
            cls(
                problem=problem,
                sample_index=index,
                seed=seed,
                prompt=prompt,
                prompt_token_ids=prompt_token_ids,
                messages=messages,
            )
            for index, seed in enumerate(seeds)
        ]

    @property
    def key(self) -> tuple[str, int]:
        """(problem id, sample index): unique within one evaluation."""
        return (self.problem.problem_id, self.sample_index)


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """One sampled response, exactly as the engine returned it."""

    problem_id: str
    sample_index: int
    seed: int
    text: str
    """Decoded tokens, with the stop string that ended it but without the end token."""
    num_tokens: int
    stop_reason: StopReason
    token_ids: Sequence[int] | None = None
    """Whatever sequence is given, one buffer of it is kept (arrays.Numbers), as of log-probabilities."""
    logprobs: Sequence[float] | None = None
    """One per token, natural log, under the distribution that the token was sampled from: the policy's at the sampling
    temperature, after top-k and top-p (both renormalise); at temperature 0, that of 1. None from servers."""
    policy_version: int | None = None
    """How many weight updates the engine had received when it drew the first token; None outside training."""
    token_versions: Sequence[int] | None = None
    """The same for each token, where weights may change inside a sample (rollout.partial); None elsewhere."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Further results of the engine, such as the log-likelihood of every option: JSON values only."""

    def __post_init__(self) -> None:
        _keep_buffers(self, "token_ids", "logprobs", "token_versions")
        if self.logprobs is not None and (self.token_ids is None or len(self.token_ids) != len(self.logprobs)):
            num_ids = "no tokens" if self.token_ids is None else counted(len(self.token_ids), "token")
            raise RecordError(f"the completion has {num_ids} but {counted(len(self.logprobs), 'logprob')}.")

    @property
    def key(self) -> tuple[str, int]:
        """(problem id, sample index): unique within one evaluation."""
        return (self.problem_id, self.sample_index)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """The verdict on one response, with its reason; a missing answer is a verdict with a reason, never a zero."""

    verdict: Verdict
    why: str
    extracted: str | None
    """The answer found by the protocol's extractor, or None."""
    second_extractor: str
    second_extracted: str | None
    second_verdict: Verdict
    """The verdict with a second extractor: a difference between the two shows an effect of format."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Details of the verdict, such as that on each instruction: JSON values only."""

    @property
    def is_correct(self) -> bool:
        """Whether the verdict is correct."""
        return self.verdict == "correct"

    def columns(self) -> dict[str, Any]:
        """The fields that a rollout has under the same names: all but `extra`, which it joins with others."""
        return {each.name: getattr(self, each.name) for each in fields(self) if each.name != "extra"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """One row of the run directory: a problem with its completion and grade. Unknown values are None, never guessed."""

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
    prompt_token_ids: Sequence[int] | None = None
    token_ids: Sequence[int] | None = None
    logprobs: Sequence[float] | None = None
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
    token_versions: Sequence[int] | None = None
    """Only with rollout.partial, like the column."""
    entropies: Sequence[float] | None = None
    """One per token: of the trained policy's distribution at its place, in nats, before the first update that used the
    token (arrays.entropies); None outside training, and without rollouts.entropies."""

    def __post_init__(self) -> None:
        _keep_buffers(self, "prompt_token_ids", "token_ids", "logprobs", "token_versions", "entropies")

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
        """Join the results of the three stages. Token ids and logprobs are large: `keep_tokens` decides."""
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
            token_versions=completion.token_versions if keep_tokens else None,
            num_tokens=completion.num_tokens,
            stop_reason=completion.stop_reason,
            grader_version=grader_version,
            **grade.columns(),
            extra={**problem.extra, **_turns(request), **completion.extra, **grade.extra},
        )

    @property
    def key(self) -> tuple[str, int]:
        """(problem id, sample index): unique within one evaluation."""
        return (self.problem_id, self.sample_index)

    @property
    def versions(self) -> dict[int | None, int]:
        """Policy version -> the number of tokens that it drew."""
        if self.token_versions is None:
            return {self.policy_version: self.num_tokens}
        from orz_bench.records.arrays import counts

        return dict(counts(self.token_versions).items())


def _turns(request: Request) -> dict[str, Any]:
    """The messages, where there are more than the one that the prompt is."""
    return {"messages": [dict(message) for message in request.messages]} if len(request.messages) > 1 else {}
