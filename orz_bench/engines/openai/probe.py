"""Find out about a server once, before anything is generated: model, context, settings, stop strings, prompts.

Three short answers to one prompt show more than a version number: whether an unknown setting is rejected, whether a
stop string is kept or named, and whether token ids mean the same to the server as to the local tokenizer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

import openai

from orz_bench.engines.engine import EngineSpec, Notice, Sampling, ServerFacts, StopStrings
from orz_bench.engines.openai.answers import RETRIED, BadAnswerError, named_match, read_choice, read_object, trouble_of
from orz_bench.engines.server_address import Address, read_address
from orz_bench.engines.settings import ServerSettings
from orz_bench.errors import ConfigError, EngineError, counted

NEUTRAL: Mapping[str, Any] = {
    "include_stop_str_in_output": True,
    "add_special_tokens": False,
    "top_k": -1,
    "min_p": 0.0,
    "repetition_penalty": 1.0,
}
"""Settings of vLLM and others beyond OpenAI's. If accepted, they are always sent: a server would otherwise use those of
the checkpoint's generation_config."""
_OTHER_PROMPT = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,"
_TOKENS = 16
_STOP_CHARS = 3
_TIMEOUT_S = 120.0
_TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbePrompt:
    """The prompt for the probe: preferably a question of the evaluation."""

    text: str = _OTHER_PROMPT
    token_ids: tuple[int, ...] | None = None


def ask_server(spec: EngineSpec, *, prompt: ProbePrompt | None = None, notice: Notice) -> ServerFacts:
    """The facts about a server. EngineError if it does not answer as an OpenAI-compatible server."""
    settings = ServerSettings.of(spec.settings)
    address = read_address(settings.base_url)
    for note in address.notes:
        notice(note)
    timeout_s = min(settings.request_timeout_s, _TIMEOUT_S)
    with client_of(openai.OpenAI, address, timeout_s=timeout_s) as client:
        asked = _Asked(address, spec, client=client, notice=notice)
        try:
            entry = asked.model()
            return asked.facts(entry, prompt or ProbePrompt())
        except BadAnswerError as error:
            raise explain(error, shown=asked.address.shown, spec=spec) from error


def refuse_unmet(facts: ServerFacts, sampling: Sampling) -> None:
    """Raise ConfigError if the server does not support these settings, or does not tell how its answers end."""
    for name in ("top_k", "min_p", "repetition_penalty"):
        if getattr(sampling, name) != NEUTRAL[name] and name not in facts.fields:
            raise ConfigError(
                f"{facts.base_url}: the server does not accept {name}, so --{name.replace('_', '-')} "
                f"{getattr(sampling, name):g} would have no effect; leave it out, or use vLLM's server."
            )
    if sampling.stop and facts.stop_strings == "left_out":
        raise ConfigError(
            f"{facts.base_url}: the server removes the matched stop string without naming it, so answers that end "
            f"with one, such as </answer>, would be misread. Use a server that keeps or names it (vLLM, "
            f"SGLang), a protocol without stop strings (--protocol greedy, r1 or sober), or --stop '' for "
            f"none."
        )


def explain(error: BadAnswerError, *, shown: str, spec: EngineSpec) -> EngineError:
    """The error message for the user, with a remedy."""
    where = f"{shown}, model {spec.checkpoint!r}"
    kept = "Finished samples are kept; run the same command to resume."
    advice = {
        "connection": f"Start the server, or set --base-url (an answer may take --request-timeout). {kept}",
        "busy": f"The request was retried {ServerSettings.of(spec.settings).max_retries} times (--max-retries). {kept}",
        "denied": f"The server refused the key; set $OPENAI_API_KEY. {kept}",
        "missing": "Wanted the address of an OpenAI-compatible server with a completions endpoint, which usually ends "
        "in /v1, such as http://HOST:8000/v1; set --base-url.",
        "refused": "The server rejected a request. Change what it names: nothing is cut or omitted silently.",
        "odd": "Wanted an answer of an OpenAI-compatible completions endpoint; check the server's log, or set "
        "--base-url.",
        "unclear_stop": "Use a server that keeps or names the matched stop string (vLLM, SGLang), a protocol without "
        "stop strings (--protocol greedy, r1 or sober), or --stop ''.",
    }
    return EngineError(f"{where}: {error.why}. {advice[error.trouble]}")


