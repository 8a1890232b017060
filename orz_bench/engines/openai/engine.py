"""Any OpenAI-compatible server, such as vLLM's, through its completions endpoint: one request per sample.

Each request has its seed, and its prompt as token ids if the server reads them as the same text, otherwise as text.
Transient failures (429, 5xx, a lost connection, a missing or unfinished answer) are retried and reported; samples
without an answer are listed at the end.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import openai

from orz_bench.engines.engine import Distinct, EngineSpec, Notice, Sampling, ServerFacts
from orz_bench.engines.openai.answers import FATAL, RETRIED, Answer, BadAnswerError, read_answer, trouble_of
from orz_bench.engines.openai.probe import NEUTRAL, ask_server, client_of, explain, pause_s, refuse_unmet
from orz_bench.engines.server_address import read_address
from orz_bench.engines.settings import ServerSettings
from orz_bench.errors import EngineError, counted
from orz_bench.records.rollout import Completion, Request

_FAILURES_IN_A_ROW = 20
"""Consecutive samples without an answer after which the run ends."""
_SILENCE_S = 60.0
_LINE_EVERY_S = 10.0
_NAMED = 5

_Arrived = queue.Queue[Completion | BaseException | None]


class OpenAIServerEngine:
    """A client of one server, with a bounded number of requests in flight."""

    def __init__(self, spec: EngineSpec, *, notice: Notice | None = None) -> None:
        self._spec, self._settings = spec, ServerSettings.of(spec.settings)
        self._notice = notice or (lambda _: None)
        self._facts = spec.server or ask_server(spec, notice=self._notice)
        address = read_address(self._settings.base_url)
        self._address = address.below("/v1") if self._facts.base_url == address.below("/v1").shown else address

    def generate(self, requests: Iterable[Request], sampling: Sampling) -> Iterator[list[Completion]]:
        """One completion per list, as answers arrive. EngineError at the end if samples have no answer."""
        refuse_unmet(self._facts, sampling)
        arrived: _Arrived = queue.Queue()
        generation = _Generation(self._settings, self._client, notice=self._notice, shown=self._address.shown)
        sampler = _Sampler(self._spec, self._facts, sampling)
        loop = asyncio.new_event_loop()
        task: list[asyncio.Task[None]] = []

        def work() -> None:
            asyncio.set_event_loop(loop)
            task.append(loop.create_task(generation.generate_all(requests, sampler, arrived=arrived)))
            try:
                loop.run_until_complete(task[0])
            except asyncio.CancelledError:
                pass
            except BaseException as error:  # passed to the caller's thread
                arrived.put(error)
            finally:
                arrived.put(None)
                loop.close()

        thread = threading.Thread(target=work, name="orz-openai", daemon=True)
        thread.start()
        try:
            while (item := self._next(arrived)) is not None:
                if isinstance(item, BaseException):
                    raise self._explain(item) from item
                yield [item]
        finally:
            if task and not loop.is_closed():
                loop.call_soon_threadsafe(task[0].cancel)
            thread.join()
        generation.report()

    def close(self) -> None:
        """Nothing: connections are closed after each generate()."""

    def _client(self) -> openai.AsyncOpenAI:
        client: openai.AsyncOpenAI = client_of(
            openai.AsyncOpenAI, self._address, timeout_s=self._settings.request_timeout_s
        )
        return client

    def _next(self, arrived: _Arrived) -> Completion | BaseException | None:
        """The next completion or error; a long wait is reported."""
        start = time.monotonic()
        while True:
            try:
                return arrived.get(timeout=_SILENCE_S)
            except queue.Empty:
                self._notice(
                    f"{self._address.shown}: no answer for {time.monotonic() - start:,.0f} s; an answer may take "
                    f"{self._settings.request_timeout_s:,.0f} s (--request-timeout)"
                )

    def _explain(self, error: BaseException) -> BaseException:
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        if isinstance(error, BadAnswerError):
            return explain(error, shown=self._address.shown, spec=self._spec)
        return error


class _Sampler:
    """Requests samples from the server and reads its answers."""

    def __init__(self, spec: EngineSpec, facts: ServerFacts, sampling: Sampling) -> None:
        self.facts, self._sampling = facts, sampling
        self._limit = spec.max_model_len or facts.max_model_len
        self._standard: dict[str, Any] = {
            "model": spec.checkpoint,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "stop": list(sampling.stop) or None,
        }
        penalties = ("presence_penalty", "frequency_penalty")
        self._standard |= {name: value for name in penalties if (value := getattr(sampling, name))}
        self._extra = {name: getattr(sampling, name, NEUTRAL[name]) for name in facts.fields}
        self._lengths: dict[str, int] = {}

    async def sample(self, request: Request, client: openai.AsyncOpenAI) -> Answer:
        """The answer. Raises BadAnswerError or the client's exceptions if there is none."""
        room = await self._room(request, client)
        answer = await self._ask(request, client, max_tokens=room)
        if answer.model != self.facts.answers_as and answer.model and self.facts.answers_as:
            raise EngineError(
                f"{self.facts.base_url}: the server now answers as {answer.model}, before as {self.facts.answers_as}: "
                f"a different model was loaded. Finished samples are kept; evaluate this one into a new folder (--out)."
            )
        return replace(answer, num_tokens=min(answer.num_tokens, room))

    async def _ask(self, request: Request, client: openai.AsyncOpenAI, *, max_tokens: int) -> Answer:
        takes_ids = self.facts.takes_token_ids and request.prompt_token_ids is not None
        found = await client.completions.with_raw_response.create(
            **self._standard,
            prompt=list(request.prompt_token_ids or ()) if takes_ids else request.prompt,
            max_tokens=max_tokens,
            seed=request.seed,
            extra_body=self._extra or None,
        )
        return read_answer(found.text, stop=self._sampling.stop, stop_strings=self.facts.stop_strings)

    async def _room(self, request: Request, client: openai.AsyncOpenAI) -> int:
        """Limit of new tokens: what the server's context leaves, at most the protocol's limit."""
        wanted = self._sampling.max_tokens
        if self._limit is None or len(request.prompt.encode()) + 2 + wanted <= self._limit:
            return wanted  # no text has more tokens than bytes
        length = len(request.prompt_token_ids or ()) or self._lengths.get(request.prompt)
        if not length:
            length = self._lengths[request.prompt] = await self._length(request, client)
        if length >= self._limit:
            raise BadAnswerError(
                f"the prompt's {length:,} tokens do not fit the server's context of {self._limit:,}", "refused"
            )
        return min(wanted, self._limit - length)

    async def _length(self, request: Request, client: openai.AsyncOpenAI) -> int:
        """The number of tokens of a prompt, counted by the server."""
        return (await self._ask(request, client, max_tokens=1)).num_prompt_tokens or 0


