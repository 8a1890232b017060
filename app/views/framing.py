"""What tells browsers that no other page may show the app in a frame, and steer a reader's clicks in it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

HEADERS = (
    (b"content-security-policy", b"frame-ancestors 'none'"),
    (b"x-frame-options", b"DENY"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
)
"""On every answer: the first two forbid frames; without the last, the address of a run would reach other sites."""


class NotFramed:
    """Middleware that adds HEADERS to every answer, in place of any of these names."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                ours = {name for name, _ in HEADERS}
                others = [(name, value) for name, value in message.get("headers", ()) if name.lower() not in ours]
                message["headers"] = [*others, *HEADERS]
            await send(message)

        await self._app(scope, receive, send_with_headers)
