"""The two names that our agent loop imports from verl 0.9."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


class AgentLoopBase:
    """verl passes more arguments; the loop uses the client of the engines only."""

    def __init__(self, *, server_manager: Any, **kwargs: Any) -> None:
        self.server_manager = server_manager


@dataclass
class AgentLoopOutput:
    """As verl's, which is a pydantic model."""

    prompt_ids: list[int]
    response_ids: list[int]
    response_mask: list[int]
    metrics: dict[str, Any]
    response_logprobs: list[float] | None = None
    reward_score: float | None = None
    num_turns: int = 0
    extra_fields: dict[str, Any] = field(default_factory=dict)
