"""Any OpenAI-compatible server, such as `vllm serve`, through its completions endpoint: one request a sample.

Prompts go out as rendered text, seeds with every request. The client retries what is worth retrying (429, 5xx, lost
connections) with growing pauses.
"""

from __future__ import annotations

import asyncio
import os
import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import openai

from orz_bench.engines.engine import Distinct, EngineSpec, Sampling
from orz_bench.errors import EngineError
from orz_bench.records.rollout import Completion, Request, StopReason

_MAX_RETRIES = 6
_TIMEOUT_S = 3600.0
_NO_KEY = "none"


class OpenAIServerEngine:
    """A client of one server, with a bounded number of requests in flight."""

    def __init__(self, spec: EngineSpec) -> None:
        self._spec = spec
        self._has_vllm_fields = True
        self._check()

    def generate(self, requests: Iterable[Request], sampling: Sampling) -> Iterator[list[Completion]]:
        """One completion a list, as answers arrive."""
        arrived: queue.Queue[Completion | BaseException | None] = queue.Queue()
        loop = asyncio.new_event_loop()
        task: list[asyncio.Task[None]] = []

        def work() -> None:
            asyncio.set_event_loop(loop)
            task.append(loop.create_task(self._draw_all(requests, sampling, arrived=arrived)))
            try:
                loop.run_until_complete(task[0])
            except asyncio.CancelledError:
                pass
            except BaseException as error:  # carried to the caller's thread
                arrived.put(error)
            finally:
                arrived.put(None)
                loop.close()

        thread = threading.Thread(target=work, name="orz-openai", daemon=True)
        thread.start()
        try:
            while (item := arrived.get()) is not None:
                if isinstance(item, BaseException):
                    raise self._explain(item) from item
                yield [item]
        finally:
            if task and not loop.is_closed():
                loop.call_soon_threadsafe(task[0].cancel)
            thread.join()

    def close(self) -> None:
        """Connections end with each generate()."""

    def _check(self) -> None:
        """Ask for the list of models, so that a wrong address or name fails at once."""
        try:
            with openai.OpenAI(base_url=self._spec.base_url, api_key=_api_key(), max_retries=1, timeout=30.0) as client:
                names = [model.id for model in client.models.list().data]
        except openai.NotFoundError:
            return  # a server without a list of models
        except openai.OpenAIError as error:
            raise self._explain(error) from error
        if self._spec.checkpoint not in names:
            raise EngineError(
                f"{self._spec.base_url} serves {', '.join(names) or 'no model'}, not {self._spec.checkpoint!r}; "
                f"give --ckpt one of those names."
            )

    async def _draw_all(
        self,
        requests: Iterable[Request],
        sampling: Sampling,
        *,
        arrived: queue.Queue[Completion | BaseException | None],
    ) -> None:
        waiting = Distinct(requests)
        async with openai.AsyncOpenAI(
            base_url=self._spec.base_url, api_key=_api_key(), max_retries=_MAX_RETRIES, timeout=_TIMEOUT_S
        ) as client:

            async def draw_some() -> None:
                for request in waiting:
                    arrived.put(await self._draw(request, sampling, client=client))

            async with asyncio.TaskGroup() as group:
                for _ in range(self._spec.concurrency):
                    group.create_task(draw_some())

    async def _draw(self, request: Request, sampling: Sampling, *, client: openai.AsyncOpenAI) -> Completion:
        parameters: dict[str, Any] = {
            "model": self._spec.checkpoint,
            "prompt": request.prompt,
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": request.seed,
            "stop": list(sampling.stop) or None,
        }
        extra = {"include_stop_str_in_output": True, "add_special_tokens": False, "top_k": sampling.top_k}
        try:
            answer = await client.completions.create(**parameters, extra_body=extra if self._has_vllm_fields else None)
        except (openai.BadRequestError, openai.UnprocessableEntityError):
            if not self._has_vllm_fields:
                raise
            answer = await client.completions.create(**parameters)
            self._has_vllm_fields = False
        return _completion(request, answer, max_tokens=sampling.max_tokens)

    def _explain(self, error: BaseException) -> EngineError:
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        if isinstance(error, EngineError):
            return error
        where = f"{self._spec.base_url}, model {self._spec.checkpoint!r}"
        kept = "What was drawn is kept; the same command goes on."
        if isinstance(error, openai.APIConnectionError):
            return EngineError(
                f"{where}: no connection ({error.__cause__ or error}). Start the server, or set --base-url. {kept}"
            )
        if isinstance(error, openai.AuthenticationError):
            return EngineError(f"{where}: the server refused the key; set $OPENAI_API_KEY. {kept}")
        if isinstance(error, openai.BadRequestError):
            return EngineError(
                f"{where}: the server refused a request ({error.message}). Too long a prompt is never cut. {kept}"
            )
        return EngineError(f"{where}: {type(error).__name__}: {error}. {kept}")


def _completion(request: Request, answer: Any, *, max_tokens: int) -> Completion:
    choice = answer.choices[0]
    if answer.usage is None:
        raise EngineError(
            "the server reports no token counts (usage), which an honest length needs; use another server."
        )
    text, reason = choice.text, _stop_reason(choice)
    matched = getattr(choice, "stop_reason", None)
    if reason == "stop_string" and isinstance(matched, str) and not text.endswith(matched):
        text += matched
    return Completion(
        problem_id=request.problem.problem_id,
        sample_index=request.sample_index,
        seed=request.seed,
        text=text,
        num_tokens=min(answer.usage.completion_tokens, max_tokens),
        stop_reason=reason,
    )


def _stop_reason(choice: Any) -> StopReason:
    if choice.finish_reason == "length":
        return "length"
    return "stop_string" if isinstance(getattr(choice, "stop_reason", None), str) else "eos"


def _api_key() -> str:
    return os.environ.get("OPENAI_API_KEY") or _NO_KEY
