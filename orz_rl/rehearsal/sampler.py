"""Rows about the engine: it starts, gives its memory back and takes it again, and follows the policy's weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import torch

from orz_bench.benchmarks.arithmetic import generate_sums
from orz_bench.engines.engine import EngineSpec, Sampling
from orz_bench.engines.open import choose_engine
from orz_bench.engines.registry import get_engine
from orz_bench.engines.tokenizer import load_tokenizer
from orz_bench.errors import counted
from orz_bench.records.rollout import Completion, Request
from orz_rl.assets.resolve import TINY
from orz_rl.ppo.packs import Pack
from orz_rl.rehearsal.embedded import TERMS, a_spec, policy_packs
from orz_rl.rehearsal.rows import Check, Device, ImpossibleError, MismatchError
from orz_rl.rollout.problems import make_prompts
from orz_rl.workers.cluster import ModelGroup, Sampler
from orz_rl.workers.in_process import InProcessCluster

_SAMPLING = Sampling(max_tokens=48)
_PROBLEMS, _SAMPLES = 4, 2
_NATS = {"cpu": 0.02, "cuda": 0.05}
"""Mean difference of a token's log-probability between engine and trainer."""
_MEMORY_SHARE = 0.3


class Rehearsal:
    """One engine and one policy in this process, opened by the first row and used by all."""

    def __init__(self, device: Device, cluster: InProcessCluster) -> None:
        self._device: Device = device
        self._cluster = cluster
        self._name, _ = choose_engine("auto")
        self._sampler: Sampler | None = None
        self._policy: ModelGroup | None = None
        self._version = 0

    def checks(self) -> Iterator[Check]:
        """In the order of the table."""
        yield Check(f"{self._name} starts and samples", self._start, "a smaller rollout.gpu_memory_share")
        yield Check("it sleeps at level 2 and wakes", self._sleep, "cluster.colocate=false")
        yield Check("sampler and trainer agree", self._agree, "loss.importance_cap=2, rollout.engine=transformers")
        yield Check("they agree after new weights", self._agree_again, "rollout.engine=transformers")

    def _start(self) -> str:
        spec = EngineSpec(
            name=self._name,
            checkpoint=str(TINY),
            dtype="bfloat16" if self._device == "cuda" else "float32",
            max_model_len=512,
            keep_tokens=True,
            settings=get_engine(self._name).pick_settings(
                gpu_memory_share=_MEMORY_SHARE, sleeps=self._device == "cuda"
            ),
        )
        self._requests = _requests(spec)
        self._sampler = self._cluster.open_sampler(spec)
        completions = self._sample()
        return f"{counted(len(completions), 'sample')}, {sum(each.num_tokens for each in completions)} tokens"

    def _sleep(self) -> str:
        sampler = self._opened()
        if self._device == "cpu" or self._name != "vllm":
            sampler.sleep()
            sampler.wake_weights()
            sampler.wake_cache()
            why = "on a CPU vllm keeps its memory" if self._device == "cpu" else f"{self._name} keeps its memory"
            raise ImpossibleError(f"{why} (the calls were made)")
        free, total = torch.cuda.mem_get_info()
        sampler.sleep()
        asleep = torch.cuda.mem_get_info()[0]
        sampler.wake_weights()
        self._synchronise()
        sampler.wake_cache()
        awake = torch.cuda.mem_get_info()[0]
        gained = (asleep - free) / 2**30
        if gained < 0.8 * _MEMORY_SHARE * total / 2**30:
            raise MismatchError(f"{gained:.1f} GiB became free of {_MEMORY_SHARE * total / 2**30:.1f} that it had")
        self._sample()
        return f"{gained:.1f} GiB free while it slept, {(asleep - awake) / 2**30:.1f} taken again; it samples"

    def _agree(self) -> str:
        self._synchronise()
        return self._difference()

    def _agree_again(self) -> str:
        """After updates that move every weight: embeddings that are tied, projections that the engine fuses."""
        if self._policy is None:
            raise ImpossibleError("the row above did not start a policy")
        updates = self._policy.update_policy([[policy_packs()] * 3], lr=[3e-3] * 3, terms=TERMS).results()
        assert len(updates) == 1
        moved = self._difference(wanted=False)
        self._synchronise()
        return f"{self._difference()}; before they arrived {moved}"

    def _difference(self, *, wanted: bool = True) -> str:
        assert self._policy is not None
        completions = self._sample()
        by_key = {request.key: request for request in self._requests}
        packs = [
            Pack.of([(list(by_key[one.problem_id, one.sample_index].prompt_token_ids or ()), list(_ids(one)))])
            for one in completions
        ]
        (found,) = self._policy.logprobs([packs]).results()
        sampled = torch.tensor([number for one in completions for number in _logprobs(one)])
        difference = float((torch.cat(found) - sampled).abs().mean())
        limit = _NATS[self._device]
        if wanted and not difference <= limit:
            raise MismatchError(f"log-probabilities differ by {difference:.3g} nats a token, at most {limit:g} wanted")
        return f"{difference:.2g} nats a token"

    def _synchronise(self) -> None:
        if self._policy is None:
            stage = 3 if self._device == "cuda" else 0
            dtype = "bfloat16" if self._device == "cuda" else "float32"
            self._policy = self._cluster.open_model(a_spec(self._device, dtype=dtype, zero_stage=stage), 1)
        self._version += 1
        sampler = self._opened()
        with self._policy.sending_weights(sampler.engines) as sources:
            sampler.load_weights(sources, version=self._version)

    def _sample(self) -> list[Completion]:
        stream = self._opened().generate(self._requests, _SAMPLING)
        completions = [completion for finished in stream for completion in finished]
        if len(completions) != len(self._requests):
            raise MismatchError(f"{len(completions)} of {counted(len(self._requests), 'sample')} came back")
        return completions

    def _opened(self) -> Sampler:
        if self._sampler is None:
            raise ImpossibleError("the engine did not start")
        return self._sampler


def checks(device: Device, _folder: Path) -> Iterator[Check]:
    """The rows; the engine is closed after the last."""
    with closing(InProcessCluster()) as cluster:
        yield from Rehearsal(device, cluster).checks()


def _requests(spec: EngineSpec) -> list[Request]:
    tokenizer = load_tokenizer(spec)
    assert tokenizer is not None
    problems = generate_sums(split="train", num_problems=_PROBLEMS)
    prompts = make_prompts(problems, tokenizer, template="orz-code", max_tokens=400).prompts
    return [
        request
        for number, prompt in enumerate(prompts)
        for request in Request.group(
            prompt.problem,
            prompt=prompt.text,
            prompt_token_ids=prompt.token_ids,
            seeds=range(1000 * number, 1000 * number + _SAMPLES),
        )
    ]


def _ids(completion: Completion) -> Any:
    assert completion.token_ids is not None
    return completion.token_ids


def _logprobs(completion: Completion) -> Any:
    assert completion.logprobs is not None
    return completion.logprobs
