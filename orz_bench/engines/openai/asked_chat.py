"""The short questions to a server's chat endpoint: which settings it takes, and whether it reads the system message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import Any, ClassVar, Literal

from orz_bench.engines.engine import EngineSpec, ProbePrompt, Prompt, ServerFacts, StopStrings
from orz_bench.engines.openai.answers import BadAnswerError
from orz_bench.engines.openai.asked import NEUTRAL, PROBE_TOKENS, Asked, neutral, prompt_tokens
from orz_bench.engines.openai.chat_answers import OPENED, own_tokens, read_choices, read_message, read_usage
from orz_bench.engines.settings import ServerSettings
from orz_bench.errors import ConfigError
from orz_bench.records.rollout import Message

_OPTIONAL: Mapping[str, Any] = {"temperature": 0.0, "top_p": 0.9, "seed": 0}
"""Settings of OpenAI's that models of hosted servers may refuse, with a value that is not the default."""
_MORE_TOKENS = 1024
"""For a model that must think before it answers, and a server that wants room for it."""
_LIMITS: tuple[Literal["max_tokens", "max_completion_tokens"], ...] = ("max_tokens", "max_completion_tokens")


class AskedChat(Asked):
    """Sends the probe requests to a chat endpoint."""

    offered: ClassVar[tuple[str, ...]] = tuple(name for name in NEUTRAL if name != "add_special_tokens")
    _refused: frozenset[str] = frozenset()
    _limit_as: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    _num_tokens = PROBE_TOKENS

    def facts(self, entry: Mapping[str, Any], prompt: ProbePrompt) -> ServerFacts:
        """What the server's answers to a few short questions show. ConfigError if it ignores the system message."""
        found = super().facts(entry, prompt)
        self._require_system(prompt.messages, found.fields)
        found = replace(found, endpoint="chat", limit_as=self._limit_as, refused=tuple(sorted(self._refused)))
        wanted = ServerSettings.of(self._spec.settings).samples_per_request
        if wanted == 1:
            return found
        counts_by = self._counts_by(prompt.sent)
        if counts_by is None:
            self._notice(
                f"{self.address.shown}: the server does not list the tokens of each of several samples; it is "
                "asked for one sample a request."
            )
        return replace(found, counts_by=counts_by)

    def _plain(self, prompt: Prompt) -> Mapping[str, Any]:
        """The answer with those of OpenAI's settings that the server takes."""
        answer = self._smallest(prompt)
        self._refused = frozenset(
            name for name, value in _OPTIONAL.items() if not self._is_taken(prompt, {name: value})
        )
        if self._refused:
            self._notice(
                f"{self.address.shown}: the server does not accept {', '.join(sorted(self._refused))} for this model; "
                f"its own values apply{', and samples cannot be drawn again' if 'seed' in self._refused else ''}."
            )
        return answer if self._refused == frozenset(_OPTIONAL) else self._complete(prompt, {})

    def _smallest(self, prompt: Prompt) -> Mapping[str, Any]:
        """An answer to a request with nothing but a limit of new tokens, which has one of two names."""
        self._refused = frozenset(_OPTIONAL)
        refusal: BadAnswerError | None = None
        for self._num_tokens, self._limit_as in product((PROBE_TOKENS, _MORE_TOKENS), _LIMITS):
            try:
                return self._complete(prompt, {})
            except BadAnswerError as error:
                if error.trouble != "refused":
                    raise
                refusal = refusal or error
        assert refusal is not None
        raise refusal

    def _stop_strings(self, prompt: Prompt, text: str, *, fields: tuple[str, ...]) -> StopStrings:
        try:
            return super()._stop_strings(prompt, text, fields=fields)
        except BadAnswerError as error:
            if error.trouble != "refused":
                raise
            return "refused"

    def _require_system(self, messages: tuple[Message, ...], fields: tuple[str, ...]) -> None:
        """Raise ConfigError if a system message twice as long leaves the prompt as it is."""
        if not any(turn["role"] == "system" for turn in messages):
            return
        longer = tuple(
            {**turn, "content": f"{turn['content']}\n{turn['content']}"} if turn["role"] == "system" else turn
            for turn in messages
        )
        once, twice = (prompt_tokens(self._complete(sent, neutral(fields))) for sent in (messages, longer))
        if once is not None and once == twice:
            raise ConfigError(
                f"{self.address.shown}: the server's chat template ignores the system message (the prompt has {once:,} "
                f"tokens, and as many with a system message twice as long); serve the model with a template that reads "
                f"it, or choose a protocol without one."
            )

    def _counts_by(self, prompt: Prompt) -> Literal["token_ids", "logprobs"] | None:
        """What lists the tokens of each of several samples of one request; None: it gives one sample a request."""
        refused, self._refused = self._refused, self._refused | {"temperature"}  # two greedy answers would be the same
        ways: tuple[tuple[Literal["token_ids", "logprobs"], dict[str, Any]], ...] = (
            ("token_ids", {"return_token_ids": True}),
            ("logprobs", {"logprobs": True}),
        )
        try:
            return next((way for way, field in ways if self._gives_two(prompt, field)), None)
        finally:
            self._refused = refused

    def _gives_two(self, prompt: Prompt, field: Mapping[str, Any]) -> bool:
        try:
            answer = self._complete(prompt, {"n": 2, **field}, num=2)
            return all(own_tokens(choice) > 0 for choice in read_choices(answer, num=2))
        except BadAnswerError as error:
            if error.trouble not in ("refused", "odd"):
                raise
            return False

    def _text_of(self, choice: Mapping[str, Any]) -> str:
        """The content, or the thought where there is none: a stop string ends either."""
        message = read_message(choice)
        return message.said or message.text.removeprefix(OPENED)

    def _complete(self, prompt: Prompt, more: Mapping[str, Any], *, num: int = 1) -> dict[str, Any]:
        turns = ({"role": "user", "content": prompt},) if isinstance(prompt, str) else prompt
        messages = [dict(turn) for turn in turns if not isinstance(turn, int)]  # no token ids: there is no tokenizer
        body: dict[str, Any] = {"model": self._spec.checkpoint, self._limit_as: self._num_tokens}
        body |= {name: value for name, value in _SENT.items() if name not in self._refused}
        extra = dict(more) | template_variables(self._spec)

        def check(content: Mapping[str, Any]) -> None:
            for choice in read_choices(content, num=num):
                read_message(choice)
            read_usage(content)

        return self._call(
            lambda client: client.chat.completions.with_raw_response.create(
                messages=messages, **body, extra_body=extra or None
            ),
            check=check,
        )


def template_variables(spec: EngineSpec) -> dict[str, Any]:
    """What a request says of the server's chat template."""
    return {"chat_template_kwargs": dict(spec.template_args)} if spec.template_args else {}


_SENT: Mapping[str, Any] = {"temperature": 0.0, "seed": 0}
"""Sent with each of these questions, so that the same answer comes again."""
