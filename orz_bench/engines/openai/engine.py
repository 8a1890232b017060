"""Any OpenAI-compatible server, such as vLLM's, through its completions or its chat endpoint.

Each request has its seed; its prompt is sent as token ids if the server reads them as the same text, otherwise as
text, or as messages to the chat endpoint. Transient failures (429, 5xx, a lost connection, a missing or unfinished
answer) are retried and reported; samples without an answer are listed at the end.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace

import openai

from orz_bench.engines.engine import EngineSpec, Notice, Sampling
from orz_bench.engines.openai.answers import BadAnswerError
from orz_bench.engines.openai.client import client_of
from orz_bench.engines.openai.generation import Arrived, Generation
from orz_bench.engines.openai.probe import ask_server, explain, refuse_unmet
from orz_bench.engines.openai.sampler import open_sampler
from orz_bench.engines.server_address import read_address
from orz_bench.engines.settings import ServerSettings
from orz_bench.records.rollout import Completion, Request

_SILENCE_S = 60.0


class OpenAIServerEngine:
    """A client of one server, with a bounded number of requests in flight."""

    def __init__(self, spec: EngineSpec, *, notice: Notice | None = None) -> None:
        self._spec, self._settings = spec, ServerSettings.of(spec.settings)
        self._notice = notice or (lambda _: None)
        self._facts = spec.server or ask_server(spec, notice=self._notice)
        address = read_address(self._settings.base_url)
        self._address = address.below("/v1") if self._facts.base_url == address.below("/v1").shown else address

    def generate(self, requests: Iterable[Request], sampling: Sampling) -> Iterator[list[Completion]]:
        """The completions of one request per list, as they arrive. EngineError at the end if samples have no answer."""
        refuse_unmet(self._facts, sampling)
        arrived: Arrived = queue.Queue()
        settings = self._settings if self._facts.counts_by else replace(self._settings, samples_per_request=1)
        generation = Generation(settings, self._client, notice=self._notice, shown=self._address.shown)
        sampler = open_sampler(self._spec, self._facts, sampling=sampling)
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
                yield item
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

    def _next(self, arrived: Arrived) -> list[Completion] | BaseException | None:
        """The next completions or error; a long wait is reported."""
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
