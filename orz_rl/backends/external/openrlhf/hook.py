"""The agent executor that OpenRLHF loads: our prompt, one response with our stop strings, our reward.

It is copied into the run as `orz_openrlhf.py`, beside `orz_client.py` and `orz_openrlhf.json`, and loaded by OpenRLHF
inside each of its engines.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from openrlhf.utils.agent import AgentExecutorBase

sys.path.insert(0, str(Path(__file__).parent))
from orz_client import Client

_SETTINGS = json.loads(Path(__file__).with_name("orz_openrlhf.json").read_text(encoding="utf-8"))


class AgentExecutor(AgentExecutorBase):  # type: ignore[misc]  # openrlhf is not followed
    """OpenRLHF makes one per engine, and calls it for every sample."""

    def __init__(self) -> None:
        self._client = Client(_SETTINGS["service"])

    async def execute(self, prompt: str, label: str, **others: Any) -> dict[str, Any]:
        """The response to the next sample of the ticket, which is the prompt of the data file."""
        sampling_params = others["sampling_params"]
        sample = await asyncio.to_thread(self._client.sample, prompt)
        chosen = type(sampling_params)(
            temperature=sampling_params.temperature,
            top_p=sampling_params.top_p,
            top_k=_SETTINGS["top_k"],
            max_tokens=sample["max_tokens"],
            seed=sample["seed"],
            stop=sample["stop"],
            include_stop_str_in_output=True,
            logprobs=0,
        )
        found = (await others["llm_engine"].generate(sample["token_ids"], chosen)).outputs[0]
        token_ids = list(found.token_ids)
        logprobs = [at[token].logprob for token, at in zip(token_ids, found.logprobs, strict=True)]
        scored = await asyncio.to_thread(
            self._client.score,
            sample["id"],
            token_ids,
            logprobs=logprobs if _SETTINGS["keeps_logprobs"] else None,
            is_truncated=found.finish_reason == "length",
        )
        start = len(sample["token_ids"])
        return {
            "prompt": prompt,
            "label": label,
            "images": None,
            "mm_train_inputs": None,
            "observation_tokens": [*sample["token_ids"], *token_ids],
            "action_ranges": [(start, start + len(token_ids))],
            "rollout_log_probs": [*[0.0] * start, *logprobs] if sampling_params.logprobs is not None else None,
            "truncated": scored["is_truncated"],
            "reward": scored["reward"],
            "scores": scored["reward"],
            "extra_logs": {},
        }
