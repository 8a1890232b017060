"""What names a rollout for good: a key that survives new parts, other machines and new versions of the app."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class RowKey:
    """One rollout of a run; of training where the fingerprint is empty."""

    benchmark: str
    step: int
    fingerprint: str
    problem_id: str
    sample_index: int

    @property
    def kind(self) -> str:
        """`train` or `eval`."""
        return "eval" if self.fingerprint else "train"


KEY_COLUMNS = ("benchmark", "step", "fingerprint", "problem_id", "sample_index")
