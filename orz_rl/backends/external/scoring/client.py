"""Calls the scoring service from inside another trainer. Standard library only: it is copied there as `orz_client.py`.

Every failure is an exception, never a reward: a trainer must not learn from a response that nobody graded.
"""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

_TIMEOUT_S = 600.0


class Client:
    """From any thread. `service`: the file with address and secret."""

    def __init__(self, service: str) -> None:
        self._file = Path(service)
        self._lock = threading.Lock()
        self._address: dict[str, str] | None = None

    def sample(self, ticket: str, *, step: int | None = None) -> dict[str, Any]:
        """The sample of a ticket: id, token_ids, seed, stop, max_tokens."""
        return self._post("/sample", {"ticket": ticket, "step": step})

    def score(
        self,
        sample_id: str,
        token_ids: list[int],
        *,
        logprobs: list[float] | None = None,
        is_truncated: bool | None = None,
        policy_version: int | None = None,
    ) -> dict[str, Any]:
        """Reward, verdict, why."""
        rounded = None if logprobs is None else [round(float(each), 6) for each in logprobs]
        return self._post(
            "/score",
            {
                "id": sample_id,
                "token_ids": [int(each) for each in token_ids],
                "logprobs": rounded,
                "is_truncated": is_truncated,
                "policy_version": policy_version,
            },
        )

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        address = self._read()
        request = urllib.request.Request(  # noqa: S310 - the address is that of our own service
            f"{address['url']}{path}",
            data=json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {address['secret']}", "Content-Type": "application/json"},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=_TIMEOUT_S) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"orz's service refused {path}: {error.read().decode(errors='replace')}") from error
        except OSError as error:
            raise RuntimeError(f"orz's service at {address['url']} does not answer {path} ({error})") from error

    def _read(self) -> dict[str, str]:
        with self._lock:
            if self._address is None:
                try:
                    self._address = json.loads(self._file.read_text(encoding="utf-8"))
                except OSError as error:
                    raise RuntimeError(
                        f"{self._file}: not readable ({error}); this trainer is started by orz-rl train, which serves "
                        f"prompts and rewards while it runs"
                    ) from error
            assert self._address is not None
            return self._address
