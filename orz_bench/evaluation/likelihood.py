"""Questions answered by the most likely option: requests to an engine, and its answers as completions."""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence
from dataclasses import replace

from orz_bench.engines.engine import Engine, LikelihoodEngine, LikelihoodRequest, Likelihoods, Tokenizer
from orz_bench.engines.shared_tokens import shared_lengths
from orz_bench.errors import ConfigError, EngineError
from orz_bench.records.rollout import Completion, Request


def with_options(requests: Sequence[Request], tokenizer: Tokenizer | None) -> list[Request]:
    """The requests with the tokens of a space and each letter, and with how many tokens neighbours share.

    The shared length depends on all requests, so pass all of them. ConfigError without a tokenizer.
    """
    if tokenizer is None:
        raise ConfigError("likelihoods need the checkpoint's tokenizer; use --engine vllm or transformers.")
    encoder = _ContinuationEncoder(tokenizer)
    shared = shared_lengths([request.prompt_token_ids or () for request in requests])
    return [
        replace(
            request,
            options=tuple(encoder.encode(request.prompt, f" {letter}") for letter in _letters(request)),
            num_shared=num_shared,
        )
        for request, num_shared in zip(requests, shared, strict=True)
    ]


def most_likely(engine: Engine, requests: Sequence[Request]) -> Iterator[list[Completion]]:
    """The most likely option of every request, as engines yield completions. EngineError if the engine cannot."""
    if not isinstance(engine, LikelihoodEngine):
        raise EngineError(f"{type(engine).__name__} computes no log-likelihoods; use --engine vllm or transformers.")
    by_key = {request.key: request for request in requests}
    asked = (LikelihoodRequest.of(request) for request in requests)
    for answers in engine.loglikelihood(asked):
        yield [_completion(by_key[answer.key], answer) for answer in answers]


def _letters(request: Request) -> str:
    return string.ascii_uppercase[: request.problem.num_choices]


def _completion(request: Request, answer: Likelihoods) -> Completion:
    """The most likely option as a written answer; the first of equal ones, as in lm-eval."""
    letters = _letters(request)
    best = max(range(len(letters)), key=lambda place: answer.logprobs[place])
    return Completion(
        problem_id=request.problem.problem_id,
        sample_index=request.sample_index,
        seed=request.seed,
        text=f" {letters[best]}",
        num_tokens=len(request.options[best]),
        stop_reason="eos",
        extra={"loglikelihoods": dict(zip(letters, answer.logprobs, strict=True))},
    )


class _ContinuationEncoder:
    """Tokens of a continuation where it follows a text: those that the two together have after the text's own.

    What follows depends on the last line of the text only, so that is what is tokenised, once a line.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._known: dict[tuple[str, str], tuple[int, ...]] = {}

    def encode(self, text: str, continuation: str) -> tuple[int, ...]:
        line = text[max(0, text.rfind("\n")) :]
        if (line, continuation) not in self._known:
            whole = self._tokenizer.encode(line + continuation)
            self._known[line, continuation] = whole[len(self._tokenizer.encode(line)) :]
        return self._known[line, continuation]
