"""The fallback engine: transformers' generate, batch by batch, with a generator of its own for every sample.

A batch is a block of consecutive requests and is committed as a whole, so an interrupted run resumes with the same
batches and the same numerics.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    StoppingCriteria,
    StoppingCriteriaList,
)
from transformers.utils import logging

from orz_bench.engines.engine import EngineSpec, Sampling, WeightSource
from orz_bench.errors import EngineError
from orz_bench.records.rollout import Completion, Request, StopReason


class TransformersEngine:
    """Hugging Face generate on one device."""

    def __init__(self, spec: EngineSpec) -> None:
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._spec = spec
        logging.disable_progress_bar()
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(spec.checkpoint)
            model = AutoModelForCausalLM.from_pretrained(spec.checkpoint, dtype=getattr(torch, spec.dtype))
            self._model: Any = model.to(self._device).eval()
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise EngineError(f"{spec.checkpoint}: transformers cannot load it ({reason}).") from error
        self._eos = _eos_ids(self._model, self._tokenizer)
        self._pad = next((i for i in (self._tokenizer.pad_token_id, *self._eos) if i is not None), 0)
        self._policy_version: int | None = None

    def generate(self, requests: Iterable[Request], sampling: Sampling) -> Iterator[list[Completion]]:
        """Blocks of `batch_size` consecutive requests, in order."""
        waiting = iter(requests)
        while batch := list(islice(waiting, self._spec.batch_size)):
            yield self._generate_batch(batch, sampling)

    def close(self) -> None:
        """Free the model."""
        self._model = None
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def load_weights(self, source: WeightSource, *, version: int) -> None:
        """Copy every weight into the model; EngineError for a name that it lacks or one that is left out."""
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
            raise EngineError(f"{len(waiting)} weights were not sent to the engine ({min(waiting)}).")
        self._policy_version = version

    def sleep(self) -> None:
        """Leave the GPU."""
        self._model.to("cpu")
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def wake_weights(self) -> None:
        """Return to the device."""
        self._model.to(self._device)

    def wake_cache(self) -> None:
        """Nothing: each batch has its own cache."""

    def _generate_batch(self, requests: Sequence[Request], sampling: Sampling) -> list[Completion]:
        prompts = [list(request.prompt_token_ids or ()) for request in requests]
        longest = max(map(len, prompts))
        rooms = [self._room(len(prompt), sampling) for prompt in prompts]
        rows = [[self._pad] * (longest - len(prompt)) + prompt for prompt in prompts]
        mask = [[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts]
        sampler = _SeededSampling([request.seed for request in requests], sampling)
        stopper = _RowEnds(self._tokenizer, sampling.stop, prompt_length=longest, rooms=rooms)
        with torch.inference_mode():
            output = self._model.generate(
                torch.tensor(rows, device=self._device),
                attention_mask=torch.tensor(mask, device=self._device),
                generation_config=GenerationConfig(
                    do_sample=False, max_new_tokens=max(rooms), pad_token_id=self._pad, eos_token_id=self._eos or None
                ),
                logits_processor=LogitsProcessorList([sampler]),
                stopping_criteria=StoppingCriteriaList([stopper]),
            )
        new_tokens = output[:, longest:].tolist()
        return [
            self._completion(
                request, tokens[: rooms[row]], stop=sampling.stop, end=stopper.ends[row], logprobs=sampler.logprobs(row)
            )
            for row, (request, tokens) in enumerate(zip(requests, new_tokens, strict=True))
        ]

    def _room(self, prompt_length: int, sampling: Sampling) -> int:
        """New tokens that one sample may have, whatever shares its batch."""
        limit = self._spec.max_model_len
        return sampling.max_tokens if limit is None else min(sampling.max_tokens, limit - prompt_length)

    def _completion(
        self, request: Request, tokens: list[int], *, stop: Sequence[str], end: int | None, logprobs: list[float]
    ) -> Completion:
        eos_at = next((index for index, token in enumerate(tokens) if token in self._eos), None)
        reason: StopReason
        if end is not None and (eos_at is None or end <= eos_at):
            tokens, reason = tokens[:end], "stop_string"
        elif eos_at is not None:
            tokens, reason = tokens[: eos_at + 1], "eos"
        else:
            reason = "length"
        text = self._tokenizer.decode(tokens, skip_special_tokens=True)
        keep = self._spec.keep_tokens
        return Completion(
            problem_id=request.problem.problem_id,
            sample_index=request.sample_index,
            seed=request.seed,
            text=_cut_after_stop(text, stop) if reason == "stop_string" else text,
            num_tokens=len(tokens),
            stop_reason=reason,
            token_ids=tuple(tokens) if keep else None,
            logprobs=tuple(logprobs[: len(tokens)]) if keep else None,
            policy_version=self._policy_version,
        )


class _SeededSampling(LogitsProcessor):  # type: ignore[misc]
    """Temperature, top-k, top-p, then a draw from the row's own generator; generate() then takes the maximum."""

    def __init__(self, seeds: Sequence[int], sampling: Sampling) -> None:
        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self._sampling = sampling
        self._logprobs: list[list[float]] = []

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores that leave one token possible a row; shape (rows, vocabulary)."""
        sampling = self._sampling
        logits = scores.float().cpu()
        if sampling.temperature > 0:
            logits = logits / sampling.temperature
        logprobs = torch.log_softmax(logits, dim=-1)
        if sampling.temperature == 0:
            chosen = logits.argmax(dim=-1)
        else:
            noise = torch.stack([torch.rand(logits.shape[1], generator=generator) for generator in self._generators])
            gumbel = -torch.log(-torch.log(noise.clamp_min(1e-20)))
            chosen = (_truncate(logprobs, top_k=sampling.top_k, top_p=sampling.top_p) + gumbel).argmax(dim=-1)
        self._logprobs.append(logprobs.gather(1, chosen[:, None])[:, 0].tolist())
        only = torch.full_like(scores, float("-inf"))
        return only.scatter(1, chosen[:, None].to(scores.device), 0.0)

    def logprobs(self, row: int) -> list[float]:
        """The row's log-probabilities, one a token, at the sampling temperature and before top-k and top-p."""
        return [step[row] for step in self._logprobs]


