"""A step of the paper's size without models: rollouts of a realistic length, and models that answer at once.

Tokens follow Zipf's law over 20,000 entries of a vocabulary of Qwen2.5's size, each with a text of its own, so that
texts compress and repeat about as real ones do; log-probabilities are random float32 numbers.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from orz_bench.engines.engine import Sampling
from orz_bench.records.arrays import Numbers
from orz_bench.records.rollout import Completion, Problem, Request
from orz_rl.rollout.problems import Prompt
from orz_rl.workers.cluster import ModelGroup, Sampler, Sources
from orz_rl.workers.in_process import Done
from orz_rl.workers.messages import ModelSpec, Update

MEAN_TOKENS, MOST_TOKENS, PROMPT_TOKENS = 2466, 8000, 230
_WORDS, _VOCABULARY = 20_000, 151_936
_SPREAD = 0.75
"""Standard deviation of the logarithm of the lengths."""
_IDLE_S = 0.02


@dataclass
class Source:
    """Draws responses and prompts."""

    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def __post_init__(self) -> None:
        rank = np.arange(1, _WORDS + 1)
        self.ids = self.rng.permutation(_VOCABULARY)[:_WORDS].astype(np.int32)
        self.mass = np.cumsum(1 / rank) / np.sum(1 / rank)
        letters = np.array(list("etaoinshrdlucmfwypvbgkqjxz"))
        self.words = [" " + "".join(self.rng.choice(letters, size=1 + len(str(n)))) for n in rank]

    def lengths(self, count: int) -> Any:
        """Lognormal lengths, cut at the token limit, with the wanted mean."""
        shape = self.rng.lognormal(0.0, _SPREAD, size=count)
        scale = MEAN_TOKENS / shape.mean()
        for _ in range(50):
            found = np.clip(shape * scale, 40, MOST_TOKENS)
            scale *= MEAN_TOKENS / found.mean()
        return np.clip(shape * scale, 40, MOST_TOKENS).astype(int)

    def draw(self, length: int) -> tuple[Any, str]:
        """Token ids and their text, which ends with an answer."""
        chosen = np.searchsorted(self.mass, self.rng.random(length))
        text = "".join([self.words[number] for number in chosen.tolist()])
        return self.ids[chosen], f"{text} </think> <answer> \\boxed{{{self.rng.integers(3)}}} </answer>"

    def prompts(self, count: int) -> list[Prompt]:
        """Problems whose answer is 1."""
        prompts = []
        for number in range(count):
            ids, text = self.draw(PROMPT_TOKENS)
            problem = Problem(benchmark="train", problem_id=f"p{number}", question=text, gold="1", kind="math")
            prompts.append(Prompt(problem=problem, text=text, token_ids=tuple(ids.tolist())))
        return prompts


class FakeSampler(Sampler):
    """Gives the completions of a group at a time, and waits until the recorder has nothing to do, as real ones do."""

    engines = (0,)

    def __init__(self, source: Source, num_rollouts: int) -> None:
        self._source, self._lengths = source, iter(source.lengths(num_rollouts).tolist())
        self.cpu_s = 0.0
        """What making up the completions took in the main thread."""
        self.done_at: tuple[float, float] = (0.0, 0.0)
        """CPU time of process and main thread when the last completion was handed over."""

    def generate(self, requests: Iterable[Request], sampling: Sampling) -> Iterator[list[Completion]]:
        group: list[Request] = []
        for request in requests:
            group.append(request)
            if len(group) == 64:
                yield self._group(group)
                start = time.thread_time()
                _wait_until_idle()
                self.cpu_s += time.thread_time() - start
                group = []
        if group:
            yield self._group(group)
        self.done_at = time.process_time(), time.thread_time()

    def _group(self, group: Sequence[Request]) -> list[Completion]:
        start = time.thread_time()
        found = []
        for request in group:
            length = next(self._lengths)
            ids, text = self._source.draw(length)
            logprobs = -self._source.rng.exponential(0.4, size=length).astype(np.float32)
            found.append(
                Completion(
                    problem_id=request.problem.problem_id,
                    sample_index=request.sample_index,
                    seed=request.seed,
                    text=text,
                    num_tokens=length,
                    stop_reason="length" if length >= MOST_TOKENS else "stop_string",
                    token_ids=as_engines_give(ids),
                    logprobs=as_engines_give(logprobs),
                    policy_version=0,
                )
            )
        self.cpu_s += time.thread_time() - start
        return found

    def on_all(self, method: Any, sources: Sources | None = None, **settings: Any) -> None: ...

    def close(self) -> None: ...


def _wait_until_idle() -> None:
    before = time.process_time()
    while True:
        time.sleep(_IDLE_S)
        now = time.process_time()
        if now - before < _IDLE_S / 10:
            return
        before = now


def as_engines_give(numbers: Any) -> Any:
    """The type that our engines put into a completion."""
    return Numbers(numbers, numbers.dtype)


class FakeModel(ModelGroup):
    """Outputs of the right shapes. Its arguments are serialised as Ray serialises them, and dropped."""

    def __init__(self, num_ranks: int) -> None:
        self.num_ranks = num_ranks
        self.messages = {"cpu_s": 0.0, "bytes": 0}

    def ready(self) -> None: ...

    def sending_weights(self, engines: tuple[int, ...]) -> AbstractContextManager[Sources]:
        return nullcontext(dict.fromkeys(engines))

    def start(self, method: Any, shares: Sequence[Any] | None = None, **settings: Any) -> Done:
        start = time.process_time()
        for share in shares or ():
            buffers: list[Any] = []
            body = pickle.dumps(share, protocol=5, buffer_callback=buffers.append)
            self.messages["bytes"] += len(body) + sum(each.raw().nbytes for each in buffers)
        self.messages["cpu_s"] += time.process_time() - start
        if method in ("logprobs", "values"):
            return _PerRank([[torch.full((pack.num_targets,), 0.3) for pack in share] for share in shares or ()])
        if method.startswith("update"):
            return _PerRank([[_updated(items) for items in share] for share in shares or ()])
        return _PerRank([None] * self.num_ranks)


class _PerRank(Done):
    def results(self) -> list[Any]:
        return list(self.value)


def _updated(items: Sequence[Any]) -> Update:
    outputs = [torch.full((len(item.weights_R),), -0.4) for item in items]
    return Update(loss=0.1, clipped=0.0, grad_norm=1.0, logprobs=outputs, entropies=outputs)


class FakeCluster:
    """Models of a learner."""

    def __init__(self) -> None:
        self.models: list[FakeModel] = []

    def open_model(self, spec: ModelSpec, num_ranks: int) -> FakeModel:
        self.models.append(FakeModel(num_ranks))
        return self.models[-1]

    def open_sampler(self, spec: Any) -> Any: ...

    def close(self) -> None: ...
