"""Samples that outlive the weights that began them, on the transformers engine: batches that are filled up.

When half of a batch has ended and requests wait, what is left and what waits form a new batch, whose tokens so far are
computed together.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace

from orz_bench.engines.transformers.decoding import Decoder, Draft, State
from orz_bench.records.rollout import Completion, Drawn, Request


class TransformersDrawing:
    """A Drawing of the transformers engine."""

    def __init__(
        self,
        decoder: Decoder,
        *,
        batch_size: int,
        to_draft: Callable[[Request], Draft],
        to_completion: Callable[[Request, Draft], Completion],
        version: int,
    ) -> None:
        self._decoder, self._batch_size, self._version = decoder, batch_size, version
        self._to_draft, self._to_completion = to_draft, to_completion
        self._waiting: deque[Request] = deque()
        self._open: list[tuple[Request, Draft]] = []
        """In the batch, which is `state`."""
        self._state: State | None = None

    @property
    def num_open(self) -> int:
        """Samples that are not complete."""
        return len(self._open) + len(self._waiting)

    def add(self, requests: Iterable[Request]) -> None:
        """Begin these too, or go on with what was drawn of them, when there is room in a batch."""
        self._waiting.extend(requests)

    def step(self) -> list[Completion]:
        """One token of each sample in the batch."""
        if self._waiting and len(self._open) <= self._batch_size // 2:
            taken = [
                self._waiting.popleft() for _ in range(min(len(self._waiting), self._batch_size - len(self._open)))
            ]
            self._open += [(request, self._to_draft(request)) for request in taken]
            self._state = None
        if not self._open:
            return []
        if self._state is None:
            self._state = self._decoder.begin([draft for _, draft in self._open])
        else:
            self._decoder.advance(self._state)
        self._decoder.draw(self._state)
        ended = [(request, draft) for request, draft in self._open if draft.ended is not None]
        self._open = [(request, draft) for request, draft in self._open if draft.ended is None]
        return [self._completion(request, draft) for request, draft in ended]

    def end(self) -> list[Request]:
        """The open requests with what was drawn of each."""
        begun = [replace(request, drawn=self._drawn(request, draft)) for request, draft in self._open]
        unfinished = [*begun, *self._waiting]
        self._open, self._state = [], None
        self._waiting.clear()
        return unfinished

    def _completion(self, request: Request, draft: Draft) -> Completion:
        drawn = self._drawn(request, draft)
        completion = self._to_completion(request, draft)
        assert drawn is not None
        return replace(completion, policy_version=drawn.token_versions[0], token_versions=drawn.token_versions)

    def _drawn(self, request: Request, draft: Draft) -> Drawn | None:
        """What there is of a sample now; None: nothing."""
        if not draft.tokens:
            return None
        older = [] if request.drawn is None else list(request.drawn.token_versions)
        versions = [*older, *[self._version] * (len(draft.tokens) - len(older))]
        return Drawn(token_ids=draft.tokens, logprobs=draft.logprobs, token_versions=versions)
