"""MMLU without the model: loading, prompts, tokens, grading, rows and statistics of all 14,042 questions, in seconds.

Needs real data, and a checkpoint for its tokenizer: orz-bench model fetch smollm2-135m --out models/smollm2-135m
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from _record import HERE, data_folder, keep

from orz_bench.asking.protocol import get_protocol, make_card
from orz_bench.benchmarks.loading.load import load_problems
from orz_bench.benchmarks.registry import get_benchmark
from orz_bench.engines.engine import EngineSpec
from orz_bench.engines.fake import FakeEngine
from orz_bench.engines.tokenizer import load_tokenizer
from orz_bench.evaluation.evaluate import Evaluation, evaluate
from orz_bench.grading.grader import Grader, grader_version
from orz_bench.models.checkpoint import ModelIdentity
from orz_bench.records.rollout import Rollout
from orz_bench.records.run_dir import RunDir
from orz_bench.records.summary import EvalResult


class _Quiet:
    def notice(self, text: str) -> None: ...

    def started(self, evaluation: Evaluation, *, num_wanted: int, num_missing: int) -> None: ...

    def generating(self) -> None: ...

    def committed(self, rollouts: Sequence[Rollout]) -> None: ...

    def finished(self, result: EvalResult) -> None: ...


def main() -> None:
    checkpoint = Path(os.environ.get("ORZ_CHECKPOINT", HERE.parent / "models" / "smollm2-135m"))
    if not (checkpoint / "config.json").is_file():
        sys.exit("this benchmark needs a checkpoint; run: orz-bench model fetch smollm2-135m --out models/smollm2-135m")
    tokenizer = load_tokenizer(EngineSpec(name="transformers", checkpoint=str(checkpoint)))
    times = [time.perf_counter()]
    benchmark = get_benchmark("mmlu")
    loaded = load_problems(benchmark, folders=[data_folder()], with_examples=True)
    card = make_card(
        get_protocol("mmlu"),
        benchmark="mmlu",
        data_hash=loaded.data_hash,
        grader_version=grader_version("choice"),
        engine="fake 1",
        dtype="unknown",
        max_model_len=None,
    )
    times.append(time.perf_counter())
    evaluation = Evaluation(
        loaded=loaded,
        model=ModelIdentity(label="fake", step=0, digest="fake"),
        card=card,
        n=1,
        limit=None,
        seed=42,
        breakdowns=benchmark.breakdowns,
    )
    requests = evaluation.requests(tokenizer)
    times.append(time.perf_counter())
    engine = FakeEngine(EngineSpec(name="fake", checkpoint="fake"))
    with tempfile.TemporaryDirectory() as folder, Grader(extractor="likelihood") as grader:
        run = RunDir(Path(folder))
        evaluate(evaluation, requests, run=run, grader=grader, open_engine=lambda: engine, observer=_Quiet())
    times.append(time.perf_counter())
    stages = ("loading_s", "prompts_and_tokens_s", "grading_rows_and_statistics_s")
    result: dict[str, object] = {"questions": len(requests), "tokenizer": "SmolLM2-135M", "engine": "fake"}
    result |= {stage: round(end - start, 2) for stage, start, end in zip(stages, times, times[1:], strict=False)}
    keep("mmlu_preparation", result | {"total_s": round(times[-1] - times[0], 2)})


if __name__ == "__main__":
    main()
