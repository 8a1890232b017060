"""MMLU by log-likelihood: our engines with shared prefixes against lm-eval's own hf backend, question by question.

lm-eval builds its own prompts from the same rows, so agreement covers
them too. Needs real data, lm-eval and a checkpoint: orz-bench model fetch smollm2-135m --out models/smollm2-135m
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from _record import HERE, data_folder, keep

from orz_bench.asking.templates import mmlu
from orz_bench.benchmarks.loading.load import load_problems
from orz_bench.benchmarks.registry import get_benchmark
from orz_bench.engines.engine import EngineSpec, LikelihoodRequest
from orz_bench.engines.local import open_local
from orz_bench.engines.tokenizer import load_tokenizer
from orz_bench.evaluation.likelihood import with_options
from orz_bench.records.rollout import Problem, Request
from tests.support.mmlu_task import write_task

SUBJECTS = ("abstract_algebra", "global_facts", "college_medicine", "formal_logic", "us_foreign_policy")
QUESTIONS = int(os.environ.get("ORZ_QUESTIONS", "12"))
"""Of each subject."""
PASSES = int(os.environ.get("ORZ_PASSES", "2"))
BATCH = 8
"""Of lm-eval, whose logits are those of all tokens."""


def main() -> None:
    checkpoint = HERE.parent / "models" / "smollm2-135m"
    checkpoint = Path(os.environ.get("ORZ_CHECKPOINT", checkpoint))
    if not (checkpoint / "config.json").is_file():
        sys.exit("this benchmark needs a checkpoint; run: orz-bench model fetch smollm2-135m --out models/smollm2-135m")
    data = data_folder()
    loaded = load_problems(get_benchmark("mmlu"), folders=[data], with_examples=True)
    chosen = [p for subject in SUBJECTS for p in _of_subject(loaded.problems, subject)[:QUESTIONS]]
    spec = EngineSpec(name="transformers", checkpoint=str(checkpoint), dtype="float32")
    tokenizer = load_tokenizer(spec)
    assert tokenizer is not None
    prompts = [mmlu(problem, tokenizer) for problem in chosen]
    requests = with_options(
        [
            Request(problem=p, sample_index=0, seed=0, prompt=prompt, prompt_token_ids=tokenizer.encode(prompt))
            for p, prompt in zip(chosen, prompts, strict=True)
        ],
        tokenizer,
    )
    engine = open_local(spec)
    with tempfile.TemporaryDirectory() as scratch:
        model, instances = _harness(Path(scratch), data, checkpoint)
        ours_s, theirs_s = [], []
        for _ in range(PASSES):
            start = time.perf_counter()
            ours = _ours(engine, requests)
            ours_s.append(time.perf_counter() - start)
            start = time.perf_counter()
            theirs = [found[0] for found in model.loglikelihood(instances, disable_tqdm=True)]
            theirs_s.append(time.perf_counter() - start)
        assert [instance.args[0] for instance in instances[::4]] == prompts, "lm-eval shows another prompt"
    keep("likelihood_speed", _result(ours, theirs, times=(ours_s, theirs_s)))


def _result(
    ours: Sequence[float], theirs: Sequence[float], *, times: tuple[list[float], list[float]]
) -> dict[str, Any]:
    pairs = [(ours[at : at + 4], theirs[at : at + 4]) for at in range(0, len(ours), 4)]
    same = sum(max(range(4), key=one.__getitem__) == max(range(4), key=other.__getitem__) for one, other in pairs)
    ours_s, theirs_s = times
    return {
        "model": "SmolLM2-135M, float32, transformers engine against lm-eval's hf backend",
        "subjects": list(SUBJECTS),
        "questions": len(pairs),
        "same_choice": same,
        "largest_difference_of_log_likelihoods": max(abs(a - b) for a, b in zip(ours, theirs, strict=True)),
        "ours_s": [round(seconds, 1) for seconds in ours_s],
        "lm_eval_hf_s": [round(seconds, 1) for seconds in theirs_s],
        "times_faster": round(min(theirs_s) / min(ours_s), 2),
    }


def _of_subject(problems: Sequence[Problem], subject: str) -> list[Problem]:
    return [problem for problem in problems if problem.extra["subject"] == subject]


def _ours(engine: Any, requests: Sequence[Request]) -> list[float]:
    asked = [LikelihoodRequest.of(request) for request in requests]
    found = {answer.key: answer.logprobs for answers in engine.loglikelihood(asked) for answer in answers}
    return [logprob for request in requests for logprob in found[request.key]]


def _harness(scratch: Path, data: Path, checkpoint: Path) -> tuple[Any, list[Any]]:
    """(lm-eval's hf model, its requests for the same questions)."""
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    for subject in SUBJECTS:
        write_task(scratch, data, subject=subject)
    loaded = TaskManager(include_path=str(scratch), include_defaults=False).load([f"local_{s}" for s in SUBJECTS])
    instances = []
    for subject in SUBJECTS:
        task = loaded["tasks"][f"local_{subject}"]
        task.set_config(key="num_fewshot", value=5)
        task.build_all_requests(limit=QUESTIONS, rank=0, world_size=1)
        instances += task.instances
    return HFLM(pretrained=str(checkpoint), dtype="float32", device="cpu", batch_size=BATCH), instances


if __name__ == "__main__":
    main()
