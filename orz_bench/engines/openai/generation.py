"""The requests of one generate(): in flight together, retried within a budget, and accounted for at the end."""

from __future__ import annotations

import asyncio
import queue
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count
from typing import Any

import openai

from orz_bench.engines.distinct import Distinct
from orz_bench.engines.engine import Notice
from orz_bench.engines.openai.answers import FATAL, RETRIED, Answer, BadAnswerError, trouble_of
from orz_bench.engines.openai.client import pause_s
from orz_bench.engines.openai.sampler import Sampler
from orz_bench.engines.openai.window import Window
from orz_bench.engines.settings import ServerSettings
from orz_bench.errors import EngineError, counted
from orz_bench.records.rollout import Completion, Request

_FAILURES_IN_A_ROW = 20
"""Consecutive samples without an answer after which the run ends."""
_LOST_IN_A_ROW = 3
"""The same for samples that the server did not take: one that is gone, or has no room, takes none."""
_LINE_EVERY_S = 10.0
_NAMED = 5

Arrived = queue.Queue[list[Completion] | BaseException | None]


class Generation:
    """Samples from one server, with retries."""

    def __init__(
        self, settings: ServerSettings, client: Callable[[], openai.AsyncOpenAI], *, notice: Notice, shown: str
    ) -> None:
        """`settings.samples_per_request`: samples that the server gives for one request."""
        self._settings, self._client, self._notice, self._shown = settings, client, notice, shown
        self._failed: list[tuple[Request, str]] = []
        self._unsure: list[list[Completion]] = []
        """Failed samples that are kept as such if the server answers again: else it was the server's fault."""
        self._in_a_row, self._num_answered = 0, 0
        self._num_retries, self._last_line = 0, float("-inf")
        self._tally: Counter[str] = Counter()
        self._window = Window(settings.concurrency)

    async def generate_all(self, requests: Iterable[Request], sampler: Sampler, *, arrived: Arrived) -> None:
        """Put every completion into `arrived`."""
        waiting = together(Distinct(requests), self._settings.samples_per_request)
        async with self._client() as client:

            async def generate_some() -> None:
                for group in waiting:
                    completions = await self._completions(group, sampler, client=client)
                    if completions:
                        arrived.put(completions)
                    if self._in_a_row == 0:
                        while self._unsure:
                            arrived.put(self._unsure.pop())

            async with asyncio.TaskGroup() as tasks:
                for _ in range(self._settings.concurrency):
                    tasks.create_task(generate_some())

    def report(self) -> None:
        """Say what a reader of the scores has to know. Raise EngineError if samples are missing."""
        if self._num_retries:
            least = self._window.least
            fewer = f", down to {least} in flight at a time" if least < self._settings.concurrency else ""
            self._notice(f"{self._shown}: {counted(self._num_retries, 'request')} sent again{fewer}")
        for note in _notes(self._tally):
            self._notice(f"{self._shown}: {note}")
        lost = {completion.key for some in self._unsure for completion in some}
        missing = [one for one in self._failed if not self._settings.continue_on_error or one[0].key in lost]
        if not missing:
            return
        named = "; ".join(_name(request, why) for request, why in missing[:_NAMED])
        more = f"; and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        raise EngineError(
            f"{self._shown}: {counted(len(missing), 'sample', verb=('has', 'have'))} no answer "
            f"({named}{more}). All others are kept; the same command requests what is missing, and --continue-on-error "
            f"stores it as failed, which counts as wrong."
        )

    async def _completions(
        self, group: Sequence[Request], sampler: Sampler, *, client: openai.AsyncOpenAI
    ) -> list[Completion]:
        try:
            answers = await self._answers(group, sampler, client=client)
        except BadAnswerError as error:
            return self._given_up(group, error)
        self._in_a_row = 0
        self._num_answered += len(answers)
        for answer in answers:
            self._tally += _traits(answer)
        return [
            _completed(
                request,
                text=answer.text,
                num_tokens=answer.num_tokens,
                stop_reason=answer.stop_reason,
                extra=self._priced(answer),
            )
            for request, answer in zip(group, answers, strict=True)
        ]

    async def _answers(self, group: Sequence[Request], sampler: Sampler, *, client: openai.AsyncOpenAI) -> list[Answer]:
        num_faults = 0
        for attempt in count(1):
            try:
                async with self._window.place():
                    return await _asked_once(group, sampler, client=client)
            except BadAnswerError as found:
                # A rate limit is no fault of the request: it counts when the server takes no request at all.
                num_faults += found.trouble != "limited"
                if found.trouble not in RETRIED or max(num_faults, self._window.num_alone) > self._settings.max_retries:
                    raise
                wait_s, error = pause_s(attempt, found), found
            self._say_retry(group[0], error, wait_s=wait_s)
            await asyncio.sleep(wait_s)
        raise AssertionError

    def _given_up(self, group: Sequence[Request], error: BadAnswerError) -> list[Completion]:
        """The completions of samples without an answer, if any. BadAnswerError if later requests would fail too."""
        self._in_a_row += 1
        is_lost = error.trouble in ("connection", "limited")
        most = _LOST_IN_A_ROW if is_lost and self._num_answered else 1 if is_lost else _FAILURES_IN_A_ROW
        if error.trouble in FATAL or self._in_a_row >= most:
            raise error
        self._failed += [(request, error.why) for request in group]
        for request in group:
            self._notice(f"{self._shown}: no answer: {_name(request, error.why)}")
        if not self._settings.continue_on_error:
            return []
        facts: dict[str, Any] = {"text": "", "num_tokens": 0, "stop_reason": "failed", "extra": {"failure": error.why}}
        failed = [_completed(request, **facts) for request in group]
        if is_lost:
            self._unsure.append(failed)
            return []
        return failed

    def _priced(self, answer: Answer) -> dict[str, Any]:
        """The row's extra, with the tokens and the price of the answer if prices are given."""
        extra = dict(answer.extra)
        prompt_tokens = answer.num_prompt_tokens
        if prompt_tokens is None or self._settings.price_in is None:
            return extra
        usage = extra.get("usage") or {"prompt_tokens": prompt_tokens, "new_tokens": answer.num_tokens}
        share = prompt_tokens / extra.get("choices", 1)
        return extra | {
            "usage": usage | {"cost": self._settings.cost(prompt_tokens=share, new_tokens=answer.num_tokens)}
        }

    def _say_retry(self, request: Request, error: BadAnswerError, *, wait_s: float) -> None:
        self._num_retries += 1
        now = time.monotonic()
        if now - self._last_line < _LINE_EVERY_S:
            return
        self._last_line = now
        self._notice(
            f"{self._shown}: {_name(request, error.why)}; retried in {wait_s:.1f} s (retries so far: "
            f"{self._num_retries:,}; at most {counted(self._window.limit, 'request')} at a time now)"
        )


