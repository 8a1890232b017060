"""The service that a trainer of another project calls while it runs: `/sample` for a prompt, `/score` for a reward.

It runs in this process, in whose environment the grader was installed, and is the only writer of rollouts; the trainer
needs nothing but the standard library (`client`). A secret in a file that only the user can read admits callers.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from orz_bench.errors import RecordError
from orz_bench.records.run_dir import to_json
from orz_rl.backends.external.scoring.prompts import Desk
from orz_rl.backends.external.scoring.responses import Response
from orz_rl.backends.external.scoring.scorer import Scorer
from orz_rl.config import TrainConfig

_MOST_BYTES = 64 << 20


class Service:
    """Answers requests from any thread."""

    def __init__(self, config: TrainConfig, desk: Desk, scorer: Scorer) -> None:
        self._config, self._desk, self._scorer = config, desk, scorer
        self.failure: BaseException | None = None
        """The first error that is not the caller's, such as a full disk: the run has to end."""

    def answer(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a request. RecordError for one that makes no sense."""
        try:
            if path == "/sample":
                return self._sample(body)
            if path == "/score":
                return self._score(body)
        except (KeyError, TypeError, ValueError) as error:
            raise RecordError(f"{path}: {type(error).__name__}: {error}") from error
        except RecordError:
            raise
        except BaseException as error:  # carried to the thread that owns the run
            self.failure = self.failure or error
            raise
        raise RecordError(f"{path}: unknown; there are /sample and /score.")

    def _sample(self, body: Mapping[str, Any]) -> dict[str, Any]:
        step = body.get("step")
        sample = self._desk.sample(str(body["ticket"]), step=None if step is None else int(step))
        request, rollout = sample.request, self._config.rollout
        tokens = request.prompt_token_ids or ()
        return {
            "id": sample.id,
            "step": sample.step,
            "token_ids": list(tokens),
            "seed": request.seed,
            "stop": list(rollout.stop),
            "max_tokens": min(rollout.max_tokens, self._config.max_sequence - len(tokens)),
        }

    def _score(self, body: Mapping[str, Any]) -> dict[str, Any]:
        logprobs, version = body.get("logprobs"), body.get("policy_version")
        response = Response(
            token_ids=tuple(map(int, body["token_ids"])),
            logprobs=None if logprobs is None else tuple(map(float, logprobs)),
            is_truncated=body.get("is_truncated"),
            policy_version=None if version is None else int(version),
        )
        rollout = self._scorer.score(self._desk.take(str(body["id"])), response)
        assert rollout.reward is not None
        is_truncated = rollout.stop_reason == "length"
        return {"reward": rollout.reward, "verdict": rollout.verdict, "why": rollout.why, "is_truncated": is_truncated}


@contextmanager
def serving(service: Service, address: Path, *, is_remote: bool) -> Iterator[None]:
    """Serve while the block runs. The file `address` says where, and holds the secret; it is removed afterwards.

    `is_remote`: whether other machines call it too; otherwise it listens on this machine alone.
    """
    secret = secrets.token_hex(32)
    host = socket.gethostbyname(socket.gethostname()) if is_remote else "127.0.0.1"
    server = _Server(("" if is_remote else host, 0), _handler(service, secret))
    thread = threading.Thread(target=server.serve_forever, name="orz-scoring", daemon=True)
    thread.start()
    try:
        _write_private(address, {"url": f"http://{host}:{server.server_port}", "secret": secret})
        yield
    finally:
        address.unlink(missing_ok=True)
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024


def _handler(service: Service, secret: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            given = self.headers.get("Authorization", "").encode()
            if not hmac.compare_digest(given, f"Bearer {secret}".encode()) or size > _MOST_BYTES:
                self.close_connection = True
                return self._reply(403, {"error": "not admitted"})
            try:
                body = json.loads(self.rfile.read(size))
                return self._reply(200, service.answer(self.path, body))
            except (RecordError, ValueError) as error:
                return self._reply(400, {"error": str(error)})
            except Exception as error:
                return self._reply(500, {"error": f"{type(error).__name__}: {error}"})

        def _reply(self, status: int, content: Mapping[str, Any]) -> None:
            data = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
            """Nothing: a step makes thousands of requests."""

    return Handler


def _write_private(path: Path, content: Mapping[str, str]) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(to_json(content))
