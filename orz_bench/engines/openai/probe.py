"""Find out about a server once, before anything is generated: model, context, settings, stop strings, prompts.

Three short answers to one prompt show more than a version number: whether an unknown setting is rejected, whether a
stop string is kept or named, and whether token ids mean the same to the server as to the local tokenizer.
"""

from __future__ import annotations

import openai

from orz_bench.engines.engine import EngineSpec, Notice, ProbePrompt, Sampling, ServerFacts
from orz_bench.engines.openai.answers import BadAnswerError
from orz_bench.engines.openai.asked import NEUTRAL, Asked
from orz_bench.engines.openai.asked_chat import AskedChat
from orz_bench.engines.openai.client import client_of
from orz_bench.engines.server_address import read_address
from orz_bench.engines.settings import ServerSettings
from orz_bench.errors import ConfigError, EngineError

_TIMEOUT_S = 120.0


def ask_server(spec: EngineSpec, *, prompt: ProbePrompt | None = None, notice: Notice) -> ServerFacts:
    """The facts about a server. EngineError if it does not answer as an OpenAI-compatible server."""
    settings = ServerSettings.of(spec.settings)
    address = read_address(settings.base_url)
    for note in address.notes:
        notice(note)
    timeout_s = min(settings.request_timeout_s, _TIMEOUT_S)
    with client_of(openai.OpenAI, address, timeout_s=timeout_s) as client:
        kind = AskedChat if settings.endpoint == "chat" else Asked
        asked = kind(address, spec, client=client, notice=notice)
        try:
            entry = asked.model()
            return asked.facts(entry, prompt or ProbePrompt())
        except BadAnswerError as error:
            raise explain(error, shown=asked.address.shown, spec=spec) from error


def refuse_unmet(facts: ServerFacts, sampling: Sampling) -> None:
    """Raise ConfigError if the server does not support these settings, or does not tell how its answers end."""
    for name in ("temperature", "top_p"):
        if name in facts.refused and getattr(sampling, name) != 1.0:
            raise ConfigError(
                f"{facts.base_url}: the server does not accept {name} for this model, so {getattr(sampling, name):g} "
                f"would have no effect; its own value applies with --{name.replace('_', '-')} 1."
            )
    for name in ("top_k", "min_p", "repetition_penalty"):
        if getattr(sampling, name) != NEUTRAL[name] and name not in facts.fields:
            raise ConfigError(
                f"{facts.base_url}: the server does not accept {name}, so --{name.replace('_', '-')} "
                f"{getattr(sampling, name):g} would have no effect; leave it out, or use vLLM's server."
            )
    if sampling.stop and facts.stop_strings == "refused":
        raise ConfigError(f"{facts.base_url}: the server does not accept stop strings for this model; use --stop ''.")
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
    settings = ServerSettings.of(spec.settings)
    endpoint, other = ("chat", "completions") if settings.endpoint == "chat" else ("completions", "chat")
    advice = {
        "connection": f"Start the server, or set --base-url (an answer may take --request-timeout). {kept}",
        "busy": f"The request was retried {settings.max_retries} times (--max-retries). {kept}",
        "limited": f"It took no request, one at a time with longer and longer pauses ({settings.max_retries} times, "
        f"--max-retries). {kept}",
        "spent": f"Nothing is requested before that changes. {kept}",
        "denied": f"The server refused the key; set $OPENAI_API_KEY. {kept}",
        "missing": f"Wanted the address of an OpenAI-compatible server with a {endpoint} endpoint, which usually ends "
        f"in /v1, such as http://HOST:8000/v1; set --base-url, or --endpoint {other}.",
        "refused": "The server rejected a request. Change what it names: nothing is cut or omitted silently.",
        "odd": f"Wanted an answer of an OpenAI-compatible {endpoint} endpoint; check the server's log, or set "
        "--base-url.",
        "unclear_stop": "Use a server that keeps or names the matched stop string (vLLM, SGLang), a protocol without "
        "stop strings (--protocol greedy, r1 or sober), or --stop ''.",
    }
    return EngineError(f"{where}: {error.why}. {advice[error.trouble]}")
