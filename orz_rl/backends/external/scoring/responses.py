"""Reads a response as an engine of another trainer returned it: token ids, from which text and end follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orz_bench.engines.engine import Sampling
from orz_bench.errors import RecordError, counted
from orz_bench.models.json_file import read_object
from orz_bench.records.rollout import Completion, Request, StopReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What a trainer sends."""

    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...] | None = None
    """Of the distribution that was sampled from."""
    is_truncated: bool | None = None
    """Whether the engine reported its token limit; None if the trainer does not pass that on."""
    policy_version: int | None = None


class Reader:
    """Turns responses into completions."""

    def __init__(self, checkpoint: str, sampling: Sampling, *, max_sequence: int) -> None:
        from transformers import AutoTokenizer

        self._tokenizer: Any = AutoTokenizer.from_pretrained(checkpoint)
        self._sampling, self._max_sequence = sampling, max_sequence
        self._eos = _end_tokens(Path(checkpoint)) | {self._tokenizer.eos_token_id} - {None}

    def completion(self, request: Request, response: Response) -> Completion:
        """RecordError for a response that no engine can have ended: its text is never guessed."""
        text = self._tokenizer.decode(response.token_ids, skip_special_tokens=True)
        ended = self._ended(request, response, text=text)
        return Completion(
            problem_id=request.problem.problem_id,
            sample_index=request.sample_index,
            seed=request.seed,
            text=_cut_after(text, self._sampling.stop) if ended == "stop_string" else text,
            num_tokens=len(response.token_ids),
            stop_reason=ended,
            token_ids=response.token_ids,
            logprobs=response.logprobs,
            policy_version=response.policy_version,
        )

    def _ended(self, request: Request, response: Response, *, text: str) -> StopReason:
        """The end token comes last; a stop string is in the text; else it was cut at the limit."""
        if response.is_truncated:
            return "length"
        if response.token_ids and response.token_ids[-1] in self._eos:
            return "eos"
        if any(string in text for string in self._sampling.stop):
            return "stop_string"
        room = min(self._sampling.max_tokens, self._max_sequence - len(request.prompt_token_ids or ()))
        if response.is_truncated is None and len(response.token_ids) >= room:
            return "length"
        raise RecordError(
            f"{request.problem.problem_id}, sample {request.sample_index}: "
            f"{counted(len(response.token_ids), 'token')} of at most {room} end without end token and without stop "
            f"string; the engine gave up, so there is no reward."
        )


def _cut_after(text: str, stop: Sequence[str]) -> str:
    """The text up to the end of its first stop string: the last token may contain more."""
    return text[: min(text.find(string) + len(string) for string in stop if string in text)]


def _end_tokens(checkpoint: Path) -> set[int]:
    """The end tokens of its generation config and its config."""
    found: set[int] = set()
    for name in ("generation_config.json", "config.json"):
        if not (checkpoint / name).is_file():
            continue
        ids = read_object(checkpoint / name).get("eos_token_id")
        found |= {number for number in (ids if isinstance(ids, list) else [ids]) if isinstance(number, int)}
    return found
