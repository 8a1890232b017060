"""The evaluation loop against a bare LLM.generate, and against the transformers engine, on a real model.

loop: evaluate() with an open engine: drawn, graded, written to disk, read back and summarised.
bare: vllm.LLM(...).generate on the same prompts with the same parameters and seeds, results thrown away.
transformers: evaluate() with the fallback engine, in a process of its own.

No engine's start is counted; loop and bare share one LLM, alternate, and begin with an empty prefix cache.
Wants a checkpoint: `orz-bench model fetch smollm2-135m --out models/smollm2-135m`.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _record import keep

from orz_bench.asking.changes import ProtocolChanges
from orz_bench.asking.protocol import customise, get_protocol, make_card
from orz_bench.benchmarks.loading.load import load_problems
from orz_bench.benchmarks.registry import get_benchmark
from orz_bench.engines.engine import Engine, EngineSpec
from orz_bench.engines.local import open_local
from orz_bench.engines.tokenizer import load_tokenizer
from orz_bench.evaluation.evaluate import Evaluation, evaluate
from orz_bench.grading.grader import GRADER_VERSION, Grader
from orz_bench.models.checkpoint import find_checkpoints
from orz_bench.records.run_dir import RunDir

CHECKPOINT = "models/smollm2-135m"
PROBLEMS, N, MAX_TOKENS, DTYPE = 12, 4, 128, "float32"
REPEATS = 3


class Silent:
    def __getattr__(self, _name: str) -> Any:
        return lambda *_args, **_facts: None


def main() -> None:
    if sys.argv[1:] == ["transformers"]:
        print(json.dumps(_transformers_seconds()))
        return
    loop, bare, num_tokens = _vllm_seconds()
    done = subprocess.run([sys.executable, __file__, "transformers"], check=True, stdout=subprocess.PIPE, text=True)
    slow = json.loads(done.stdout.splitlines()[-1])
    ratios = [ours / theirs for ours, theirs in zip(loop, bare, strict=True)]
    per_token = {"vllm": statistics.median(loop) / num_tokens, "transformers": slow["seconds"] / slow["num_tokens"]}
    keep(
        "vllm_engine",
        {
            "samples": PROBLEMS * N,
            "tokens": num_tokens,
            "dtype": DTYPE,
            "loop_s": [round(value, 2) for value in loop],
            "bare_s": [round(value, 2) for value in bare],
            "loop_over_bare_median": round(statistics.median(ratios), 3),
            "transformers_s": round(slow["seconds"], 2),
            "tokens_per_second": {name: round(1 / spent, 1) for name, spent in per_token.items()},
            "vllm_over_transformers": round(per_token["transformers"] / per_token["vllm"], 2),
        },
    )


def _vllm_seconds() -> tuple[list[float], list[float], int]:
    from vllm import SamplingParams

    spec, evaluation = _prepared("vllm")
    requests = evaluation.requests(load_tokenizer(spec))
    engine: Any = open_local(spec)
    llm, sampling = engine._llm, evaluation.card.sampling
    prompts = [{"prompt_token_ids": list(request.prompt_token_ids or ())} for request in requests]
    settings = {"temperature": sampling.temperature, "max_tokens": sampling.max_tokens, "stop": list(sampling.stop)}
    parameters = [
        SamplingParams(n=1, seed=request.seed, include_stop_str_in_output=True, **settings) for request in requests
    ]
    loop, bare, texts = [], [], []
    with Grader(extractor="boxed") as grader:
        _timed(engine, evaluation, grader=grader, llm=llm)  # warms both
        for _ in range(REPEATS):
            llm.reset_prefix_cache()
            start = time.monotonic()
            outputs = llm.generate(prompts, parameters, use_tqdm=False)
            bare.append(time.monotonic() - start)
            texts = [output.outputs[0] for output in outputs]
            loop.append(_timed(engine, evaluation, grader=grader, llm=llm))
    engine.close()
    return loop, bare, sum(len(text.token_ids) for text in texts)


def _transformers_seconds() -> dict[str, float]:
    spec, evaluation = _prepared("transformers")
    engine = open_local(spec)
    with Grader(extractor="boxed") as grader, tempfile.TemporaryDirectory() as folder:
        start = time.monotonic()
        result = _evaluate(engine, evaluation, grader=grader, folder=folder)
        seconds = time.monotonic() - start
    return {"seconds": seconds, "num_tokens": result.summary.mean_tokens * result.summary.num_samples}


def _timed(engine: Engine, evaluation: Evaluation, *, grader: Grader, llm: Any) -> float:
    llm.reset_prefix_cache()
    with tempfile.TemporaryDirectory() as folder:
        start = time.monotonic()
        _evaluate(engine, evaluation, grader=grader, folder=folder)
        return time.monotonic() - start


def _evaluate(engine: Engine, evaluation: Evaluation, *, grader: Grader, folder: str) -> Any:
    requests = evaluation.requests(load_tokenizer(EngineSpec(name="vllm", checkpoint=CHECKPOINT)))
    run = RunDir(Path(folder))
    return evaluate(evaluation, requests, run=run, grader=grader, open_engine=lambda: engine, observer=Silent())


def _prepared(name: Any) -> tuple[EngineSpec, Evaluation]:
    if not Path(CHECKPOINT).is_dir():
        sys.exit(f"no {CHECKPOINT}: run `orz-bench model fetch smollm2-135m --out {CHECKPOINT}` first")
    loaded = load_problems(get_benchmark("arithmetic"))
    changes = ProtocolChanges(template="chat", max_tokens=MAX_TOKENS, n=N, extractor="boxed")
    spec = EngineSpec(name=name, checkpoint=CHECKPOINT, dtype=DTYPE, max_model_len=512)
    card = make_card(
        customise(get_protocol("orz"), changes),
        benchmark="arithmetic",
        data_hash=loaded.data_hash,
        grader_version=GRADER_VERSION,
        engine=name,
        dtype=DTYPE,
        max_model_len=512,
    )
    (checkpoint,) = find_checkpoints(CHECKPOINT, engine=name, step=None)
    return spec, Evaluation(loaded=loaded, model=checkpoint.model, card=card, n=N, limit=PROBLEMS, seed=42)


if __name__ == "__main__":
    main()
