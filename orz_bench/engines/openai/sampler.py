"""What is sent to each endpoint for a sample, and the answers read: completions and chat."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

import openai

from orz_bench.engines.engine import EngineSpec, Sampling, ServerFacts
from orz_bench.engines.openai.answers import Answer, BadAnswerError, read_answer
from orz_bench.engines.openai.asked import NEUTRAL
from orz_bench.engines.openai.asked_chat import template_variables
from orz_bench.engines.openai.chat_answers import read_chat_answers
from orz_bench.errors import EngineError
from orz_bench.records.rollout import Request

_PENALTIES = ("presence_penalty", "frequency_penalty")
_TEMPLATE_BYTES = 2048
"""More than any usual chat template adds to its messages."""


class Sampler(Protocol):
    """Requests samples from the server and reads its answers."""

    async def sample(self, requests: Sequence[Request], client: openai.AsyncOpenAI) -> list[Answer]:
        """An answer to each of the requests, which have the same prompt.

        Raises BadAnswerError or the client's exceptions if there is none.
        """
        ...


def open_sampler(spec: EngineSpec, facts: ServerFacts, *, sampling: Sampling) -> Sampler:
    """The sampler of the server's endpoint."""
    kind = ChatSampler if facts.endpoint == "chat" else CompletionsSampler
    return kind(spec, facts, sampling)


class _EndpointSampler(ABC):
    """What both endpoints have: room in the server's context, and a model that stays the same."""

    def __init__(self, spec: EngineSpec, facts: ServerFacts, sampling: Sampling) -> None:
        self.facts, self._sampling = facts, sampling
        self._limit = spec.max_model_len or facts.max_model_len
        self._extra = {name: getattr(sampling, name, NEUTRAL[name]) for name in facts.fields}
        self._lengths: dict[str, int] = {}
        self._counting: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @abstractmethod
    async def _send(
        self, requests: Sequence[Request], client: openai.AsyncOpenAI, *, max_tokens: int
    ) -> Sequence[Answer]: ...

    @abstractmethod
    def _most_tokens(self, request: Request) -> int:
        """A prompt has at most so many tokens."""

    def _check_model(self, answer: Answer) -> None:
        if answer.model != self.facts.answers_as and answer.model and self.facts.answers_as:
            raise EngineError(
                f"{self.facts.base_url}: the server now answers as {answer.model}, before as {self.facts.answers_as}: "
                f"a different model was loaded. Finished samples are kept; evaluate this one into a new folder (--out)."
            )

    async def _room(self, request: Request, client: openai.AsyncOpenAI) -> int:
        """Limit of new tokens: what the server's context leaves, at most the protocol's limit."""
        wanted = request.room(self._sampling.max_tokens)
        if self._limit is None or self._most_tokens(request) + wanted <= self._limit:
            return wanted
        length = len(request.prompt_token_ids or ()) or await self._length(request, client)
        if length >= self._limit:
            raise BadAnswerError(
                f"the prompt's {length:,} tokens do not fit the server's context of {self._limit:,}", "refused"
            )
        return min(wanted, self._limit - length)

    async def _length(self, request: Request, client: openai.AsyncOpenAI) -> int:
        """The number of tokens of a prompt, counted by the server: asked once, for all samples of a question."""
        async with self._counting[request.prompt]:
            if request.prompt not in self._lengths:
                (answer,) = await self._send([request], client, max_tokens=1)
                self._lengths[request.prompt] = answer.num_prompt_tokens or 0
        return self._lengths[request.prompt]


class CompletionsSampler(_EndpointSampler):
    """A prompt as text or token ids; one request per sample."""

    def __init__(self, spec: EngineSpec, facts: ServerFacts, sampling: Sampling) -> None:
        super().__init__(spec, facts, sampling)
        self._standard: dict[str, Any] = {
            "model": spec.checkpoint,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "stop": list(sampling.stop) or None,
        }
        self._standard |= {name: value for name in _PENALTIES if (value := getattr(sampling, name))}

    async def sample(self, requests: Sequence[Request], client: openai.AsyncOpenAI) -> list[Answer]:
        """The answer to the one request."""
        (request,) = requests
        room = await self._room(request, client)
        (answer,) = await self._send(requests, client, max_tokens=room)
        self._check_model(answer)
        return [replace(answer, num_tokens=min(answer.num_tokens, room))]

    async def _send(
        self, requests: Sequence[Request], client: openai.AsyncOpenAI, *, max_tokens: int
    ) -> Sequence[Answer]:
        (request,) = requests
        takes_ids = self.facts.takes_token_ids and request.prompt_token_ids is not None
        found = await client.completions.with_raw_response.create(
            **self._standard,
            prompt=list(request.prompt_token_ids or ()) if takes_ids else request.prompt,
            max_tokens=max_tokens,
            seed=request.seed,
            extra_body=self._extra or None,
        )
        return [read_answer(found.text, stop=self._sampling.stop, stop_strings=self.facts.stop_strings)]

    def _most_tokens(self, request: Request) -> int:
        return len(request.prompt.encode()) + 2  # no text has more tokens than bytes


class ChatSampler(_EndpointSampler):
    """Messages; one request per sample, or several samples where the user says so."""

    def __init__(self, spec: EngineSpec, facts: ServerFacts, sampling: Sampling) -> None:
        super().__init__(spec, facts, sampling)
        standard: dict[str, Any] = {"temperature": sampling.temperature, "top_p": sampling.top_p}
        standard |= {"stop": list(sampling.stop)} if sampling.stop else {}
        standard |= {name: value for name in _PENALTIES if (value := getattr(sampling, name))}
        self._standard = {name: value for name, value in standard.items() if name not in facts.refused}
        self._standard |= {"model": spec.checkpoint}
        self._extra |= template_variables(spec)

    async def sample(self, requests: Sequence[Request], client: openai.AsyncOpenAI) -> list[Answer]:
        """One answer a request."""
        room = await self._room(requests[0], client)
        answers = await self._send(requests, client, max_tokens=room)
        self._check_model(answers[0])
        return list(answers)

    async def _send(
        self, requests: Sequence[Request], client: openai.AsyncOpenAI, *, max_tokens: int
    ) -> Sequence[Answer]:
        num = len(requests)
        body: dict[str, Any] = self._standard | {self.facts.limit_as: max_tokens}
        body |= {"seed": requests[0].seed} if "seed" not in self.facts.refused else {}
        extra = self._extra | (_of_each(num, self.facts) if num > 1 else {})
        found = await client.chat.completions.with_raw_response.create(
            **body,
            messages=[dict(message) for message in requests[0].messages],
            extra_body=extra or None,
        )
        answers = read_chat_answers(found.text, num=num, stop=self._sampling.stop, stop_strings=self.facts.stop_strings)
        if num == 1:
            return answers
        shared = {"choices": num, "request_seed": requests[0].seed}
        return [replace(answer, extra={**answer.extra, **shared, "choice": at}) for at, answer in enumerate(answers)]

    def _most_tokens(self, request: Request) -> int:
        written = sum(len(message["content"].encode()) for message in request.messages)
        return written + _TEMPLATE_BYTES


def _of_each(num: int, facts: ServerFacts) -> dict[str, Any]:
    """The settings of a request for several samples whose tokens are to be counted one by one."""
    return {"n": num} | ({"return_token_ids": True} if facts.counts_by == "token_ids" else {"logprobs": True})
