"""The agent loop that verl loads: our prompt, one response with our stop strings, our reward.

It is copied into the run as `orz_verl.py`, beside `orz_client.py`, and imported by verl in its own environment.
"""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

from orz_client import Client
from verl.experimental.agent_loop.agent_loop import AgentLoopBase, AgentLoopOutput


class OrzAgentLoop(AgentLoopBase):  # type: ignore[misc]  # verl is not followed
    """One sample. verl makes one for each, with the keys of agent_loops.yaml as further arguments."""

    def __init__(self, *args: Any, service: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._client = Client(service)

    async def run(self, sampling_params: dict[str, Any], **kwargs: Any) -> AgentLoopOutput:
        """The response to the next sample of the ticket."""
        ticket, step = str(kwargs["extra_info"]["index"]), int(kwargs["global_steps"])
        sample = await asyncio.to_thread(self._client.sample, ticket, step=step)
        output = await self.server_manager.generate(
            request_id=uuid4().hex,
            prompt_ids=sample["token_ids"],
            sampling_params=sampling_params
            | {
                "max_tokens": sample["max_tokens"],
                "seed": sample["seed"],
                "stop": sample["stop"],
                "include_stop_str_in_output": True,
            },
        )
        token_ids, logprobs = list(output.token_ids), output.log_probs
        scored = await asyncio.to_thread(
            self._client.score,
            sample["id"],
            token_ids,
            logprobs=logprobs,
            policy_version=output.extra_fields.get("global_steps"),
        )
        return AgentLoopOutput(
            prompt_ids=sample["token_ids"],
            response_ids=token_ids,
            response_mask=[1] * len(token_ids),
            response_logprobs=logprobs,
            reward_score=scored["reward"],
            num_turns=2,
            metrics={},
            extra_fields=output.extra_fields
            | {"turn_scores": [], "tool_rewards": [], "reward_extra_info": {"acc": scored["verdict"] == "correct"}},
        )
