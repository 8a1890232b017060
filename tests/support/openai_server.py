"""A small OpenAI-compatible server in this process: it adds the numbers of a question, and misbehaves as it is told.

Texts are a function of prompt and seed, cut by stop strings and max_tokens as real servers do it.
On its chat endpoint it thinks first, and keeps the thought apart.
"""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

OPENAI_FIELDS = {
    "model", "prompt", "max_tokens", "temperature", "top_p", "seed", "stop", "presence_penalty", "frequency_penalty",
}  # fmt: skip
CHAT_FIELDS = OPENAI_FIELDS - {"prompt"} | {"messages", "max_completion_tokens", "n", "logprobs"}
Body = dict[str, Any]


@dataclass(kw_only=True)
class Behaviour:
    """What the server does otherwise than vLLM."""

    model: str = "m"
    root: str | None = "models/m"
    answers_as: str | None = "m"
    max_model_len: int | None = None
    fields: tuple[str, ...] = (
        "include_stop_str_in_output", "add_special_tokens", "top_k", "min_p", "repetition_penalty",
    )  # fmt: skip
    """Settings beyond OpenAI's that are taken; others are refused with 400."""
    keeps_stop: bool = True
    """Whether include_stop_str_in_output has an effect."""
    names_stop: bool = True
    takes_ids: bool = True
    adds_bos: bool = False
    prefix: str = "/v1"
    models: Any = None
    """Instead of the list of models: (status, body)."""
    odd: Callable[[Body, int], tuple[Any, ...] | str | None] = lambda _body, _times: None
    """For a request and how often its seed was seen: None, (status, body), (status, body, headers), "reset", "cut" or
    "cut chunk" (the body ends early), or "hang"."""
    finish: Callable[[Body, int], Any] = lambda _body, _times: ""
    """finish_reason; "" is the true one."""
    has_chat: bool = True
    thought_field: str | None = "reasoning_content"
    """Where the chat endpoint keeps the thought; None: in the content, in tags."""
    refuses: tuple[str, ...] = ()
    """Settings of OpenAI's that the chat endpoint refuses."""
    reads_system: bool = True
    counts_by: str = "token_ids"
    """What lists the tokens of each of several choices."""
    change: Callable[[Body], Any] = lambda _answer: None
    """Changes an answer of the chat endpoint before it is sent."""


