"""What counts as a verdict: a request that failed is stored as `no_answer`, although nobody has seen a response.

Among samples that were judged it counts as wrong, as in a summary. Where no sample was judged, there is no score.
"""

from __future__ import annotations

from collections.abc import Collection

NO_RESPONSE = "the row has no response"
"""The reason (`why`) of an imported sample whose request failed."""
NO_TEXT = "the file has no text"
"""The reason (`why`) of an imported sample whose file says what was answered, but not in which words."""
WITHOUT_TEXT = (NO_RESPONSE, NO_TEXT)
"""A sample for one of these reasons has an empty `completion` that nobody wrote."""


def is_judged(verdict: str | None, why: str | None) -> bool:
    """Whether somebody has judged the response of this sample."""
    return verdict is not None and why != NO_RESPONSE


IS_JUDGED_SQL = f"(verdict IS NOT NULL AND why IS DISTINCT FROM '{NO_RESPONSE}')"
"""The same on the columns of rollouts."""


def are_scored(samples: Collection[tuple[str | None, str | None]]) -> bool:
    """Whether the samples (verdict, why) of an evaluation have a score: all have a verdict, and not all failed."""
    return all(verdict is not None for verdict, _ in samples) and any(is_judged(*sample) for sample in samples)