async def _asked_once(group: Sequence[Request], sampler: Sampler, *, client: openai.AsyncOpenAI) -> list[Answer]:
    try:
        return await sampler.sample(group, client)
    except openai.OpenAIError as error:
        raise trouble_of(error) from error


def together(requests: Iterable[Request], most: int) -> Iterator[list[Request]]:
    """The requests in lists of at most `most` neighbours with the same messages."""
    group: list[Request] = []
    for request in requests:
        if group and (len(group) >= most or request.problem.problem_id != group[0].problem.problem_id):
            yield group
            group = []
        group.append(request)
        if most == 1:  # a request is not held back until the next one is known
            yield group
            group = []
    if group:
        yield group


def _traits(answer: Answer) -> Counter[str]:
    """What the user is told about, if it occurs."""
    usage = answer.extra.get("usage") or {}
    is_thought = "thought_field" in answer.extra
    return Counter(
        answers=1,
        alone=is_thought and answer.stop_reason == "eos" and "</think>" not in answer.text,
        hidden=bool(usage.get("reasoning_tokens")) and not is_thought and "</think>" not in answer.text,
        refusals=bool(answer.extra.get("is_refusal")),
    )


def _notes(tally: Counter[str]) -> Iterator[str]:
    of = f"of {counted(tally['answers'], 'answer')}"
    if tally["alone"]:
        yield (
            f"{tally['alone']:,} {of} ended with a thought and no content, so they have no final answer. If the model "
            f"does not think, the server's reasoning parser does not belong to it."
        )
    if tally["hidden"]:
        yield (
            f"the thoughts of {tally['hidden']:,} {of} are hidden: their tokens count as length, and analyses of texts "
            f"do not see them."
        )
    if tally["refusals"]:
        yield f"{tally['refusals']:,} {of} are refusals; they are graded as they are."


def _name(request: Request, why: str) -> str:
    return f"{request.problem.problem_id}, sample {request.sample_index}: {why}"


def _completed(request: Request, **found: Any) -> Completion:
    return Completion(
        problem_id=request.problem.problem_id, sample_index=request.sample_index, seed=request.seed, **found
    )
