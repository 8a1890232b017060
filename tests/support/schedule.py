"""Which worker of pytest-xdist runs which files, and in which order: what takes long first, real models one at a time.

A file is one worker's. All files that load a real model are one unit: the worker that has it runs them one after
another, while the others run everything else. So are those with a browser, which share it and its app.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

from tests.support.command_line import PROJECT

_REAL_MODELS = "files that load a real model"
_BROWSER = "files with a browser"


class LongestFirst(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """Units in the order of the collection, which `sort` has put right."""

    def __init__(self, config: pytest.Config, log: Any) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False  # its order: the most tests first, which are the cheapest

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        if _loads_real_models(file):
            return _REAL_MODELS
        return _BROWSER if file.startswith("tests/browser/") else file


def sort(items: list[pytest.Item]) -> None:
    """Files with real models first, then files with slow tests; otherwise as they were."""
    ranks = {str(item.path): 2 for item in items}
    for item in items:
        is_slow = item.get_closest_marker("slow") is not None
        rank = 0 if _loads_real_models(item.nodeid.split("::", 1)[0]) else 1 if is_slow else 2
        ranks[str(item.path)] = min(rank, ranks[str(item.path)])
    items.sort(key=lambda item: ranks[str(item.path)])


def shuffle(items: list[pytest.Item], seed: int) -> None:
    """Files in random order, and the tests of each file in random order."""
    files: dict[str, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(str(item.path), []).append(item)
    rng = random.Random(seed)
    names = sorted(files)
    rng.shuffle(names)
    items[:] = [item for name in names for item in _shuffled(files[name], rng)]


def _shuffled(items: Sequence[pytest.Item], rng: random.Random) -> list[pytest.Item]:
    return rng.sample(list(items), len(items))


@cache
def _loads_real_models(file: str) -> bool:
    return "pytest.mark.real_model" in (PROJECT / file).read_text(encoding="utf-8")
