"""Budget forcing (s1, Muennighoff et al., arXiv 2501.19393): thoughts are lengthened, or ended at a number of tokens.

Where a thought would end, its end is taken out and a text such as "Wait" is put in, up to a number of times; a thought
that has used up its tokens is ended, and the answer is begun for the model. An ordinary engine does the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from orz_bench.engines.distinct import Distinct
from orz_bench.engines.engine import Engine, Sampling
from orz_bench.records.rollout import Completion, Request
from orz_bench.steering.drafts import Draft, Limits, Stop, TextTokenizer, first_stop, sampled

BATCH = 256
"""Samples that go through the stages together, and are committed as a whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forcing:
    """How thoughts are forced."""

    ends: tuple[str, ...]
    """Texts that end a thought."""
    close: str
    """What ends a thought that is too long, up to the beginning of the answer."""
    waits: int
    wait_text: str
    thought_tokens: int | None


@dataclass(slots=True)
class _Thought:
    """A draft whose thought goes on."""

    draft: Draft
    waits: int = 0
    """How often its end was replaced."""
    was_closed: bool = False

    def completion(self) -> Completion:
        draft = self.draft
        found = {"waits": self.waits, "closed": self.was_closed, "put_in": draft.num_put_in, "cut": draft.num_cut}
        return draft.completion({"forcing": found})


class ForcedEngine:
    """An engine whose thoughts are forced."""

    def __init__(
        self, engine: Engine, *, forcing: Forcing, tokenizer: TextTokenizer, max_model_len: int | None
    ) -> None:
        self._engine, self._forcing, self._tokenizer = engine, forcing, tokenizer
        self._max_model_len = max_model_len

    def generate(self, requests: Iterable[Request], sampling: Sampling) -> Iterator[list[Completion]]:
        """Blocks of BATCH consecutive requests, in order."""
        waiting = Distinct(requests)
        limits = Limits(max_tokens=sampling.max_tokens, max_model_len=self._max_model_len)
        while batch := list(islice(waiting, BATCH)):
            thoughts = [_Thought(Draft(request=request)) for request in batch]
            self._think(thoughts, sampling, limits=limits)
            unanswered = [one.draft for one in thoughts if one.draft.ended is None]
            self._answer(unanswered, sampling, limits=limits)
            yield [one.completion() for one in thoughts]

    def close(self) -> None:
        """Close the engine."""
        self._engine.close()

    def _think(self, thoughts: Sequence[_Thought], sampling: Sampling, *, limits: Limits) -> None:
        """Every thought to its end; a response that ended meanwhile has a reason."""
        stops = tuple(dict.fromkeys((*self._forcing.ends, *sampling.stop)))
        going, stage = list(thoughts), 0
        while going:
            rooms = [limits.room(one.draft, self._forcing.thought_tokens) for one in going]
            drafts = [one.draft for one in going]
            found = sampled(self._engine, drafts, sampling=replace(sampling, stop=stops), stage=stage, rooms=rooms)
            going = [
                one
                for one, completion in zip(going, found, strict=True)
                if self._goes_on(one, completion, stops=stops, limits=limits)
            ]
            stage += 1

    def _goes_on(self, one: _Thought, completion: Completion, *, stops: Sequence[str], limits: Limits) -> bool:
        """Append what was sampled; whether the thought goes on."""
        draft, start = one.draft, len(one.draft.text)
        draft.add(completion, tokenizer=self._tokenizer)
        stop = first_stop(draft.text, stops, start=start) if completion.stop_reason == "stop_string" else None
        is_end = stop is not None and stop.string in self._forcing.ends
        if completion.stop_reason == "length":
            self._close(one, limits)
            return False
        if (is_end or completion.stop_reason == "eos") and one.waits < self._forcing.waits:
            waiting = self._with_wait(draft, stop)
            if limits.room(waiting, self._forcing.thought_tokens) > 0:
                one.draft, one.waits = waiting, one.waits + 1
                return True
        if not is_end:
            draft.end(completion.stop_reason, stop)
        return False

    def _close(self, one: _Thought, limits: Limits) -> None:
        """End the thought, if the response may go on; otherwise the response has ended."""
        closed = one.draft.copy()
        closed.put_in(self._forcing.close, tokenizer=self._tokenizer)
        if limits.room(one.draft, self._forcing.thought_tokens) == 0 and limits.room(closed) > 0:
            one.draft, one.was_closed = closed, True
        else:
            one.draft.ended = "length"

    def _with_wait(self, draft: Draft, stop: Stop | None) -> Draft:
        """A copy that goes on instead of ending: without the stop string or the end token."""
        waiting = draft.copy()
        if stop is None:
            waiting.drop_last_token()
        else:
            waiting.cut(draft.text[: stop.start], tokenizer=self._tokenizer)
        waiting.put_in(self._forcing.wait_text, tokenizer=self._tokenizer)
        return waiting

    def _answer(self, drafts: Sequence[Draft], sampling: Sampling, *, limits: Limits) -> None:
        """What follows the thoughts."""
        going = [draft for draft in drafts if limits.room(draft) > 0]
        for draft in drafts:
            draft.ended = "length"
        rooms = [limits.room(draft) for draft in going]
        found = sampled(self._engine, going, sampling=sampling, stage=self._forcing.waits + 1, rooms=rooms)
        for draft, completion in zip(going, found, strict=True):
            start = len(draft.text)
            draft.add(completion, tokenizer=self._tokenizer)
            is_stop = completion.stop_reason == "stop_string"
            draft.end(completion.stop_reason, first_stop(draft.text, sampling.stop, start=start) if is_stop else None)
