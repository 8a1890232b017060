"""The client of OpenAI-compatible servers, against a server of our own in this process."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from orz_bench.engines.engine import EngineSpec, Sampling
from orz_bench.engines.openai_server import OpenAIServerEngine
from orz_bench.errors import EngineError
from orz_bench.records.rollout import Completion
from tests.builders import a_problem, a_request


class Server(ThreadingHTTPServer):
    """Answers with the seed; `failures` says how often each request fails first, and how."""

    daemon_threads = True

    def __init__(self, *, failures: int = 0, status: int = 503, is_vllm: bool = True) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.failures, self.status, self.is_vllm = failures, status, is_vllm
        self.seen: list[dict[str, Any]] = []
        self.in_flight = self.most_in_flight = 0
        self.lock = threading.Lock()

    def handle_error(self, *_: object) -> None:
        """A client that leaves is no fault."""


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._send(200, {"object": "list", "data": [{"id": "m", "object": "model", "created": 0, "owned_by": "x"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.server
        with server.lock:
            server.in_flight += 1
            server.most_in_flight = max(server.most_in_flight, server.in_flight)
            fails = sum(seen["seed"] == body["seed"] for seen in server.seen) < server.failures
            server.seen.append(body)
        threading.Event().wait(0.01)
        with server.lock:
            server.in_flight -= 1
        if fails:
            self._send(server.status, {"error": {"message": "try later"}})
        elif not server.is_vllm and "add_special_tokens" in body:
            self._send(400, {"error": {"message": "unknown field add_special_tokens"}})
        else:
            choice = {"index": 0, "text": f"{body['seed']} </answer>", "finish_reason": "stop", "logprobs": None}
            choice |= {"stop_reason": "</answer>"} if server.is_vllm else {}
            usage = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}
            self._send(
                200,
                {"id": "1", "object": "text_completion", "created": 0, "model": "m"}
                | {"choices": [choice], "usage": usage},
            )

    def _send(self, status: int, content: dict[str, Any]) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("retry-after-ms", "1")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None: ...


@contextmanager
def running(server: Server) -> Iterator[str]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def drawn(url: str, count: int = 1, **settings: Any) -> list[Completion]:
    engine = OpenAIServerEngine(EngineSpec(name="openai", **{"checkpoint": "m", "base_url": url} | settings))
    requests = [a_request(problem=a_problem(problem_id=f"p{i}"), seed=100 + i) for i in range(count)]
    sampling = Sampling(temperature=0.6, top_p=0.9, max_tokens=64, stop=("</answer>",))
    return [completion for some in engine.generate(requests, sampling) for completion in some]


def test_every_sample_is_drawn_once_with_its_own_seed() -> None:
    with running(server := Server()) as url:
        found = drawn(url, 40, concurrency=4)
    assert {completion.text for completion in found} == {f"{seed} </answer>" for seed in range(100, 140)}
    assert {(c.stop_reason, c.num_tokens) for c in found} == {("stop_string", 5)}
    assert server.most_in_flight <= 4
    first = server.seen[0]
    assert (first["prompt"], first["temperature"], first["top_p"], first["max_tokens"]) == (
        "What is 1 + 1?",
        0.6,
        0.9,
        64,
    )
    assert (first["include_stop_str_in_output"], first["add_special_tokens"]) == (True, False)


def test_a_busy_server_is_asked_again() -> None:
    with running(Server(failures=2)) as url:
        assert len(drawn(url, 3)) == 3


def test_fields_that_only_vllm_knows_are_left_out_elsewhere() -> None:
    with running(server := Server(is_vllm=False)) as url:
        found = drawn(url, 3, concurrency=1)
    assert len(found) == 3
    assert {completion.stop_reason for completion in found} == {"eos"}
    assert "add_special_tokens" not in server.seen[-1]


def test_a_wrong_name_fails_at_once() -> None:
    with running(Server()) as url, pytest.raises(EngineError, match="serves m, not 'other'; give --ckpt one of those"):
        drawn(url, checkpoint="other")


def test_a_refused_key_says_so() -> None:
    with (
        running(Server(failures=99, status=401)) as url,
        pytest.raises(EngineError, match=r"refused the key; set \$OPENAI"),
    ):
        drawn(url)


def test_a_closed_port_says_so() -> None:
    with pytest.raises(EngineError, match=r"no connection .* Start the server, or set --base-url"):
        drawn("http://127.0.0.1:9/v1")


def test_leaving_early_ends_the_requests() -> None:
    with running(Server()) as url:
        engine = OpenAIServerEngine(EngineSpec(name="openai", checkpoint="m", base_url=url, concurrency=2))
        stream = engine.generate((a_request(seed=i, sample_index=i) for i in range(1000)), Sampling())
        next(stream)
        stream.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if thread.name == "orz-openai"]