class _Asked:
    """Sends the probe requests to one server."""

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
        fields, answer = self._negotiate(prompt.text)
        takes_ids = self._takes_ids(prompt, answer, fields=fields)
        limit, root, model = entry.get("max_model_len"), entry.get("root"), answer.get("model")
        return ServerFacts(
            base_url=self.address.shown,
            model=self._spec.checkpoint,
            root=root if isinstance(root, str) else None,
            answers_as=model if isinstance(model, str) and model else None,
            max_model_len=limit if type(limit) is int and limit > 0 else None,
            fields=fields,
            stop_strings=self._stop_strings(prompt.text, _text(answer), fields=fields),
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

    def _negotiate(self, prompt: str) -> tuple[tuple[str, ...], Mapping[str, Any]]:
        """(the settings beyond OpenAI's that the server accepts, its answer)."""
        try:
            return tuple(NEUTRAL), self._complete(prompt, dict(NEUTRAL))
        except BadAnswerError as error:
            if error.trouble != "refused":
                raise
        answer = self._complete(prompt, {})
        taken = tuple(name for name, value in NEUTRAL.items() if self._is_taken(prompt, {name: value}))
        left_out = ", ".join(name for name in NEUTRAL if name not in taken)
        self._notice(
            f"{self.address.shown}: the server does not accept {left_out}; they are omitted. The values in its "
            f"checkpoint's generation_config may apply."
        )
        return taken, answer

    def _is_taken(self, prompt: str, field: Mapping[str, Any]) -> bool:
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
            same = self._complete(list(ids), _neutral(fields))
        except BadAnswerError as error:
            if error.trouble != "refused":
                raise
            same = {}
        if _text(same) == _text(answer) and _prompt_tokens(same) in (None, len(ids)):
            return True
        found = _prompt_tokens(answer)
        if found not in (None, len(ids)):
            self._notice(
                f"{self.address.shown}: the first prompt has {counted(found, 'token')} on the server and "
                f"{len(ids):,} with --tokenizer: a different tokenizer, or an added token. Prompts are sent as text."
            )
        return False

    def _stop_strings(self, prompt: str, text: str, *, fields: tuple[str, ...]) -> StopStrings:
        """How the server returns stop strings, tested with one from a known answer."""
        for shown in (prompt, _OTHER_PROMPT):
            whole = text if shown == prompt else _text(self._complete(shown, _neutral(fields)))
            at = _place_to_stop(whole)
            if at is None:
                continue
            stop = whole[at : at + _STOP_CHARS]
            answer = self._complete(shown, _neutral(fields) | {"stop": [stop]})
            short = _text(answer)
            if short == whole[: at + _STOP_CHARS]:
                return "kept"
            if short.rstrip() == whole[:at].rstrip():
                return "named" if named_match(answer["choices"][0], [stop]) else "left_out"
        return "unknown"

    def _complete(self, prompt: str | list[int], more: Mapping[str, Any]) -> dict[str, Any]:
        body = {"temperature": 0.0, "max_tokens": _TOKENS, "seed": 0, "model": self._spec.checkpoint, "prompt": prompt}
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
                if error.trouble not in RETRIED or attempt >= min(
                    _TRIES, ServerSettings.of(self._spec.settings).max_retries + 1
                ):
                    raise error from found
                wait_s = pause_s(attempt, error)
            self._notice(f"{self.address.shown}: {error.why}; retried in {wait_s:.1f} s")
            time.sleep(wait_s)
        raise AssertionError


def client_of(kind: Callable[..., Any], address: Address, *, timeout_s: float) -> Any:
    """A client (openai.OpenAI or AsyncOpenAI) without retries of its own."""
    return kind(
        base_url=address.url,
        api_key=address.api_key,
        default_query=dict(address.query),
        default_headers=dict(address.headers),
        max_retries=0,
        timeout=openai.Timeout(timeout_s, connect=min(timeout_s, 20.0)),
    )


def pause_s(attempt: int, error: BadAnswerError) -> float:
    """Seconds before the next try: as the server asks, otherwise doubling; shorter after an unusable answer."""
    if error.wait_s is not None:
        return error.wait_s
    return float(min(30.0, (0.1 if error.trouble == "odd" else 0.5) * 2 ** (attempt - 1)))


def _neutral(fields: tuple[str, ...]) -> dict[str, Any]:
    return {name: NEUTRAL[name] for name in fields}


def _text(answer: Mapping[str, Any]) -> str:
    choices = answer.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    text = first.get("text") if isinstance(first, dict) else None
    return text if isinstance(text, str) else ""


def _prompt_tokens(answer: Mapping[str, Any]) -> int | None:
    usage = answer.get("usage")
    count = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    return count if type(count) is int else None


def _place_to_stop(text: str) -> int | None:
    """The first occurrence of three visible characters, not at the start; preferably in the middle."""
    places = sorted(range(1, len(text) - _STOP_CHARS + 1), key=lambda at: abs(at - len(text) // 2))
    for at in places:
        part = text[at : at + _STOP_CHARS]
        if text.find(part) == at and not any(char.isspace() for char in part):
            return at
    return None
