"""The client of a server, and how long it waits before a request is sent again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import openai

from orz_bench.engines.openai.answers import BadAnswerError
from orz_bench.engines.server_address import Address


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
