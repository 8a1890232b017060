"""A deterministic engine without a model, for tests and for measuring the rest of the system.

Each sample is a function of its seed alone. The checkpoint's name may have settings: `fake:0.7` answers 70 % of its
samples correctly, and `fake:0.7:0.05` also takes 0.05 seconds per batch.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from orz_bench.engines.distinct import Distinct
from orz_bench.engines.engine import EngineSpec, LikelihoodRequest, Likelihoods, Notice, Sampling
from orz_bench.errors import ConfigError
from orz_bench.records.rollout import Completion, Problem, Request, StopReason

BATCH = 64
_TRUNCATED_SHARE = 0.03
_NO_ANSWER_SHARE = 0.02
_THOUGHTS = ("First, the numbers.", "Wait, let me recheck that.", "However, this can be simpler.", "So it follows.")


class FakeTokenizer:
    """Words as tokens."""

    bos = ""
    eos = "."
    opening = ""

    def encode(self, text: str) -> tuple[int, ...]:
        """One id per word."""
        return tuple(range(len(text.split())))

    def render_chat(self, messages: Sequence[dict[str, str]]) -> str:
        """Role and content, one message per line."""
        return "".join(f"{message['role']}: {message['content']}\n" for message in messages) + "assistant:"


class FakeEngine:
    """Answers with the gold with a fixed probability, otherwise wrong."""

    def __init__(self, spec: EngineSpec, *, notice: Notice | None = None) -> None:
        self._accuracy, self._seconds_a_batch = _settings(spec.checkpoint)
        self._keep_tokens = spec.keep_tokens

    def generate(self, requests: Iterable[Request], sampling: Sampling) -> Iterator[list[Completion]]:
        """Batches of 64, in order."""
        waiting = Distinct(requests)
        while batch := list(islice(waiting, BATCH)):
            if self._seconds_a_batch:
                time.sleep(self._seconds_a_batch)
            yield [self._complete(request, sampling) for request in batch]

    def loglikelihood(self, requests: Iterable[LikelihoodRequest]) -> Iterator[list[Likelihoods]]:
        """Batches of 64, in order; log-likelihoods are a function of the key alone."""
        waiting = Distinct(requests)
        while batch := list(islice(waiting, BATCH)):
            if self._seconds_a_batch:
                time.sleep(self._seconds_a_batch)
            yield [_likelihoods(request) for request in batch]

    def close(self) -> None:
        """Nothing to release."""

    def _complete(self, request: Request, sampling: Sampling) -> Completion:
        draw = random.Random(request.seed)
        thoughts = " ".join(draw.choice(_THOUGHTS) for _ in range(draw.randrange(2, 40)))
        luck = draw.random()
        if luck < _TRUNCATED_SHARE:
            text, stop = thoughts, "length"
        elif luck < _TRUNCATED_SHARE + _NO_ANSWER_SHARE:
            text, stop = f"{thoughts} I do not know.", "eos"
        else:
            answer = request.problem.gold if draw.random() < self._accuracy else _wrong_answer(request.problem, draw)
            boxed = f"\\boxed{{{answer}}}" if request.problem.kind != "code" else f"\n```python\nprint({luck})\n```\n"
            text, stop = f"{thoughts} </think> <answer> {boxed} </answer>", "stop_string"
        num_tokens = min(len(text.split()), request.room(sampling.max_tokens))
        return Completion(
            problem_id=request.problem.problem_id,
            sample_index=request.sample_index,
            seed=request.seed,
            text=text,
            num_tokens=num_tokens,
            stop_reason=_reason(stop),
            token_ids=range(num_tokens) if self._keep_tokens else None,
            logprobs=[-1.0] * num_tokens if self._keep_tokens else None,
        )


def _likelihoods(request: LikelihoodRequest) -> Likelihoods:
    draw = random.Random("\x1f".join(map(str, request.key)))
    found = tuple(-5 * draw.random() * len(tokens) for tokens in request.continuations)
    is_greedy = tuple(logprob == max(found) for logprob in found)
    return Likelihoods(key=request.key, logprobs=found, is_greedy=is_greedy)


def _reason(stop: str) -> StopReason:
    reasons: dict[str, StopReason] = {"eos": "eos", "stop_string": "stop_string", "length": "length"}
    return reasons[stop]


def _wrong_answer(problem: Problem, draw: random.Random) -> str:
    if problem.kind == "choice":
        letters = [chr(ord("A") + index) for index in range(problem.num_choices)]
        return draw.choice([letter for letter in letters if letter != problem.gold])
    return str(draw.randrange(1000, 9999))


def _settings(name: str) -> tuple[float, float]:
    parts = name.split(":")[1:] if name.startswith("fake") else []
    try:
        accuracy, seconds = (*map(float, parts), *(0.5, 0.0)[len(parts) :])
    except ValueError as error:
        raise ConfigError(f"--ckpt {name}: wanted fake[:ACCURACY[:SECONDS_PER_BATCH]] for the fake engine.") from error
    return accuracy, seconds
