"""The address of a server as given: corrected if its meaning is clear, with its secrets kept separate."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl, unquote, urlsplit

from orz_bench.errors import ConfigError
from orz_bench.secrets import redact

_ENDPOINTS = ("/chat/completions", "/completions", "/models", "/chat", "/responses")
_NO_KEY = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """The target and credentials of requests; only `shown` and `url` are ever displayed."""

    url: str
    """Scheme, host and path, without secrets."""
    shown: str
    """The address as given, without secrets."""
    query: Mapping[str, str] = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    api_key: str = field(repr=False)
    notes: tuple[str, ...] = ()
    """What was corrected."""

    def below(self, part: str) -> Address:
        """The same server, at a path below."""
        return replace(self, url=f"{self.url}{part}", shown=redact(f"{self.url}{part}"))


def read_address(base_url: str) -> Address:
    """The parts of `--base-url`. ConfigError if it is not the address of a server; the message contains no secret."""
    try:
        parts = urlsplit(base_url.strip())
        port = f":{parts.port}" if parts.port is not None else ""
    except ValueError:
        parts, port = urlsplit(""), ""
    if parts.scheme not in ("http", "https") or not parts.hostname:
        harmless = base_url.rpartition("@")[2].partition("?")[0]
        raise ConfigError(
            f"--base-url {harmless!r} is not the address of a server; wanted one such as http://127.0.0.1:8000/v1."
        )
    path, notes = parts.path.rstrip("/"), []
    for endpoint in _ENDPOINTS:
        if path.endswith(endpoint):
            path = path.removesuffix(endpoint)
            notes.append(f"--base-url ends with the endpoint {endpoint}; the part before it is used.")
            break
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    url = f"{parts.scheme}://{host}{port}{path}"
    user = parts.netloc.rpartition("@")[0]
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    shown_query = f"?{parts.query}" if parts.query else ""
    return Address(
        url=url,
        shown=redact(f"{parts.scheme}://{user + '@' if user else ''}{host}{port}{path}{shown_query}"),
        query=query,
        headers=_login(user),
        api_key=os.environ.get("OPENAI_API_KEY") or _NO_KEY,
        notes=tuple(notes),
    )


def _login(user: str) -> dict[str, str]:
    if not user:
        return {}
    return {"Authorization": f"Basic {base64.b64encode(unquote(user).encode()).decode()}"}