class _RowEnds(StoppingCriteria):  # type: ignore[misc]
    """Ends a row when its text holds a stop string, remembering after how many tokens, or when its room is used up."""

    def __init__(self, tokenizer: Any, stop: Sequence[str], *, prompt_length: int, rooms: Sequence[int]) -> None:
        self._tokenizer = tokenizer
        self._stop = stop
        self._prompt_length = prompt_length
        self._rooms = rooms
        self._tail = max(map(len, stop), default=0) + 8
        """In tokens: more than any stop string of ordinary text has."""
        self.ends: list[int | None] = [None] * len(rooms)

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        """Which rows have ended; shape (rows,)."""
        length = input_ids.shape[1] - self._prompt_length
        if self._stop:
            tails = input_ids[:, self._prompt_length :][:, -self._tail :].tolist()
            texts = self._tokenizer.batch_decode(tails, skip_special_tokens=True)
            for row, text in enumerate(texts):
                if self.ends[row] is None and any(string in text for string in self._stop):
                    self.ends[row] = length
        is_done = [end is not None or length >= room for end, room in zip(self.ends, self._rooms, strict=True)]
        return torch.tensor(is_done, device=input_ids.device)


def _cut_after_stop(text: str, stop: Sequence[str]) -> str:
    """The text up to the end of its first stop string: the last token may hold more."""
    ends = [text.find(string) + len(string) for string in stop if string in text]
    return text[: min(ends, default=len(text))]


def _truncate(logprobs: torch.Tensor, *, top_k: int, top_p: float) -> torch.Tensor:
    if top_k > 0:
        kth = logprobs.topk(min(top_k, logprobs.shape[1]), dim=-1).values[:, -1:]
        logprobs = logprobs.masked_fill(logprobs < kth, float("-inf"))
    if top_p < 1:
        ordered, order = logprobs.softmax(dim=-1).sort(dim=-1, descending=True)
        outside = ordered.cumsum(dim=-1) - ordered >= top_p
        logprobs = logprobs.masked_fill(torch.zeros_like(outside).scatter(1, order, outside), float("-inf"))
    return logprobs


def _eos_ids(model: Any, tokenizer: Any) -> list[int]:
    configured = model.generation_config.eos_token_id
    ids = configured if isinstance(configured, list) else [configured]
    return sorted({i for i in (*ids, tokenizer.eos_token_id) if i is not None})
