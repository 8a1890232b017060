"""The name that our agent executor imports from OpenRLHF 0.11."""

from __future__ import annotations


class AgentExecutorBase:
    """Without its abstract method."""