class _Generation:
    """The requests of one generate(), with retries."""

    def __init__(
        self, settings: ServerSettings, client: Callable[[], openai.AsyncOpenAI], *, notice: Notice, shown: str
    ) -> None:
        self._settings, self._client, self._notice, self._shown = settings, client, notice, shown
        self._failed: list[tuple[Request, str]] = []
        self._in_a_row = 0
        self._num_retries, self._last_line = 0, float("-inf")

    async def generate_all(self, requests: Iterable[Request], sampler: _Sampler, *, arrived: _Arrived) -> None:
        """Put every completion into `arrived`."""
        waiting = Distinct(requests)
        async with self._client() as client:

            async def generate_some() -> None:
                for request in waiting:
                    completion = await self._completion(request, sampler, client=client)
                    if completion is not None:
                        arrived.put(completion)

            async with asyncio.TaskGroup() as group:
                for _ in range(self._settings.concurrency):
                    group.create_task(generate_some())

    def report(self) -> None:
        """Raise EngineError if samples are missing."""
        if not self._failed or self._settings.continue_on_error:
            return
        named = "; ".join(_name(request, why) for request, why in self._failed[:_NAMED])
        more = f"; and {len(self._failed) - _NAMED} more" if len(self._failed) > _NAMED else ""
        raise EngineError(
            f"{self._shown}: {counted(len(self._failed), 'sample', verb=('has', 'have'))} no answer "
            f"({named}{more}). All others are kept; the same command requests what is missing, and --continue-on-error "
            f"stores it as failed, which counts as wrong."
        )

    async def _completion(
        self, request: Request, sampler: _Sampler, *, client: openai.AsyncOpenAI
    ) -> Completion | None:
        try:
            answer = await self._answer(request, sampler, client=client)
        except BadAnswerError as error:
            return self._given_up(request, error)
        self._in_a_row = 0
        return _completed(request, text=answer.text, num_tokens=answer.num_tokens, stop_reason=answer.stop_reason)

    async def _answer(self, request: Request, sampler: _Sampler, *, client: openai.AsyncOpenAI) -> Answer:
        for attempt in count(1):
            try:
                return await sampler.sample(request, client)
            except (openai.OpenAIError, BadAnswerError) as found:
                error = found if isinstance(found, BadAnswerError) else trouble_of(found)
                if error.trouble not in RETRIED or attempt > self._settings.max_retries:
                    raise error from found
                wait_s = pause_s(attempt, error)
            self._say_retry(request, error, attempt=attempt, wait_s=wait_s)
            await asyncio.sleep(wait_s)
        raise AssertionError

    def _given_up(self, request: Request, error: BadAnswerError) -> Completion | None:
        """The completion for a sample without an answer, if any. BadAnswerError if later requests would fail too."""
        self._in_a_row += 1
        if error.trouble in FATAL or self._in_a_row >= _FAILURES_IN_A_ROW:
            raise error
        self._failed.append((request, error.why))
        self._notice(f"{self._shown}: no answer: {_name(request, error.why)}")
        if not self._settings.continue_on_error:
            return None
        return _completed(request, text="", num_tokens=0, stop_reason="failed", extra={"failure": error.why})

    def _say_retry(self, request: Request, error: BadAnswerError, *, attempt: int, wait_s: float) -> None:
        self._num_retries += 1
        now = time.monotonic()
        if now - self._last_line < _LINE_EVERY_S:
            return
        self._last_line = now
        self._notice(
            f"{self._shown}: {_name(request, error.why)}; retried in {wait_s:.1f} s (retry {attempt} of "
            f"{self._settings.max_retries}; {self._num_retries} in total)"
        )


def _name(request: Request, why: str) -> str:
    return f"{request.problem.problem_id}, sample {request.sample_index}: {why}"


def _completed(request: Request, **found: Any) -> Completion:
    return Completion(
        problem_id=request.problem.problem_id, sample_index=request.sample_index, seed=request.seed, **found
    )
