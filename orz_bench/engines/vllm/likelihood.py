"""How likely given continuations are, by vLLM.

Where all continuations are one token, the context is all that is computed, so it comes from the prefix cache as far as
its neighbours had it; longer ones are read from the log-probabilities of the prompt, which vLLM computes anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from orz_bench.engines.engine import Distinct, LikelihoodRequest, Likelihoods

_QUEUE = 512
"""Prompts that vLLM knows of at once."""
_MAX_TOKEN_IDS = 128
"""Tokens whose log-probability vLLM reports for one prompt."""


@dataclass(slots=True)
class _Pending:
    """A request whose prompts are not all answered."""

    request: LikelihoodRequest
    num_left: int
    found: dict[int, tuple[float, bool]] = field(default_factory=dict)


def loglikelihoods(
    engine: Any, requests: Iterable[LikelihoodRequest], *, step: Callable[[], list[Any]]
) -> Iterator[list[Likelihoods]]:
    """The answers of each engine step, in the order in which they are complete.

    `engine` is an LLMEngine, `step` makes its next step.
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
    """Give vLLM what it has room for; whether anything is under way."""
    while len(pending) < _QUEUE and (request := next(waiting, None)) is not None:
        pending |= _submit(engine, request)
    return bool(pending)


def _submit(engine: Any, request: LikelihoodRequest) -> dict[str, tuple[_Pending, int | None]]:
    """Ask for one token after the context, or for every whole text; {request id: (pending, which continuation)}."""
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
    """Note what a prompt's answer says; the request's answer once it is whole."""
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
