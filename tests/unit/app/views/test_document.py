"""Documents say where their server is, and everything else goes through as it was."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from app.views.document import SCRIPT, KnowsItsServer

PAGE = f"<html><head><title>é</title></head><body>{'</head> ' * 200}</body></html>"
BROWSER = {"accept": "text/html,application/xhtml+xml", "accept-encoding": "gzip"}


async def _page(_: Request) -> Response:
    return HTMLResponse(PAGE)


async def _streamed(_: Request) -> Response:
    halves = iter([PAGE[:20].encode(), PAGE[20:].encode()])
    return StreamingResponse(halves, media_type="text/html")


async def _packed(_: Request) -> Response:
    return Response(b"\x1f\x8b packed </head>", media_type="text/html", headers={"content-encoding": "gzip"})


async def _other(_: Request) -> Response:
    return JSONResponse({"said": "</head>"})


async def _unchanged(_: Request) -> Response:
    return Response(status_code=304)


@pytest.fixture
def client() -> TestClient:
    routes = [
        Route("/page", _page), Route("/streamed", _streamed), Route("/other", _other), Route("/packed", _packed),
        Route("/unchanged", _unchanged),
    ]  # fmt: skip
    middleware = [Middleware(KnowsItsServer), Middleware(GZipMiddleware, minimum_size=10)]
    return TestClient(Starlette(routes=routes, middleware=middleware))


@pytest.mark.parametrize("path", ["/page", "/streamed"])
def test_a_document_says_where_its_server_is(client: TestClient, path: str) -> None:
    answer = client.get(path, headers=BROWSER)
    assert answer.text == PAGE.replace("</head>", SCRIPT.decode() + "</head>", 1)
    assert "content-encoding" not in answer.headers
    assert answer.headers["content-length"] == str(len(answer.content))


@pytest.mark.parametrize("path", ["/other", "/packed", "/unchanged", "/missing"])
def test_what_is_no_plain_document_stays_as_it_is(client: TestClient, path: str) -> None:
    with client.stream("GET", path, headers=BROWSER) as answer:
        assert b"__streamlit" not in b"".join(answer.iter_raw())


def test_only_a_browser_that_wants_a_document_gets_the_script(client: TestClient) -> None:
    assert client.get("/page", headers={"accept": "*/*"}).text == PAGE
    assert client.get("/page", headers={"accept": "*/*", "accept-encoding": "gzip"}).headers["content-encoding"]
    assert client.head("/page", headers=BROWSER).headers["content-length"]
