"""What tags mean: a description of each tag of the folder, kept with the judgements, which its readers share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from app.judging.annotations import FILE_NAME, Annotations, RunIdentity
from app.queries.keys import Response, RowKey

TAGS = RunIdentity("descriptions of tags", "tags", created="9999")
"""In the place of a run."""
TAG = "tag"
"""In the place of a benchmark."""
SUGGESTED: Mapping[str, str] = MappingProxyType(
    {
        "grader bug": "the answer is right, the verdict is not",
        "bad gold": "the reference answer is wrong or ambiguous",
        "lucky guess": "the answer is right, the reasoning does not lead to it",
        "reward hacking": "earns the reward without solving the problem",
        "interesting": "worth showing to others",
    }
)
"""Tags that are offered in every folder, with what they mean unless somebody has described them otherwise."""


def tag_annotations(side: Path, *, author: str) -> Annotations:
    """The descriptions, in the file of annotations in `side`."""
    return Annotations(side / FILE_NAME, TAGS, author=author)


def response_of(tag: str) -> Response:
    """What a description is about: the tag in the place of a rollout."""
    return Response(RowKey(TAG, 0, "", tag, 0), "")


def described(kept: Annotations) -> dict[str, str]:
    """What each described tag means; suggested ones have a description anyway."""
    own = {response.key.problem_id: found.note for response, found in kept.of_run().items() if found.note}
    return {**SUGGESTED, **own}
