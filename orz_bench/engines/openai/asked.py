"""The short questions to a server's completions endpoint that show how it works."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any, ClassVar

import openai

from orz_bench.engines.engine import EngineSpec, Notice, ProbePrompt, Prompt, ServerFacts, StopStrings
from orz_bench.engines.openai.answers import (
    RETRIED,
    BadAnswerError,
    count_of,
    named_match,
    read_choice,
    read_object,
    trouble_of,
)
from orz_bench.engines.openai.client import pause_s
from orz_bench.engines.server_address import Address
from orz_bench.engines.settings import ServerSettings
from orz_bench.errors import EngineError, counted

NEUTRAL: Mapping[str, Any] = {
    "include_stop_str_in_output": True,
    "add_special_tokens": False,
    "top_k": -1,
    "min_p": 0.0,
    "repetition_penalty": 1.0,
}
"""Settings of vLLM and others beyond OpenAI's. If accepted, they are always sent: a server would otherwise use those of
the checkpoint's generation_config."""
_OTHER_PROMPT = ProbePrompt().text
PROBE_TOKENS = 16
_STOP_CHARS = 3
_TRIES = 3


class Asked:
    """Sends the probe requests to a completions endpoint."""

    offered: ClassVar[tuple[str, ...]] = tuple(NEUTRAL)
    """Settings beyond OpenAI's that it is asked to accept."""

    def __init__(self, address: Address, spec: EngineSpec, *, client: openai.OpenAI, notice: Notice) -> None:
        self.address, self._spec, self._client, self._notice = address, spec, client, notice

    def model(self) -> Mapping[str, Any]:
        """The model's entry in the list of models; empty if the server has no list. EngineError for an unknown name."""
        models = self._known_models()
        if models is None:
            return {}
        if self._spec.checkpoint not in models:
            raise EngineError(
                f"{self.address.shown} serves {', '.join(models) or 'no model'}, not {self._spec.checkpoint!r}; "
                f"use one of those names for --ckpt."
            )
        return models[self._spec.checkpoint]

    def facts(self, entry: Mapping[str, Any], prompt: ProbePrompt) -> ServerFacts:
        """What the server's answers to a few short questions show."""
        fields, answer = self._negotiate(prompt.sent)
        takes_ids = self._takes_ids(prompt, answer, fields=fields)
        limit, root, model = entry.get("max_model_len"), entry.get("root"), answer.get("model")
        return ServerFacts(
            base_url=self.address.shown,
            model=self._spec.checkpoint,
            root=root if isinstance(root, str) else None,
            answers_as=model if isinstance(model, str) and model else None,
            max_model_len=limit if type(limit) is int and limit > 0 else None,
            fields=fields,
            stop_strings=self._stop_strings(prompt.sent, self.text(answer), fields=fields),
            takes_token_ids=takes_ids,
        )

    def _models(self) -> dict[str, Mapping[str, Any]]:
        content = self._call(lambda client: client.models.with_raw_response.list())
        entries = content.get("data")
        if not isinstance(entries, list):
            raise BadAnswerError("the list of models has no 'data'", "odd")
        return {str(entry["id"]): entry for entry in entries if isinstance(entry, dict) and "id" in entry}

    def _known_models(self) -> dict[str, Mapping[str, Any]] | None:
        try:
            return self._models()
        except BadAnswerError as error:
            if error.trouble not in ("missing", "odd"):
                raise
            return self._models_below(error)

    def _models_below(self, error: BadAnswerError) -> dict[str, Mapping[str, Any]] | None:
        """The list under /v1, if the address itself has none; None if there is none (a server need not have one)."""
        given = self.address
        if not given.url.endswith("/v1"):
            self.address = given.below("/v1")
            try:
                models = self._models()
            except BadAnswerError:
                self.address = given
            else:
                self._notice(f"{given.shown} has no list of models, but {self.address.shown} does and is used.")
                return models
        if error.trouble == "odd":
            raise BadAnswerError(f"{given.shown}/models: {error.why}", "odd") from error
        return None

    def _negotiate(self, prompt: Prompt) -> tuple[tuple[str, ...], Mapping[str, Any]]:
        """(the settings beyond OpenAI's that the server accepts, its answer)."""
        try:
            return self.offered, self._complete(prompt, neutral(self.offered))
        except BadAnswerError as error:
            if error.trouble != "refused":
                raise
        answer = self._plain(prompt)
        taken = tuple(name for name in self.offered if self._is_taken(prompt, neutral((name,))))
        left_out = ", ".join(name for name in self.offered if name not in taken)
        self._notice(
            f"{self.address.shown}: the server does not accept {left_out}; they are omitted. The values in its "
            f"checkpoint's generation_config may apply."
        )
        return taken, answer

    def _plain(self, prompt: Prompt) -> Mapping[str, Any]:
        """The answer without settings beyond OpenAI's."""
        return self._complete(prompt, {})

    def _is_taken(self, prompt: Prompt, field: Mapping[str, Any]) -> bool:
        try:
            self._complete(prompt, field)
        except BadAnswerError as error:
            if error.trouble != "refused":
                raise
            return False
        return True

    def _takes_ids(self, prompt: ProbePrompt, answer: Mapping[str, Any], *, fields: tuple[str, ...]) -> bool:
        """Whether token ids give the same answer as the text; if so, prompts are sent as token ids."""
        ids = prompt.token_ids
        if ids is None:
            return False
        try:
            same = self._complete(list(ids), neutral(fields))
        except BadAnswerError as error:
            if error.trouble != "refused":
                raise
            same = {}
        if self.text(same) == self.text(answer) and prompt_tokens(same) in (None, len(ids)):
            return True
        found = prompt_tokens(answer)
        if found not in (None, len(ids)):
            self._notice(
                f"{self.address.shown}: the first prompt has {counted(found, 'token')} on the server and "
                f"{len(ids):,} with --tokenizer: a different tokenizer, or an added token. Prompts are sent as text."
            )
        return False

    def _stop_strings(self, prompt: Prompt, text: str, *, fields: tuple[str, ...]) -> StopStrings:
        """How the server returns stop strings, tested with one from a known answer."""
        for shown in (prompt, _OTHER_PROMPT):
            whole = text if shown == prompt else self.text(self._complete(shown, neutral(fields)))
            at = _place_to_stop(whole)
            if at is None:
                continue
            stop = whole[at : at + _STOP_CHARS]
            answer = self._complete(shown, neutral(fields) | {"stop": [stop]})
            short = self.text(answer)
            if short == whole[: at + _STOP_CHARS]:
                return "kept"
            if short.rstrip() == whole[:at].rstrip():
                return "named" if named_match(answer["choices"][0], [stop]) else "left_out"
        return "unknown"

    def text(self, answer: Mapping[str, Any]) -> str:
        """What the model wrote; an empty text for an answer that is none."""
        choices = answer.get("choices")
        first = choices[0] if isinstance(choices, list) and choices else None
        return self._text_of(first) if isinstance(first, dict) else ""

    def _text_of(self, choice: Mapping[str, Any]) -> str:
        text = choice.get("text")
        return text if isinstance(text, str) else ""

    def _complete(self, prompt: Prompt, more: Mapping[str, Any]) -> dict[str, Any]:
        body = {
            "temperature": 0.0,
            "max_tokens": PROBE_TOKENS,
            "seed": 0,
            "model": self._spec.checkpoint,
            "prompt": prompt,
        }
        standard = {name: value for name, value in more.items() if name not in NEUTRAL}
        extra = {name: value for name, value in more.items() if name in NEUTRAL}
        return self._call(
            lambda client: client.completions.with_raw_response.create(**body | standard, extra_body=extra or None),
            check=read_choice,
        )

    def _call(self, send: Callable[[openai.OpenAI], Any], *, check: Callable[[Any], Any] = bool) -> dict[str, Any]:
        """The answer, which `check` accepts; transient failures are retried and reported."""
        client = self._client.with_options(base_url=self.address.url)
        for attempt in count(1):
            try:
                content = read_object(str(send(client).text))
                check(content)
                return content
            except (openai.OpenAIError, BadAnswerError) as found:
                error = found if isinstance(found, BadAnswerError) else trouble_of(found)
                most = 1 + ServerSettings.of(self._spec.settings).max_retries
                if error.trouble not in RETRIED or attempt >= (
                    most if error.trouble == "limited" else min(_TRIES, most)
                ):
                    raise error from found
                wait_s = pause_s(attempt, error)
            self._notice(f"{self.address.shown}: {error.why}; retried in {wait_s:.1f} s")
            time.sleep(wait_s)
        raise AssertionError


def neutral(fields: tuple[str, ...]) -> dict[str, Any]:
    """Those settings, turned off."""
    return {name: NEUTRAL[name] for name in fields}


def prompt_tokens(answer: Mapping[str, Any]) -> int | None:
    """The number of tokens of the prompt, as the server counts them."""
    return count_of(answer.get("usage"), "prompt_tokens")


def _place_to_stop(text: str) -> int | None:
    """The first occurrence of three visible characters, not at the start; preferably in the middle."""
    places = sorted(range(1, len(text) - _STOP_CHARS + 1), key=lambda at: abs(at - len(text) // 2))
    for at in places:
        part = text[at : at + _STOP_CHARS]
        if text.find(part) == at and not any(char.isspace() for char in part):
            return at
    return None
