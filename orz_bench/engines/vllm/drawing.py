"""Samples that outlive the weights that began them, on vLLM: what was drawn is the prompt's continuation.

vLLM looks for stop strings in what it has drawn itself. One that begins in tokens of older weights is looked for here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from orz_bench.engines.endings import Endings, cut_after_stop
from orz_bench.engines.engine import Sampling
from orz_bench.errors import EngineError
from orz_bench.records.rollout import Completion, Drawn, Request, StopReason


@dataclass(slots=True)
class _Sample:
    """One that vLLM has in hand."""

    request: Request
    tokens: list[int] = field(default_factory=list)
    """Drawn here."""
    logprobs: list[float] = field(default_factory=list)
    text: str = ""

    def drawn(self, version: int) -> Drawn | None:
        """All of its tokens; None: it has none."""
        older = self.request.drawn
        if not self.tokens:
            return older
        before: Any = ([], [], []) if older is None else (older.token_ids, older.logprobs, older.token_versions)
        ids, logprobs, versions = map(list, before)
        return Drawn(
            token_ids=[*ids, *self.tokens],
            logprobs=[*logprobs, *self.logprobs],
            token_versions=[*versions, *[version] * len(self.tokens)],
        )


class VllmDrawing:
    """A Drawing of vLLM."""

    def __init__(
        self,
        llm_engine: Any,
        *,
        sampling: Sampling,
        tokenizer: Any,
        submit: Callable[[Request, Sampling], str],
        step: Callable[[], list[Any]],
        version: int,
    ) -> None:
        self._llm_engine, self._sampling, self._tokenizer = llm_engine, sampling, tokenizer
        self._submit, self._step, self._version = submit, step, version
        self._endings = Endings(tokenizer, stop=sampling.stop, eos=())
        self._open: dict[str, _Sample] = {}

    @property
    def num_open(self) -> int:
        """Samples that are not complete."""
        return len(self._open)

    def add(self, requests: Iterable[Request]) -> None:
        """Begin these too, or go on with what was drawn of them."""
        for request in requests:
            self._open[self._submit(request, self._sampling)] = _Sample(request)

    def step(self) -> list[Completion]:
        """One iteration of vLLM."""
        if not self._open:
            return []
        ended = [self._ended(output) for output in self._step() if output.request_id in self._open]
        return [completion for completion in ended if completion is not None]

    def end(self) -> list[Request]:
        """The open requests with what was drawn of each."""
        self._llm_engine.abort_request(list(self._open))
        unfinished = [replace(each.request, drawn=each.drawn(self._version)) for each in self._open.values()]
        self._open = {}
        return unfinished

    def _ended(self, output: Any) -> Completion | None:
        """Add what is new to its sample; the sample if it is complete."""
        sample, (new,) = self._open[output.request_id], output.outputs
        sample.tokens += new.token_ids
        sample.text += new.text
        if new.token_ids:
            assert new.logprobs.token_ids == list(new.token_ids)
            sample.logprobs += new.logprobs.logprobs
        if output.finished:
            del self._open[output.request_id]
            return self._completion(sample, stop_reason_of(new.finish_reason, new.stop_reason))
        if self._ends_at_the_seam(sample):
            del self._open[output.request_id]
            self._llm_engine.abort_request([output.request_id])
            return self._completion(sample, "stop_string")
        return None

    def _ends_at_the_seam(self, sample: _Sample) -> bool:
        """Whether its text now has a stop string that older weights began."""
        older, tail = sample.request.drawn, self._endings.tail
        if older is None or not 0 < len(sample.tokens) <= tail:
            return False
        last = [*older.token_ids[-tail:], *sample.tokens]
        return self._endings.reason(last) is not None

    def _completion(self, sample: _Sample, reason: StopReason) -> Completion:
        drawn, request = sample.drawn(self._version), sample.request
        assert drawn is not None
        if not all(map(math.isfinite, sample.logprobs)):
            raise EngineError(
                f"{request.problem.problem_id}: vllm drew a token whose log-probability is not finite. The weights are "
                f"damaged, or overflow in this dtype: run `orz-rl doctor`, or use float32."
            )
        text = sample.text
        if request.drawn is not None:  # vLLM's text begins where it began
            text = self._tokenizer.decode(list(drawn.token_ids), skip_special_tokens=True)
            text = cut_after_stop(text, self._sampling.stop) if reason == "stop_string" else text
        return Completion(
            problem_id=request.problem.problem_id,
            sample_index=request.sample_index,
            seed=request.seed,
            text=text,
            num_tokens=len(drawn.token_ids),
            stop_reason=reason,
            token_ids=drawn.token_ids,
            logprobs=drawn.logprobs,
            policy_version=drawn.token_versions[0],
            token_versions=drawn.token_versions,
        )


def stop_reason_of(finish_reason: str, stop_reason: int | str | None) -> StopReason:
    """Why vLLM ended a sample, in our words. EngineError for what is no end."""
    if finish_reason == "length":
        return "length"
    if finish_reason != "stop":
        raise EngineError(
            f"vllm ended a sample with {finish_reason!r}; run the same command to generate what is missing."
        )
    return "stop_string" if isinstance(stop_reason, str) else "eos"
