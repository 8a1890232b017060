"""The training step in a checkpoint's path.

A step is a word and a number inside one folder's name: `step`, `global_step`, `iter`, `iteration`, `checkpoint` or
`ckpt` (any case), then `=`, `_`, `-` or nothing, then one to twelve digits. Before the word is the name's beginning
or a character that is not a letter or digit; after the number no letter, digit or decimal part. So `checkpoint-500`,
`global_step_40`, `epoch=2-step=500` and `qwen-ckpt-200` contain a step; `Qwen2.5-7B`, `Step-3.5-Flash`,
`run2024-11-25`, `step10k` and `epoch_3` do not. Of several the last counts, on the path with all symbolic links
resolved; if that has none, on the path as it was given.
"""

from __future__ import annotations

import re
from pathlib import Path

_WORDS = "global_?-?steps?|steps?|iter(?:ation)?s?|checkpoint|ckpt"
_STEP = re.compile(rf"(?<![A-Za-z0-9])(?:{_WORDS})[=_-]?([0-9]{{1,12}})(?![0-9A-Za-z]|\.[0-9])", re.IGNORECASE)
_HUB_CACHE = "models--"
"""Name of a model's folder in the hub's cache: a version number in a model's name is not a step."""


def step_in_path(path: Path) -> int | None:
    """The step in the path of a checkpoint, or None."""
    for candidate in (path.resolve(), path):
        found = [
            int(match.group(1))
            for part in candidate.parts
            if not part.startswith(_HUB_CACHE)
            for match in _STEP.finditer(part)
        ]
        if found:
            return found[-1]
    return None
