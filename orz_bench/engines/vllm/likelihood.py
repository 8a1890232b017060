"""Log-likelihoods of given continuations, with vLLM.

If all continuations have one token, only the context is computed, with the prefix cache for what it shares with its
neighbours; longer ones are read from the log-probabilities of the prompt, which vLLM recomputes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from orz_bench.engines.distinct import Distinct
from orz_bench.engines.engine import LikelihoodRequest, Likelihoods

_QUEUE = 512
"""Prompts held by vLLM at once."""
_MAX_TOKEN_IDS = 128
"""Maximum number of tokens whose log-probabilities vLLM returns for one prompt."""


@dataclass(slots=True)
class _Pending:
    """A request with unanswered prompts."""

    request: LikelihoodRequest
    num_left: int
    found: dict[int, tuple[float, bool]] = field(default_factory=dict)


def loglikelihoods(
    engine: Any, requests: Iterable[LikelihoodRequest], *, step: Callable[[], list[Any]]
) -> Iterator[list[Likelihoods]]:
    """The answers of each engine step, in the order of completion.

    `engine`: an LLMEngine. `step`: runs its next step.
    """
    waiting = Distinct(requests)
    pending: dict[str, tuple[_Pending, int | None]] = {}
    try:
        while _fill(pending, waiting, engine=engine):
            complete = [
                done for output in step() if output.finished and (done := _take(output, pending.pop(output.request_id)))
            ]
            if complete:
                yield complete
    finally:
        if pending:
            engine.abort_request(list(pending))


def _fill(
    pending: dict[str, tuple[_Pending, int | None]], waiting: Iterator[LikelihoodRequest], *, engine: Any
) -> bool:
    """Submit as many requests as fit. Returns whether any are pending."""
    while len(pending) < _QUEUE and (request := next(waiting, None)) is not None:
        pending |= _submit(engine, request)
    return bool(pending)


def _submit(engine: Any, request: LikelihoodRequest) -> dict[str, tuple[_Pending, int | None]]:
    """Request one token after the context, or each whole text. Returns {request id: (pending, continuation index)}."""
    from vllm import SamplingParams

    name = "\x1f".join(map(str, request.key))
    single = {tokens[0] for tokens in request.continuations}
    if all(len(tokens) == 1 for tokens in request.continuations) and len(single) <= _MAX_TOKEN_IDS:
        parameters = SamplingParams(temperature=0, max_tokens=1, logprob_token_ids=sorted(single), detokenize=False)
        engine.add_request(name, {"prompt_token_ids": list(request.context)}, parameters)
        return {name: (_Pending(request, 1), None)}
    pending = _Pending(request, len(request.continuations))
    for place, tokens in enumerate(request.continuations):
        parameters = SamplingParams(temperature=0, max_tokens=1, prompt_logprobs=0, detokenize=False)
        engine.add_request(f"{name}\x1f{place}", {"prompt_token_ids": [*request.context, *tokens]}, parameters)
    return {f"{name}\x1f{place}": (pending, place) for place in range(pending.num_left)}


def _take(output: Any, asked: tuple[_Pending, int | None]) -> Likelihoods | None:
    """Record a prompt's answer. Returns the request's answer once it is complete."""
    pending, place = asked
    request = pending.request
    pending.num_left -= 1
    if place is None:
        (sample,) = output.outputs
        logprobs = sample.logprobs[0]
        for number, (token,) in enumerate(request.continuations):
            pending.found[number] = (logprobs[token].logprob, sample.token_ids[0] == token)
    else:
        tokens = request.continuations[place]
        read = [at[token] for at, token in zip(output.prompt_logprobs[-len(tokens) :], tokens, strict=True)]
        pending.found[place] = (sum(one.logprob for one in read), all(one.rank == 1 for one in read))
    if pending.num_left:
        return None
    answers = [pending.found[number] for number in range(len(request.continuations))]
    return Likelihoods(
        key=request.key,
        logprobs=tuple(logprob for logprob, _ in answers),
        is_greedy=tuple(is_greedy for _, is_greedy in answers),
    )
