"""A response that is generated in stages: what it has so far, in tokens and as text, and the request for what follows.

Engines see ordinary requests whose prompt is the prompt and the response so far, as token ids. A response has a token
for everything in its text, also for what was put in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from orz_bench.engines.engine import Engine, Sampling
from orz_bench.errors import EngineError
from orz_bench.records.arrays import logprobs, token_ids
from orz_bench.records.rollout import Completion, Request, StopReason
from orz_bench.seeds import stage_seed
from orz_bench.valuing.tokens import token_ends


class TextTokenizer(Protocol):
    """The part of a checkpoint's tokenizer that goes both ways."""

    def encode(self, text: str) -> tuple[int, ...]:
        """Token ids; no special token is added."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """The text of these ids, without control tokens."""
        ...


@dataclass(slots=True, kw_only=True)
class Draft:
    """One unfinished response."""

    request: Request
    """The one that the evaluation asks."""
    tokens: list[int] = field(default_factory=list)
    text: str = ""
    """What the tokens spell, until a stop string ends it."""
    logprobs: list[float] | None = field(default_factory=list)
    """None as soon as a token was put in, which has no probability."""
    num_put_in: int = 0
    num_cut: int = 0
    """Tokens that were sampled and taken out again."""
    ended: StopReason | None = None
    policy_version: int | None = None
    branch: int = 0
    """Its number among the drafts of its request."""

    def copy(self) -> Draft:
        """A draft that goes on by itself."""
        return replace(self, tokens=list(self.tokens), logprobs=None if self.logprobs is None else list(self.logprobs))

    def next_request(self, *, stage: int, index: int, room: int) -> Request:
        """The request for at most `room` more tokens. `index`: its number, unique in one call of the engine.

        Its seed depends on the sample, the stage and the branch, not on what is generated along with it.
        """
        prompt = self.request.prompt_token_ids
        assert prompt is not None, "engines that read a checkpoint are asked with token ids"
        return replace(
            self.request,
            sample_index=index,
            seed=stage_seed(self.request.seed, stage=stage, branch=self.branch),
            prompt=self.request.prompt + self.text,
            prompt_token_ids=(*prompt, *self.tokens),
            max_tokens=room,
        )

    def add(self, completion: Completion, *, tokenizer: TextTokenizer) -> None:
        """Append what was sampled, with everything that its last token holds."""
        if completion.token_ids is None:
            raise EngineError("the engine returned no token ids, from which a response in stages goes on; use vllm.")
        self.tokens += completion.token_ids
        self.text = tokenizer.decode(self.tokens)
        if self.logprobs is not None:
            self.logprobs = None if completion.logprobs is None else self.logprobs + list(completion.logprobs)
        self.policy_version = completion.policy_version

    def drop_last_token(self) -> None:
        """Take out the token that ended the response."""
        del self.tokens[-1:]
        if self.logprobs is not None:
            del self.logprobs[-1:]
        self.num_cut += 1

    def cut(self, text: str, *, tokenizer: TextTokenizer) -> None:
        """Shorten the response to this beginning of its text.

        A token that holds both kept and cut characters is replaced by those of the kept ones.
        """
        assert self.text.startswith(text)
        ends = token_ends(self.tokens, self.text, decode=tokenizer.decode) or []
        kept = sum(end <= len(text) for end in ends)
        start = ends[kept - 1] if kept else 0
        rest = tokenizer.encode(text[start:]) if start < len(text) else ()
        self.num_cut += len(self.tokens) - kept
        self.num_put_in += len(rest)
        self.tokens = [*self.tokens[:kept], *rest]
        self.text = text
        if self.logprobs is not None:
            self.logprobs = None if rest else self.logprobs[:kept]

    def end(self, reason: StopReason, stop: Stop | None) -> None:
        """The response is finished; its text ends with the stop string, if one ended it, as that of engines does."""
        self.ended = reason
        self.text = self.text if stop is None else self.text[: stop.end]

    def put_in(self, text: str, *, tokenizer: TextTokenizer) -> None:
        """Append a text that the model did not write."""
        ids = tokenizer.encode(text)
        self.tokens += ids
        self.text += text
        self.num_put_in += len(ids)
        self.logprobs = None

    def completion(self, extra: Mapping[str, Any]) -> Completion:
        """The finished response."""
        assert self.ended is not None
        return Completion(
            problem_id=self.request.problem.problem_id,
            sample_index=self.request.sample_index,
            seed=self.request.seed,
            text=self.text,
            num_tokens=len(self.tokens),
            stop_reason=self.ended,
            token_ids=token_ids(self.tokens),
            logprobs=None if self.logprobs is None else logprobs(self.logprobs),
            policy_version=self.policy_version,
            extra=dict(extra),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long a response may be."""

    max_tokens: int
    max_model_len: int | None
    """Of prompt and response together; None if unlimited."""

    def room(self, draft: Draft, most: int | None = None) -> int:
        """How many more tokens a draft may have; with `most`, until it has so many. Not below 0."""
        prompt = len(draft.request.prompt_token_ids or ())
        limits = [self.max_tokens, *([] if most is None else [most])]
        limits += [] if self.max_model_len is None else [self.max_model_len - prompt]
        return max(0, min(limits) - len(draft.tokens))


@dataclass(frozen=True, slots=True)
class Stop:
    """A stop string in a text."""

    string: str
    start: int

    @property
    def end(self) -> int:
        """Behind its last character."""
        return self.start + len(self.string)


def first_stop(text: str, stops: Sequence[str], *, start: int) -> Stop | None:
    """The stop string that is complete first and ends behind `start`; of several that end there, the longest."""
    found = [Stop(stop, at) for stop in stops if (at := text.find(stop, max(0, start - len(stop) + 1))) >= 0]
    return min(found, key=lambda one: (one.end, one.start), default=None)


def sampled(
    engine: Engine, drafts: Sequence[Draft], *, sampling: Sampling, stage: int, rooms: Sequence[int]
) -> list[Completion]:
    """What follows every draft, in their order."""
    if not drafts:
        return []
    requests = [
        draft.next_request(stage=stage, index=at, room=room)
        for at, (draft, room) in enumerate(zip(drafts, rooms, strict=True))
    ]
    found = {(one.problem_id, one.sample_index): one for block in engine.generate(requests, sampling) for one in block}
    return [found[request.key] for request in requests]
