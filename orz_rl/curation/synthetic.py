"""Tasks that a program makes, with exact answers: the generators of reasoning-gym, by name and difficulty.

Only generators whose scorer agrees with our grader are offered, so that a file of their tasks needs no other reward.
benchmarks/synthetic_tasks.py compares the two on every generator.

Source: Stojanovski et al. 2025, Reasoning Gym (github.com/open-thought/reasoning-gym).
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata
from typing import Any

from orz_bench.errors import ConfigError, nearest
from orz_bench.installed.extras import require
from orz_rl.curation.rows import Fate, Row
from orz_rl.curation.settings import SourceSettings

PREFIX = "reasoning_gym:"
GENERATORS: tuple[str, ...] = ()
"""Those that can be named."""


def check(settings: SourceSettings) -> None:
    """ConfigError for a generator that is unknown or cannot be graded, or settings that it does not take."""
    name = settings.path.removeprefix(PREFIX)
    if name not in GENERATORS:
        raise ConfigError(
            f"{settings.path}: is no generator whose answers our grader can check{nearest(name, GENERATORS)}; wanted "
            f"one of {', '.join(GENERATORS)}."
        )
    _dataset(settings)


def version() -> str:
    """Of the library, which decides the tasks."""
    require("curate", what="a source of reasoning_gym")
    return metadata.version("reasoning-gym")


def tasks(settings: SourceSettings, *, source: str) -> Iterator[Fate]:
    """The tasks, numbered from 0, each with its generator and its difficulty."""
    name = settings.path.removeprefix(PREFIX)
    for number, entry in enumerate(_dataset(settings)):
        facts = entry.get("metadata") or {}
        difficulty = facts.get("difficulty") if isinstance(facts, dict) else None
        extra: dict[str, Any] = {"category": name}
        if isinstance(difficulty, dict):
            extra["difficulty"] = ", ".join(f"{key}={value}" for key, value in sorted(difficulty.items()))
        yield Fate(
            row=Row(
                number=number,
                id=f"{source}-{number}",
                source=source,
                place=f"task {number}",
                question=str(entry["question"]).strip(),
                answer=str(entry["answer"]).strip(),
                extra=extra,
            )
        )


def _dataset(settings: SourceSettings) -> Any:
    require("curate", what="a source of reasoning_gym")
    import reasoning_gym

    values = {"seed": 42, **settings.settings}
    try:
        return reasoning_gym.create_dataset(settings.path.removeprefix(PREFIX), size=settings.count, **values)
    except Exception as error:  # the library checks settings with assertions and TypeError
        raise ConfigError(
            f"{settings.path}: does not take these settings ({' '.join(str(error).split()) or type(error).__name__}); "
            f"found {dict(settings.settings)}."
        ) from error
