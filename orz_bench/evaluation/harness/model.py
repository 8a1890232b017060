"""One of our engines as lm-eval's model: generation, log-likelihoods and rolling log-likelihoods.

Where a text does not fit, its left end is cut, as lm-eval's own backends do; how often is counted. Answers go to a file
as they are found, so that a stopped evaluation resumes.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lm_eval.api.model import TemplateLM
from lm_eval.models.utils import normalize_gen_kwargs, postprocess_generated_text
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

from orz_bench.engines.engine import Engine, LikelihoodEngine, LikelihoodRequest, Sampling, Tokenizer
from orz_bench.engines.shared_tokens import shared_lengths
from orz_bench.errors import EngineError
from orz_bench.records.rollout import Problem, Request
from orz_bench.seeds import sample_seed

_DEFAULT_NEW_TOKENS = 256
"""The default of lm-eval's backends."""
_MAX_CONTEXT = 4096
"""Tokens of context for a checkpoint that states no limit."""

Tokens = tuple[int, ...]


class Answers:
    """Earlier answers, in a file of JSON lines; a torn last line is dropped."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, Any] = {}
        content = path.read_bytes() if path.exists() else b""
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:
            path.write_bytes(whole)
        for line in whole.splitlines():
            row = json.loads(line)
            self._known[row["key"]] = row["answer"]

    def known(self, *question: Any) -> Any:
        """The answer to this question, or None."""
        return self._known.get(_digest(question))

    def add(self, found: Sequence[tuple[tuple[Any, ...], Any]]) -> None:
        """Keep (question, answer) pairs."""
        rows = [{"key": _digest(question), "answer": answer} for question, answer in found]
        with self._path.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(row, ensure_ascii=True) + "\n" for row in rows)
        self._known |= {row["key"]: row["answer"] for row in rows}


class HarnessModel(TemplateLM):  # type: ignore[misc]  # lm_eval is not followed
    """lm-eval's interface to a model; `open_engine` is called at the first request without a stored answer."""

    def __init__(
        self, open_engine: Callable[[], Engine], tokenizer: Tokenizer, *, limit: int | None, seed: int, answers: Answers
    ) -> None:
        super().__init__()
        self._open_engine, self._tokens_of, self._seed, self._answers = open_engine, tokenizer, seed, answers
        self.max_length = limit or _MAX_CONTEXT
        self.num_cut = 0
        """Requests whose left end was cut."""

    @property
    def eot_token_id(self) -> int:
        """The end-of-sequence token."""
        return self._tokens_of.encode(self._tokens_of.eos)[-1]

    @property
    def prefix_token_id(self) -> int:
        """The token before a text without context: begin-of-sequence, else end-of-sequence."""
        return self._tokens_of.encode(self._tokens_of.bos or self._tokens_of.eos)[0]

    @property
    def tokenizer_name(self) -> str:
        """For lm-eval's own caches."""
        return type(self._tokens_of).__name__

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **_: Any) -> list[int]:
        """Token ids, including the tokenizer's own prefix unless it is disabled or already present."""
        return list(self._tokens_of.encode(string if add_special_tokens is False else self._opened(string)))

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        """The checkpoint's chat template. EngineError if an answer is to be begun for the model."""
        if not add_generation_prompt:
            raise EngineError("this task begins the model's answer in its chat template, which is not supported here.")
        return self._tokens_of.render_chat(chat_history)

    def _loglikelihood_tokens(
        self, requests: list[tuple[tuple[str, str], list[int], list[int]]], **_: Any
    ) -> list[tuple[float, bool]]:
        """(log-likelihood, whether greedy decoding gives it) of every continuation, in order."""
        pairs = [self._cut(tuple(context), tuple(continuation)) for _, context, continuation in requests]
        wanted: dict[Tokens, list[Tokens]] = defaultdict(list)
        for context, continuation in dict.fromkeys(pairs):
            if self._answers.known("loglikelihood", context, continuation) is None:
                wanted[context].append(continuation)
        if wanted:
            self._score(wanted)
        answers = [self._answers.known("loglikelihood", *pair) for pair in pairs]
        return [(float(logprob), bool(is_greedy)) for logprob, is_greedy in answers]

    def loglikelihood_rolling(self, requests: list[Any], disable_tqdm: bool = False) -> list[float]:
        """The log-likelihood of every text, in windows of the longest context, each token predicted once."""
        windows: list[tuple[tuple[str, str], list[int], list[int]]] = []
        owners: list[int] = []
        for number, request in enumerate(requests):
            found = get_rolling_token_windows(
                token_list=self.tok_encode(request.args[0]),
                prefix_token=self.prefix_token_id,
                max_seq_len=self.max_length,
                context_len=1,
            )
            for context, continuation in map(make_disjoint_window, found):
                windows.append((("", ""), context, continuation))
                owners.append(number)
        totals = [0.0] * len(requests)
        for owner, (logprob, _) in zip(owners, self._loglikelihood_tokens(windows), strict=True):
            totals[owner] += logprob
        return totals

    def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
        """The texts, without the stop string that ended them. Repeated requests get their own seeds."""
        repeats: dict[str, int] = defaultdict(int)
        questions = []
        groups: dict[Sampling, list[tuple[int, Request]]] = defaultdict(list)
        for number, request in enumerate(requests):
            context, arguments = request.args
            sampling = _sampling(arguments)
            identity = _digest((context, arguments))
            question = ("generate_until", context, arguments, repeats[identity], self._seed)
            repeats[identity] += 1
            questions.append(question)
            if self._answers.known(*question) is None:
                groups[sampling].append((number, self._request(context, question, sampling=sampling)))
        for sampling, group in groups.items():
            self._generate(group, questions, sampling=sampling)
        return [self._answers.known(*question) for question in questions]

    def _score(self, wanted: Mapping[Tokens, list[Tokens]]) -> None:
        engine = self._open_engine()
        if not isinstance(engine, LikelihoodEngine):
            raise EngineError(
                f"{type(engine).__name__} computes no log-likelihoods; use --engine vllm or transformers."
            )
        contexts = sorted(wanted)  # so that those which share their first tokens are neighbours
        asked = [
            LikelihoodRequest(key=("", at), context=context, continuations=tuple(wanted[context]), num_shared=shared)
            for at, (context, shared) in enumerate(zip(contexts, shared_lengths(contexts), strict=True))
        ]
        for answers in engine.loglikelihood(asked):
            self._answers.add(
                [
                    (("loglikelihood", asked[answer.key[1]].context, continuation), [logprob, is_greedy])
                    for answer in answers
                    for continuation, logprob, is_greedy in zip(
                        asked[answer.key[1]].continuations, answer.logprobs, answer.is_greedy, strict=True
                    )
                ]
            )

    def _generate(
        self, group: Sequence[tuple[int, Request]], questions: Sequence[tuple[Any, ...]], *, sampling: Sampling
    ) -> None:
        numbers = {request.key: number for number, request in group}
        for completions in self._open_engine().generate([request for _, request in group], sampling):
            self._answers.add(
                [
                    (
                        questions[numbers[completion.key]],
                        postprocess_generated_text(completion.text, list(sampling.stop), None),
                    )
                    for completion in completions
                ]
            )

    def _request(self, context: str, question: tuple[Any, ...], *, sampling: Sampling) -> Request:
        room = self.max_length - sampling.max_tokens
        if room < 1:
            raise EngineError(
                f"this task asks for {sampling.max_tokens:,} new tokens, but the model has room for "
                f"{self.max_length:,} in all; lower --max-tokens."
            )
        tokens = tuple(self.tok_encode(context))
        self.num_cut += len(tokens) > room
        identity = _digest(question)
        return Request(
            problem=Problem(benchmark="lm-eval", problem_id=identity, question="", gold="0", kind="math"),
            sample_index=0,
            seed=sample_seed(self._seed, step=0, benchmark="lm-eval", problem_id=identity, sample_index=0),
            prompt=self._opened(context),
            prompt_token_ids=tokens[-room:],
        )

    def _opened(self, text: str) -> str:
        opening = self._tokens_of.opening
        return text if text.startswith(opening) else opening + text

    def _cut(self, context: Tokens, continuation: Tokens) -> tuple[Tokens, Tokens]:
        """A context that fits before its continuation, whose last token need not be fed."""
        too_many = len(context) + len(continuation) - (self.max_length + 1)
        if too_many <= 0:
            return context, continuation
        self.num_cut += 1
        return context[min(too_many, len(context) - 1) :], continuation


def _sampling(arguments: Mapping[str, Any]) -> Sampling:
    given = normalize_gen_kwargs(dict(arguments), _DEFAULT_NEW_TOKENS)
    until = given.get("until") or []
    return Sampling(
        temperature=float(given.get("temperature") or 0.0),
        top_p=float(given.get("top_p") or 1.0),
        top_k=int(given.get("top_k") or -1),
        max_tokens=int(given["max_gen_toks"]),
        stop=tuple(text for text in until if text),
    )


def _digest(question: Any) -> str:
    return hashlib.sha256(json.dumps(question, sort_keys=True, default=str).encode()).hexdigest()[:24]
