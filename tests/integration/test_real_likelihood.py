"""Log-likelihoods of MMLU's options as lm-eval's own backend computes them, from its own prompts.

Of a fifth of SmolLM2-135M: what is compared is who computes it, and every layer computes the same.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from orz_bench.asking.templates import mmlu
from orz_bench.benchmarks.loading.load import load_problems
from orz_bench.benchmarks.registry import get_benchmark
from orz_bench.engines.engine import EngineSpec, LikelihoodEngine, LikelihoodRequest, Tokenizer
from orz_bench.engines.local import open_local
from orz_bench.engines.tokenizer import load_tokenizer
from orz_bench.evaluation.likelihood import with_options
from orz_bench.models.transformers_imports import leave_out_unused
from orz_bench.records.rollout import Problem, Request
from tests.support.mmlu_task import write_task
from tests.support.shared_data import shared_data

pytestmark = [pytest.mark.real_model, pytest.mark.slow]

SUBJECTS = ("world_religions", "miscellaneous", "abstract_algebra", "global_facts", "formal_logic")


@pytest.fixture(scope="module")
def problems() -> tuple[Problem, ...]:
    """One of each subject."""
    found = load_problems(get_benchmark("mmlu"), folders=[shared_data()], with_examples=True).problems
    return tuple(next(p for p in found if p.extra["subject"] == name) for name in SUBJECTS)


@pytest.fixture(scope="module")
def checkpoint(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """SmolLM2-135M without all but its first six layers."""
    from transformers import AutoModelForCausalLM

    leave_out_unused()
    folder = tmp_path_factory.mktemp("models") / "six-layers"
    shutil.copytree(smollm2, folder)
    AutoModelForCausalLM.from_pretrained(smollm2, num_hidden_layers=6).save_pretrained(folder)
    return str(folder)


def requests_for(tokenizer: Tokenizer, chosen: Sequence[Problem]) -> list[Request]:
    prompts = [mmlu(problem, tokenizer) for problem in chosen]
    requests = [
        Request(problem=problem, sample_index=0, seed=0, prompt=prompt, prompt_token_ids=tokenizer.encode(prompt))
        for problem, prompt in zip(chosen, prompts, strict=True)
    ]
    return with_options(requests, tokenizer)


def answered(engine: Any, requests: list[LikelihoodRequest]) -> list[tuple[float, ...]]:
    assert isinstance(engine, LikelihoodEngine)
    found = {answer.key: answer.logprobs for answers in engine.loglikelihood(requests) for answer in answers}
    engine.close()
    return [found[request.key] for request in requests]


def asked(requests: list[Request], *extra: tuple[int, ...]) -> list[LikelihoodRequest]:
    return [
        LikelihoodRequest(
            key=request.key,
            context=request.prompt_token_ids or (),
            continuations=(*request.options, *extra),
            num_shared=request.num_shared,
        )
        for request in requests
    ]


def test_five_subjects_are_as_lm_eval_has_them(checkpoint: str, problems: tuple[Problem, ...], tmp_path: Path) -> None:
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    spec = EngineSpec(name="transformers", checkpoint=checkpoint, dtype="float32")
    tokenizer = load_tokenizer(spec)
    assert tokenizer is not None
    requests = requests_for(tokenizer, problems)
    for subject in SUBJECTS:
        write_task(tmp_path, shared_data(), subject=subject)
    manager = TaskManager(include_path=str(tmp_path), include_defaults=False)
    tasks = manager.load([f"local_{subject}" for subject in SUBJECTS])["tasks"]
    instances = []
    for subject in SUBJECTS:
        tasks[f"local_{subject}"].set_config(key="num_fewshot", value=5)
        tasks[f"local_{subject}"].build_all_requests(limit=1, rank=0, world_size=1)
        instances += tasks[f"local_{subject}"].instances
    assert [instance.args for instance in instances] == [
        (request.prompt, f" {letter}") for request in requests for letter in "ABCD"
    ]
    backend = HFLM(pretrained=checkpoint, dtype="float32", device="cpu", batch_size=1)
    theirs = [logprob for logprob, _ in backend.loglikelihood(instances, disable_tqdm=True)]
    ours = [logprob for logprobs in answered(open_local(spec), asked(requests)) for logprob in logprobs]
    assert ours == pytest.approx(theirs, abs=1e-3)


def test_vllm_agrees_with_transformers_also_on_longer_continuations(
    checkpoint: str, problems: tuple[Problem, ...]
) -> None:
    spec = EngineSpec(name="transformers", checkpoint=checkpoint, dtype="float32")
    tokenizer = load_tokenizer(spec)
    assert tokenizer is not None
    requests = requests_for(tokenizer, problems[:2])
    longer = asked(requests[:1], tokenizer.encode(" A because"), tokenizer.encode(" None of these"))
    wanted = answered(open_local(spec), [*longer, *asked(requests[1:])])
    vllm = open_local(EngineSpec(name="vllm", checkpoint=checkpoint, dtype="float32", max_model_len=2048))
    for ours, theirs in zip(answered(vllm, [*longer, *asked(requests[1:])]), wanted, strict=True):
        assert ours == pytest.approx(theirs, abs=2e-3)
