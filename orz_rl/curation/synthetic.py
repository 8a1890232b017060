"""Tasks that a program makes, with exact answers: the generators of reasoning-gym by name and difficulty, and our sums.

Of reasoning-gym only generators whose scorer agrees with our grader are offered, so that a file of their tasks needs no
other reward.
benchmarks/synthetic_tasks.py compares the two on every generator.

Source: Stojanovski et al. 2025, Reasoning Gym (github.com/open-thought/reasoning-gym).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import metadata
from typing import Any

from orz_bench.benchmarks.arithmetic import generate_sums
from orz_bench.errors import ConfigError, nearest
from orz_bench.installed.extras import require
from orz_rl.curation.rows import Fate, Row
from orz_rl.curation.settings import SourceSettings

ARITHMETIC = "arithmetic"
"""The sums that the recipe `tiny` trains on."""
PREFIX = "reasoning_gym:"
GENERATORS = (
    "ab", "acre", "aiw", "bf", "binary_alternation", "calendar_arithmetic", "color_cube_rotation",
    "count_bits", "count_primes", "course_schedule", "dice", "family_relationships", "figlet_font", "gcd",
    "isomorphic_strings", "lcm", "leg_counting", "letter_counting", "mahjong_puzzle", "maze",
    "needle_haystack", "number_filtering", "number_format", "number_sorting", "ransom_note",
    "rectangle_count", "rotten_oranges", "self_reference", "simple_equations", "simple_geometry",
    "spell_backward", "string_insertion", "string_manipulation", "syllogism", "zebra_puzzles",
)  # fmt: skip
"""Those that can be named: one answer each, not in the question, which our grader tells from others."""


def is_made(path: str) -> bool:
    """Whether a source is made by a program."""
    return path == ARITHMETIC or path.startswith(PREFIX)


def check(settings: SourceSettings) -> None:
    """ConfigError for a generator that is unknown or cannot be graded, or settings that it does not take."""
    if settings.path == ARITHMETIC:
        if settings.settings:
            raise ConfigError(f"{ARITHMETIC}: takes no settings, found {dict(settings.settings)}; leave them out.")
        generate_sums(split="train", num_problems=settings.count)
        return
    name = settings.path.removeprefix(PREFIX)
    if name not in GENERATORS:
        raise ConfigError(
            f"{settings.path}: is no generator whose answers our grader can check{nearest(name, GENERATORS)}; wanted "
            f"one of {', '.join(GENERATORS)}."
        )
    _dataset(settings)


def version(path: str) -> str:
    """Of the library that decides the tasks."""
    if path == ARITHMETIC:
        return "1"
    require("curate", what="a source of reasoning_gym")
    return metadata.version("reasoning-gym")


def tasks(settings: SourceSettings, *, source: str) -> Iterator[Fate]:
    """The tasks, numbered from 0, each with its generator and its difficulty."""
    if settings.path == ARITHMETIC:
        for number, sum_ in enumerate(generate_sums(split="train", num_problems=settings.count)):
            yield _fate(number, source, texts=(sum_.question, sum_.gold), extra={})
        return
    name = settings.path.removeprefix(PREFIX)
    for number, entry in enumerate(_dataset(settings)):
        facts = entry.get("metadata") or {}
        difficulty = facts.get("difficulty") if isinstance(facts, dict) else None
        extra: dict[str, Any] = {"category": name}
        if isinstance(difficulty, dict):
            extra["difficulty"] = ", ".join(f"{key}={value}" for key, value in sorted(difficulty.items()))
        yield _fate(number, source, texts=(str(entry["question"]), str(entry["answer"])), extra=extra)


def _fate(number: int, source: str, *, texts: tuple[str, str], extra: Mapping[str, Any]) -> Fate:
    question, answer = (text.strip() for text in texts)
    return Fate(
        row=Row(
            number=number,
            id=f"{source}-{number}",
            source=source,
            place=f"task {number}",
            question=question,
            answer=answer,
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
