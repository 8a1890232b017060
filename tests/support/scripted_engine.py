"""An engine whose samples are written beforehand, with characters as tokens: for code that generates in stages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from orz_bench.engines.engine import Sampling
from orz_bench.records.rollout import Completion, Problem, Request, StopReason

END = 0
"""Id of the end token, which is no part of a text."""


class Letters:
    """A token is a character, or a piece that is given: a piece of several characters is one token."""

    def __init__(self, *pieces: str) -> None:
        self.pieces = pieces

    def encode(self, text: str) -> tuple[int, ...]:
        """Longest pieces first."""
        ids: list[int] = []
        at = 0
        while at < len(text):
            piece = next((one for one in self.pieces if text.startswith(one, at)), text[at])
            ids.append(-1 - self.pieces.index(piece) if piece in self.pieces else ord(piece))
            at += len(piece)
        return tuple(ids)

    def decode(self, ids: Sequence[int]) -> str:
        """Without the end token."""
        return "".join(self.pieces[-1 - one] if one < 0 else chr(one) if one else "" for one in ids)


@dataclass
class ScriptedEngine:
    """What follows a prompt is `script(prompt, seed)`; behind the script comes the end token."""

    script: Callable[[str, int], str]
    tokenizer: Letters = field(default_factory=Letters)
    asked: list[list[Request]] = field(default_factory=list)
    """The requests of every call."""
    block: int = 3

    def generate(self, requests: Iterable[Request], sampling: Sampling) -> Iterator[list[Completion]]:
        """In blocks, the last one first: the order is the engine's."""
        self.asked.append(list(requests))
        for start in reversed(range(0, len(self.asked[-1]), self.block)):
            yield [self._one(request, sampling) for request in self.asked[-1][start : start + self.block]]

    def close(self) -> None:
        """Nothing to release."""

    def _one(self, request: Request, sampling: Sampling) -> Completion:
        assert request.prompt_token_ids is not None
        prompt = self.tokenizer.decode(request.prompt_token_ids)
        assert prompt == request.prompt
        planned = [*self.tokenizer.encode(self.script(prompt, request.seed)), END]
        ids: list[int] = []
        reason: StopReason = "length"
        while len(ids) < request.room(sampling.max_tokens):
            ids.append(planned[len(ids)])
            if ids[-1] == END:
                reason = "eos"
                break
            if any(stop in self.tokenizer.decode(ids) for stop in sampling.stop):
                reason = "stop_string"
                break
        text = self.tokenizer.decode(ids)
        ends = [text.find(stop) + len(stop) for stop in sampling.stop if stop in text]
        return Completion(
            problem_id=request.problem.problem_id,
            sample_index=request.sample_index,
            seed=request.seed,
            text=text[: min(ends, default=len(text))],
            num_tokens=len(ids),
            stop_reason=reason,
            token_ids=ids,
            logprobs=[-0.5] * len(ids),
        )


def a_request(index: int = 0, *, prompt: str = "Q", name: str = "p", tokenizer: Letters | None = None) -> Request:
    """Sample `index` of the problem with that name."""
    problem = Problem(benchmark="b", problem_id=name, question=prompt, gold="1", kind="math")
    return Request(
        problem=problem,
        sample_index=index,
        seed=1000 + index,
        prompt=prompt,
        prompt_token_ids=(tokenizer or Letters()).encode(prompt),
    )
