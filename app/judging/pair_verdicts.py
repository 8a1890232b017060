"""What people say about pairs of similar texts: the same problem or not. Kept with the judgements of rollouts.

A verdict belongs to the two texts (app.curated.pairs.Pair.hash), so it holds in every set that has them, also in one
that is curated again with other settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from app.judging.annotations import FILE_NAME, Annotation, Annotations, RunIdentity
from app.queries.keys import Response, RowKey
from orz_bench.errors import RecordError

PAIRS = RunIdentity("pairs of texts", "pairs", created="9999")
"""In the place of a run. No entry without an identity is younger, so none applies by the name."""
PAIR = "pair"
"""In the place of a benchmark; the column with the hash in exports of pairs."""
VERDICTS: Mapping[str, str] = MappingProxyType(
    {"same": "Same problem", "different": "Different problems", "unsure": "Unsure"}
)
"""Verdicts, and their words."""


def pair_annotations(side: Path, *, author: str) -> Annotations:
    """Those of all pairs, in the file of annotations in `side`."""
    return Annotations(side / FILE_NAME, PAIRS, author=author)


def response_of(hash_: str) -> Response:
    """What an annotation is about: the pair in the place of a rollout and its text."""
    return Response(RowKey(PAIR, 0, "", hash_, 0), hash_[:16])


def judge(kept: Annotations, hash_: str, *, verdict: str | None, reason: str, over: Annotation) -> None:
    """Give a verdict, or (None) take it back. RecordError if it is not that of `over` any more."""
    if verdict is not None and verdict not in VERDICTS:
        raise RecordError(f"unknown verdict {verdict!r}; choose one of {', '.join(VERDICTS)}.")
    kept.give_verdict(response_of(hash_), verdict=verdict, reason=reason, over=over)


def verdicts(kept: Annotations) -> dict[str, str]:
    """The verdict on each judged pair, by its hash."""
    return {
        response.key.problem_id: found.verdict for response, found in kept.of_run().items() if found.verdict is not None
    }
