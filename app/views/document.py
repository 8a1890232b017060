"""What the app adds to the HTML document of a page: where its server is.

Without it, Streamlit's front end guesses: opened at `/rollouts`, it asks `/rollouts/_stcore/health`, is answered 404
(twice), waits a tenth of a second, and asks one folder further up.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from app.views.framing import Message, Receive, Scope, Send

SCRIPT = b'<script>window.__streamlit = {BACKEND_BASE_URL: new URL(".", location.href).href}</script>'
"""The folder of the page's address, as for the document's own scripts, so it holds behind a proxy and a base path."""


class KnowsItsServer:
    """Middleware that puts SCRIPT at the end of the head of every HTML document."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; all but a browser's for a document go on as they are."""
        wanted = dict(scope.get("headers", ()))
        if scope["type"] != "http" or scope["method"] != "GET" or b"text/html" not in wanted.get(b"accept", b""):
            await self._app(scope, receive, send)
            return
        plain = [(name, value) for name, value in wanted.items() if name != b"accept-encoding"]
        start: Message = {}
        body = bytearray()

        async def send_whole(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _is_document(message):
                start = message
            elif not start or message["type"] != "http.response.body":
                await send(message)
            else:
                body.extend(message.get("body", b""))
                if not message.get("more_body"):
                    whole = bytes(body).replace(b"</head>", SCRIPT + b"</head>", 1)
                    await send({**start, "headers": _with_length(start, len(whole))})
                    await send({**message, "body": whole})

        await self._app({**scope, "headers": plain}, receive, send_whole)


def _is_document(start: Message) -> bool:
    headers = dict(start.get("headers", ()))
    return headers.get(b"content-type", b"").startswith(b"text/html") and b"content-encoding" not in headers


def _with_length(start: Message, length: int) -> list[tuple[bytes, bytes]]:
    others = [(name, value) for name, value in start["headers"] if name != b"content-length"]
    return [*others, (b"content-length", str(length).encode())]
