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

from orz_bench.engines.distinct import Distinct
from orz_bench.engines.endings import Endings, cut_after_stop
from orz_bench.engines.engine import EngineSpec, LikelihoodRequest, Likelihoods, Notice, Sampling, WeightSource
from orz_bench.engines.settings import TransformersSettings
from orz_bench.engines.soundness import not_finite, require_known_ids, require_whole, unknown_ids, unloadable
from orz_bench.engines.transformers.attention import attend_by_groups
from orz_bench.engines.transformers.decoding import Decoder, Draft, decode
from orz_bench.engines.transformers.drawing import TransformersDrawing
from orz_bench.engines.transformers.likelihood import LikelihoodScorer
from orz_bench.errors import EngineError, counted
from orz_bench.models.limits import ModelConfig
from orz_bench.records.arrays import logprobs, token_ids
from orz_bench.records.rollout import Completion, Request


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
        if self._device.type == "cpu":
            attend_by_groups(self._model)
        self._eos = _eos_ids(self._model, self._tokenizer)
        self._rows = int(model.get_input_embeddings().weight.shape[0])
        unknown = unknown_ids(self._tokenizer, rows=self._rows, checkpoint=spec.checkpoint)
        self._unknown = torch.tensor(unknown, dtype=torch.long, device=self._device) if unknown else None
        self._policy_version: int | None = None

    def generate(self, requests: Iterable[Request], sampling: Sampling) -> Iterator[list[Completion]]:
        """Blocks of `batch_size` consecutive requests, in order."""
        sampling.refuse_penalties()
        waiting = Distinct(requests)
        while batch := list(islice(waiting, self._batch_size)):
            yield self._generate_batch(batch, sampling)

    def draw(self, sampling: Sampling) -> TransformersDrawing:
        """Batches of up to `batch_size`, filled up when half of their samples are complete."""
        sampling.refuse_penalties()
        return TransformersDrawing(
            self._decoder(sampling),
            batch_size=self._batch_size,
            to_draft=lambda request: self._draft(request, sampling),
            to_completion=lambda request, draft: self._completion(request, draft, stop=sampling.stop),
            version=self._policy_version or 0,
        )

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
        drafts = [self._draft(request, sampling) for request in requests]
        decode(self._decoder(sampling), drafts)
        return [
            self._completion(request, draft, stop=sampling.stop)
            for request, draft in zip(requests, drafts, strict=True)
        ]

    def _decoder(self, sampling: Sampling) -> Decoder:
        return Decoder(
            model=self._model,
            sampling=sampling,
            ending=Endings(self._tokenizer, stop=sampling.stop, eos=self._eos).reason,
            device=self._device,
            never=self._unknown,
            fault=lambda: not_finite(self._spec.checkpoint),
        )

    def _draft(self, request: Request, sampling: Sampling) -> Draft:
        """The sample as far as it is drawn: token i takes the i-th random number of its seed, wherever it was cut."""
        prompt, drawn, draw = request.prompt_token_ids or (), request.drawn, random.Random(request.seed)
        require_known_ids(prompt, rows=self._rows, checkpoint=self._spec.checkpoint)
        draft = Draft(
            prompt=prompt, room=self._room(len(prompt), request.room(sampling.max_tokens)), uniform=draw.random
        )
        if drawn is not None:
            draft.tokens, draft.logprobs = list(drawn.token_ids), list(drawn.logprobs)
            for _ in draft.tokens:
                draw.random()
        return draft

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
            text=cut_after_stop(text, stop) if draft.ended == "stop_string" else text,
            num_tokens=len(draft.tokens),
            stop_reason=draft.ended,
            token_ids=token_ids(draft.tokens) if keep else None,
            logprobs=logprobs(draft.logprobs) if keep else None,
            policy_version=self._policy_version,
        )


def _attention(checkpoint: str) -> dict[str, str]:
    """The slow attention if the fast one would silently omit soft-capping."""
    config = Path(checkpoint) / "config.json"
    is_capped = config.is_file() and ModelConfig(config).caps_attention
    return {"attn_implementation": "eager"} if is_capped else {}


def _eos_ids(model: Any, tokenizer: Any) -> list[int]:
    configured = model.generation_config.eos_token_id
    ids = configured if isinstance(configured, list) else [configured]
    return sorted({i for i in (*ids, tokenizer.eos_token_id) if i is not None})