@dataclass
class Log:
    """What arrived."""

    bodies: list[Body] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0

    def drawn(self) -> list[Body]:
        """Requests for samples: those of the first questions of the client are greedy and short."""
        return [body for body in self.bodies if body.get("max_tokens") not in (1, 16)]


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256  # the usual 5 have clients wait a second for a connection

    def __init__(self, **behaviour: Any) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behaviour = Behaviour(**behaviour)
        self.log = Log()
        self.lock = threading.Lock()
        self.leaving = threading.Event()

    def handle_error(self, *_: object) -> None:
        """A client that leaves is no fault."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}{self.behaviour.prefix}"


@contextmanager
def running(server: Server) -> Iterator[str]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.url
    finally:
        server.leaving.set()
        server.shutdown()
        thread.join()
        server.server_close()


def text_for(prompt: Any, seed: int) -> str:
    """What the model would write without an end."""
    shown = prompt if isinstance(prompt, str) else "".join(map(chr, prompt))
    problem = shown.rpartition("This is the problem:")[2]
    numbers = [int(number) for number in re.findall(r"\d+", problem)]
    answer = f"<answer> \\boxed{{{sum(numbers)}}} </answer>"
    return f" sample {seed}: adding them up gives the sum. </think> {answer} User: more"


def chat_text_for(messages: Any, seed: int) -> tuple[str, str]:
    """(what the model thinks, what it says then)."""
    asked = messages[-1]["content"].partition("\n\nPlease reason")[0]
    numbers = [int(number) for number in re.findall(r"\d+", asked)]
    return f"sample {seed}: wait, adding them up", f"The sum is \\boxed{{{sum(numbers)}}}."


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body leave together: an acknowledgement between them takes 40 ms
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        behaviour = self.server.behaviour
        with self.server.lock:
            self.server.log.paths.append(self.path)
            self.server.log.headers.append({name.lower(): value for name, value in self.headers.items()})
        if behaviour.models is not None:
            return self._send(*behaviour.models)
        if self.path.partition("?")[0] != f"{behaviour.prefix}/models":
            return self._send(404, {"detail": "Not Found"})
        entry = {"id": behaviour.model, "object": "model", "created": 0, "owned_by": "x", "root": behaviour.root}
        entry |= {"max_model_len": behaviour.max_model_len} if behaviour.max_model_len else {}
        return self._send(200, {"object": "list", "data": [entry]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.server
        with server.lock:
            server.log.in_flight += 1
            server.log.most_in_flight = max(server.log.most_in_flight, server.log.in_flight)
            times = sum(one.get("seed") == body.get("seed") for one in server.log.bodies)
            server.log.bodies.append(body)
            server.log.paths.append(self.path)
            server.log.headers.append({name.lower(): value for name, value in self.headers.items()})
        time.sleep(0.005)
        with server.lock:
            server.log.in_flight -= 1
        self._answer(body, times)

    def _answer(self, body: Body, times: int) -> None:
        behaviour = self.server.behaviour
        unknown = sorted(set(body) - OPENAI_FIELDS - set(behaviour.fields))
        odd = behaviour.odd(body, times)
        if odd == "hang":
            self.server.leaving.wait(30)
        if odd in ("reset", "hang"):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            self.close_connection = True
            self.connection.close()
        elif odd in ("cut", "cut chunk"):
            self._cut_off(body, times, in_chunks=odd == "cut chunk")
        elif isinstance(odd, tuple):
            self._send(*odd)
        elif behaviour.has_chat and self.path.partition("?")[0] == f"{behaviour.prefix}/chat/completions":
            self._answer_chat(body)
        elif self.path.partition("?")[0] != f"{behaviour.prefix}/completions":
            self._send(404, {"detail": "Not Found"})
        elif unknown:
            self._send(400, {"error": {"message": f"unknown field {unknown[0]}"}})
        elif not isinstance(body["prompt"], str) and not behaviour.takes_ids:
            self._send(422, {"error": {"message": "prompt: wanted a string"}})
        elif (excess := self._excess(body)) > 0:
            self._send(400, {"error": {"message": f"{excess} tokens beyond the context"}})
        else:
            self._send(200, self._completion(body, times))

    def _cut_off(self, body: Body, times: int, *, in_chunks: bool) -> None:
        answer = self._chat(body) if "messages" in body else self._completion(body, times)
        data = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header(*(("Transfer-Encoding", "chunked") if in_chunks else ("Content-Length", str(len(data)))))
        self.end_headers()
        self.wfile.write(b"%x\r\n" % len(data) if in_chunks else b"")
        self.wfile.write(data[: len(data) // 2])
        self.close_connection = True

    def _answer_chat(self, body: Body) -> None:
        behaviour = self.server.behaviour
        known = (CHAT_FIELDS | set(behaviour.fields)) - set(behaviour.refuses)
        known |= {"return_token_ids"} if behaviour.counts_by == "token_ids" else set()
        known |= {"chat_template_kwargs"} if "chat_template_kwargs" not in behaviour.refuses else set()
        unknown = sorted(set(body) - known)
        if unknown:
            return self._send(400, {"error": {"message": f"unsupported parameter {unknown[0]}"}})
        answer = self._chat(body)
        behaviour.change(answer)
        return self._send(200, answer)

    def _chat(self, body: Body) -> Body:
        num = body.get("n", 1)
        choices = [self._choice(body, index) for index in range(num)]
        shown = [turn for turn in body["messages"] if self.server.behaviour.reads_system or turn["role"] != "system"]
        prompt = sum(len(turn["content"]) for turn in shown)
        written = sum(choice.pop("written") for choice in choices)
        usage = {"prompt_tokens": prompt, "completion_tokens": written, "total_tokens": prompt + written}
        answer = {"id": "1", "object": "chat.completion", "created": 0, "choices": choices, "usage": usage}
        return answer | ({"model": self.server.behaviour.answers_as} if self.server.behaviour.answers_as else {})

    def _choice(self, body: Body, index: int) -> Body:
        behaviour = self.server.behaviour
        thought, said = chat_text_for(body["messages"], body.get("seed", 0) + index)
        limit = body.get("max_tokens") or body.get("max_completion_tokens") or 0
        finish, matched = "stop", None
        stops = sorted((said.find(stop), stop) for stop in body.get("stop") or () if stop in said)
        if stops:
            at, matched = stops[0]
            said = said[: at + (len(matched) if body.get("include_stop_str_in_output") else 0)]
        if len(thought) + len(said) > limit:
            thought, said, finish, matched = thought[:limit], said[: max(0, limit - len(thought))], "length", None
        written = len(thought) + len(said)
        message: Body = {"role": "assistant", "content": said or None, "refusal": None}
        if behaviour.thought_field is None:
            message["content"] = f"<think>{thought}</think>{said}"
        else:
            message[behaviour.thought_field] = thought
        choice: Body = {"index": index, "message": message, "finish_reason": finish, "stop_reason": matched}
        if body.get("return_token_ids"):
            choice["token_ids"] = [0] * written
        if body.get("logprobs") and behaviour.counts_by == "logprobs":
            choice["logprobs"] = {"content": [{}] * written}
        return choice | {"written": written}

    def _excess(self, body: Body) -> int:
        limit = self.server.behaviour.max_model_len
        return 0 if limit is None else self._prompt_tokens(body) + body["max_tokens"] - limit

    def _prompt_tokens(self, body: Body) -> int:
        return len(body["prompt"]) + (self.server.behaviour.adds_bos and isinstance(body["prompt"], str))

    def _completion(self, body: Body, times: int) -> Body:
        behaviour = self.server.behaviour
        text, finish = text_for(body["prompt"], body["seed"])[: body["max_tokens"]], "length"
        stops = sorted((text.find(stop), stop) for stop in body.get("stop") or () if stop in text)
        choice: Body = {"index": 0, "logprobs": None}
        if behaviour.names_stop:
            choice["stop_reason"] = None
        if stops:
            at, stop = stops[0]
            kept = behaviour.keeps_stop and body.get("include_stop_str_in_output")
            text, finish = text[: at + (len(stop) if kept else 0)], "stop"
            if behaviour.names_stop:
                choice["stop_reason"] = stop
        told = behaviour.finish(body, times)
        choice |= {"text": text, "finish_reason": finish if told == "" else told}
        usage = {"prompt_tokens": self._prompt_tokens(body), "completion_tokens": len(text)}
        answer = {"id": "1", "object": "text_completion", "created": 0, "choices": [choice], "usage": usage}
        return answer | ({"model": behaviour.answers_as} if behaviour.answers_as else {})

    def _send(self, status: int, content: Any, headers: Mapping[str, str] | None = None) -> None:
        data = content.encode() if isinstance(content, str) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html" if isinstance(content, str) else "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in ({"retry-after-ms": "1"} if headers is None else headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None: ...
