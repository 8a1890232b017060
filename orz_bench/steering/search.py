"""Search with a critic: candidates for one response, judged at the ends of their sentences.

prune   every candidate goes on by itself; at each sentence end the half with the lower values is given up (speculative
        rejection, Sun et al., arXiv 2410.20290)
beam    at each sentence end the best quarter goes on, each in four branches (Snell et al., arXiv 2408.03314)

The response is the finished candidate with the highest final value. All tokens of all candidates count.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from typing import Any, Literal

from orz_bench.engines.distinct import Distinct
from orz_bench.engines.engine import Engine, Sampling
from orz_bench.errors import ConfigError
from orz_bench.records.rollout import Completion, Request
from orz_bench.steering.drafts import Draft, Limits, TextTokenizer, first_stop, sampled
from orz_bench.valuing.critic import Critic

RULES = 1
"""Increased whenever the same settings would lead to other responses."""
BATCH = 64
"""Samples that are searched together, and are committed as a whole."""
LEAST_TOKENS = 16
"""Of the budget, for every candidate that goes on; with less, fewer candidates go on."""
KEPT = {"prune": 2, "beam": 4}
"""One of so many candidates goes on at a sentence end."""
_SENTENCE_ENDS = (".", "!", "?", "\n")
_SENTENCE_TOKENS = 256
"""A sentence of so many tokens counts as ended."""

Method = Literal["beam", "prune"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSettings:
    """What decides a search, beside the model and the critic."""

    method: Method
    budget: int
    """Tokens that may be generated for one response, those of all candidates together."""
    width: int
    """Candidates at the beginning."""

    def __post_init__(self) -> None:
        if self.method not in KEPT:
            raise ConfigError(f"--select {self.method} is unknown; there are {', '.join(KEPT)}.")
        if self.width < KEPT[self.method] or self.width % 1:
            raise ConfigError(
                f"--width {self.width}: --select {self.method} keeps one of {KEPT[self.method]} candidates; wanted at "
                f"least {KEPT[self.method]}."
            )
        least = LEAST_TOKENS * self.width
        if self.budget < least or self.budget % 1:
            raise ConfigError(
                f"--budget {self.budget} is too small for {self.width} candidates ({LEAST_TOKENS} tokens each); wanted "
                f"at least {least:,}, or a smaller --width."
            )

    def to_json(self) -> dict[str, Any]:
        """For the protocol card."""
        return asdict(self) | {"rules": RULES}


@dataclass(slots=True)
class _Search:
    """The candidates of one response."""

    request: Request
    going: list[Draft]
    finished: list[tuple[float, Draft]] = field(default_factory=list)
    """With their final values, in the order in which they ended."""
    spent: int = 0
    num_rounds: int = 0

    def completion(self, settings: SearchSettings) -> Completion:
        """The best candidate that was not cut, if there is one; of equal ones the one that ended first."""
        value, best = max(self.finished, key=lambda pair: (pair[1].ended != "length", pair[0]))
        found = {
            "spent_tokens": self.spent,
            "value": round(value, 6),
            "finished": len(self.finished),
            "rounds": self.num_rounds,
            "method": settings.method,
        }
        return best.completion({"selection": found})


class SearchingEngine:
    """An engine whose responses a critic chooses sentence by sentence."""

    def __init__(
        self,
        engine: Engine,
        *,
        critic: Critic,
        settings: SearchSettings,
        tokenizer: TextTokenizer,
        max_model_len: int | None,
    ) -> None:
        self._engine, self._critic, self._settings = engine, critic, settings
        self._tokenizer, self._max_model_len = tokenizer, max_model_len

    def generate(self, requests: Iterable[Request], sampling: Sampling) -> Iterator[list[Completion]]:
        """Blocks of BATCH consecutive requests, in order."""
        waiting = Distinct(requests)
        limits = Limits(max_tokens=sampling.max_tokens, max_model_len=self._max_model_len)
        while batch := list(islice(waiting, BATCH)):
            searches = [
                _Search(request, [Draft(request=request) for _ in range(self._settings.width)]) for request in batch
            ]
            stage = 0
            while unfinished := [one for one in searches if one.going]:
                self._round(unfinished, sampling, limits=limits, stage=stage)
                stage += 1
            yield [one.completion(self._settings) for one in searches]

    def close(self) -> None:
        """Close the engine."""
        self._engine.close()

    def _round(self, searches: Sequence[_Search], sampling: Sampling, *, limits: Limits, stage: int) -> None:
        """One sentence of every candidate, its value, and the choice of those that go on."""
        drafts = [draft for search in searches for draft in search.going]
        rooms = [room for search in searches for room in self._rooms(search, limits)]
        for search in searches:
            for at, draft in enumerate(search.going):
                draft.branch = at
        stops = tuple(dict.fromkeys((*sampling.stop, *_SENTENCE_ENDS)))
        found = sampled(self._engine, drafts, sampling=replace(sampling, stop=stops), stage=stage, rooms=rooms)
        for draft, completion in zip(drafts, found, strict=True):
            self._add(draft, completion, stops=sampling.stop, limits=limits)
        values = dict(zip(map(id, drafts), self._values(drafts), strict=True))
        spent = dict(zip(map(id, drafts), (one.num_tokens for one in found), strict=True))
        for search in searches:
            search.num_rounds += 1
            search.spent += sum(spent[id(draft)] for draft in search.going)
            self._choose(search, [(values[id(draft)], draft) for draft in search.going])

    def _rooms(self, search: _Search, limits: Limits) -> list[int]:
        """How many tokens each candidate's next sentence may have."""
        share = (self._settings.budget - search.spent) // len(search.going)
        return [min(share, _SENTENCE_TOKENS, limits.room(draft)) for draft in search.going]

    def _add(self, draft: Draft, completion: Completion, *, stops: Sequence[str], limits: Limits) -> None:
        start = len(draft.text)
        draft.add(completion, tokenizer=self._tokenizer)
        stop = first_stop(draft.text, stops, start=start)
        if stop is not None:
            draft.end("stop_string", stop)
        elif completion.stop_reason == "eos":
            draft.end("eos", None)
        elif limits.room(draft) == 0:
            draft.end("length", None)

    def _values(self, drafts: Sequence[Draft]) -> list[float]:
        """Before the next token of what goes on, which is any; before the last token of what has ended."""
        sequences = [
            (draft.request.prompt_token_ids or (), draft.tokens if draft.ended else [*draft.tokens, draft.tokens[-1]])
            for draft in drafts
        ]
        return [float(values[-1]) for values in self._critic.values(sequences)]

    def _choose(self, search: _Search, judged: Sequence[tuple[float, Draft]]) -> None:
        search.finished += [(value, draft) for value, draft in judged if draft.ended is not None]
        open_ones = sorted((pair for pair in judged if pair[1].ended is None), key=lambda pair: -pair[0])
        left = self._settings.budget - search.spent
        if open_ones and left < LEAST_TOKENS:
            for _, draft in open_ones:
                draft.end("length", None)
            search.finished += open_ones
            open_ones = []
        kept = [draft for _, draft in open_ones[: math.ceil(len(open_ones) / KEPT[self._settings.method])]]
        most = max(1, left // LEAST_TOKENS)
        if self._settings.method == "beam":
            room = max(1, self._settings.width - len(search.finished))
            kept = [draft.copy() for draft in kept for _ in range(math.ceil(room / max(1, len(kept))))][:room]
        search.going = kept[:most]
