"""The fallback engine: a transformers model, batch by batch; every sample has its own random numbers.

A batch is a block of consecutive requests and is committed as a whole, so an interrupted run resumes with the same
batches and the same numerics.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

from orz_bench.engines.engine import (
    Distinct,
    EngineSpec,
    LikelihoodRequest,
    Likelihoods,
    Notice,
    Sampling,
    WeightSource,
    refuse_penalties,
)
from orz_bench.engines.settings import TransformersSettings
from orz_bench.engines.soundness import not_finite, require_known_ids, require_whole, unknown_ids, unloadable
from orz_bench.engines.transformers.decoding import Draft, decode
from orz_bench.engines.transformers.likelihood import LikelihoodScorer
from orz_bench.errors import EngineError, counted
from orz_bench.models.limits import ModelConfig
from orz_bench.records.arrays import logprobs, token_ids
from orz_bench.records.rollout import Completion, Request, StopReason


class TransformersEngine:
    """A Hugging Face model on one device."""

    def __init__(self, spec: EngineSpec, *, notice: Notice | None = None) -> None:
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._spec = spec
        self._batch_size = TransformersSettings.of(spec.settings).batch_size
        logging.disable_progress_bar()
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(spec.checkpoint)
            model, loading = AutoModelForCausalLM.from_pretrained(
                spec.checkpoint,
                dtype=getattr(torch, spec.dtype),
                use_safetensors=True,  # the other weight files are pickles, which can execute code
                ignore_mismatched_sizes=True,  # so that they are reported with all other faults
                output_loading_info=True,
                **_attention(spec.checkpoint),
            )
        except Exception as error:  # whatever the library raises, the message must name the file
            raise unloadable(spec.checkpoint, error) from error
        require_whole(loading, spec.checkpoint)
        self._model: Any = model.to(self._device).eval()
        self._eos = _eos_ids(self._model, self._tokenizer)
        self._rows = int(model.get_input_embeddings().weight.shape[0])
        unknown = unknown_ids(self._tokenizer, rows=self._rows, checkpoint=spec.checkpoint)
        self._unknown = torch.tensor(unknown, dtype=torch.long, device=self._device) if unknown else None
        self._policy_version: int | None = None

    def generate(self, requests: Iterable[Request], sampling: Sampling) -> Iterator[list[Completion]]:
        """Blocks of `batch_size` consecutive requests, in order."""
        refuse_penalties(sampling)
        waiting = Distinct(requests)
        while batch := list(islice(waiting, self._batch_size)):
            yield self._generate_batch(batch, sampling)

    def loglikelihood(self, requests: Iterable[LikelihoodRequest]) -> Iterator[list[Likelihoods]]:
        """Blocks of consecutive requests that share their leading tokens, in order."""
        scorer = LikelihoodScorer(self._model, device=self._device, batch_size=self._batch_size)
        for block in scorer.answer(Distinct(self._checked(requests))):
            if not all(math.isfinite(logprob) for answer in block for logprob in answer.logprobs):
                raise not_finite(self._spec.checkpoint)
            yield block

    def close(self) -> None:
        """Free the model."""
        self._model = None
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def load_weights(self, source: WeightSource, *, version: int) -> None:
        """Copy every weight into the model; EngineError for an unknown or a missing name."""
        own = dict(self._model.named_parameters())
        tied = {"lm_head.weight"} if self._model.config.tie_word_embeddings else set()
        waiting = set(own)
        with torch.no_grad():
            for name, tensor in source.tensors(self._device):
                if name in own:
                    own[name].copy_(tensor)
                elif name not in tied:
                    raise EngineError(f"the engine's model has no weight {name}; policy and engine differ.")
                waiting.discard(name)
        if waiting:
            raise EngineError(
                f"{counted(len(waiting), 'weight', verb=('was', 'were'))} not sent to the engine ({min(waiting)})."
            )
        self._policy_version = version

    def sleep(self) -> None:
        """Move the model off the GPU."""
        self._model.to("cpu")
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def wake_weights(self) -> None:
        """Move the model back to the device."""
        self._model.to(self._device)

    def wake_cache(self) -> None:
        """Nothing: each batch has its own cache."""

    def _checked(self, requests: Iterable[LikelihoodRequest]) -> Iterator[LikelihoodRequest]:
        for request in requests:
            ids = [*request.context, *(token for tokens in request.continuations for token in tokens)]
            require_known_ids(ids, rows=self._rows, checkpoint=self._spec.checkpoint)
            yield request

    def _generate_batch(self, requests: Sequence[Request], sampling: Sampling) -> list[Completion]:
        drafts = [
            Draft(
                prompt=prompt,
                room=self._room(len(prompt), request.room(sampling.max_tokens)),
                uniform=random.Random(request.seed).random,
            )
            for request in requests
            for prompt in [request.prompt_token_ids or ()]
        ]
        for draft in drafts:
            require_known_ids(draft.prompt, rows=self._rows, checkpoint=self._spec.checkpoint)
        endings = _Endings(self._tokenizer, stop=sampling.stop, eos=self._eos)
        try:
            decode(
                self._model,
                drafts,
                sampling=sampling,
                ending=endings.reason,
                device=self._device,
                never=self._unknown,
            )
        except FloatingPointError as error:
            raise not_finite(self._spec.checkpoint) from error
        return [
            self._completion(request, draft, stop=sampling.stop)
            for request, draft in zip(requests, drafts, strict=True)
        ]

    def _room(self, prompt_length: int, max_tokens: int) -> int:
        """Limit of new tokens of one sample; it does not depend on the batch."""
        limit = self._spec.max_model_len
        return max_tokens if limit is None else min(max_tokens, limit - prompt_length)

    def _completion(self, request: Request, draft: Draft, *, stop: Sequence[str]) -> Completion:
        assert draft.ended is not None
        text = self._tokenizer.decode(draft.tokens, skip_special_tokens=True)
        keep = self._spec.keep_tokens
        return Completion(
            problem_id=request.problem.problem_id,
            sample_index=request.sample_index,
            seed=request.seed,
            text=_cut_after_stop(text, stop) if draft.ended == "stop_string" else text,
            num_tokens=len(draft.tokens),
            stop_reason=draft.ended,
            token_ids=token_ids(draft.tokens) if keep else None,
            logprobs=logprobs(draft.logprobs) if keep else None,
            policy_version=self._policy_version,
        )


class _Endings:
    """Detects the end of a sample: an end token, or a stop string in its text."""

    def __init__(self, tokenizer: Any, *, stop: Sequence[str], eos: Sequence[int]) -> None:
        self._tokenizer, self._stop, self._eos = tokenizer, stop, frozenset(eos)
        self._tail = max(map(len, stop), default=0) + 8
        """In tokens: more than any stop string has."""
        self._last = {string[-1] for string in stop}
        self._can_complete: dict[int, bool] = {}

    def reason(self, tokens: Sequence[int]) -> StopReason | None:
        """Why a sample ends with the newest of its tokens, or None."""
        newest = tokens[-1]
        if newest in self._eos:
            return "eos"
        if not self._stop or not self._completes(newest):
            return None
        text = self._tokenizer.decode(tokens[-self._tail :], skip_special_tokens=True)
        return "stop_string" if any(string in text for string in self._stop) else None

    def _completes(self, token: int) -> bool:
        """Whether the token's text has the last character of a stop string: only then can a stop string be complete.

        A character of several bytes may be split over tokens, so for such a stop string every token counts.
        """
        if token not in self._can_complete:
            text = self._tokenizer.decode([token])
            self._can_complete[token] = any(last in text or not last.isascii() for last in self._last)
        return self._can_complete[token]


def _cut_after_stop(text: str, stop: Sequence[str]) -> str:
    """The text up to the end of its first stop string: the last token may contain more."""
    ends = [text.find(string) + len(string) for string in stop if string in text]
    return text[: min(ends, default=len(text))]


def _attention(checkpoint: str) -> dict[str, str]:
    """The slow attention if the fast one would silently omit soft-capping."""
    config = Path(checkpoint) / "config.json"
    is_capped = config.is_file() and ModelConfig(config).caps_attention
    return {"attn_implementation": "eager"} if is_capped else {}


def _eos_ids(model: Any, tokenizer: Any) -> list[int]:
    configured = model.generation_config.eos_token_id
    ids = configured if isinstance(configured, list) else [configured]
    return sorted({i for i in (*ids, tokenizer.eos_token_id) if i is not None})
