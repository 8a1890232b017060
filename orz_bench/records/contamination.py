"""What `orz-bench contamination` found: contamination/<benchmark>/<digest>/ of a run directory.

card.json, rows.jsonl (a question each), summary.json, against-<digest of the fresh benchmark>.json
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from orz_bench.errors import RunDirError
from orz_bench.records.carded_rows import CardedRows, carded_under
from orz_bench.records.run_dir import read_json, to_json, write_text
from orz_bench.records.thoughts import Share

FOLDER = "contamination"
KNOWN_BELOW = 0.001
"""Questions are called known by heart in part where the p-value of the test is below this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """Questions completed from a share of their characters."""

    share: float
    num: int
    exact: Share
    rouge_l: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """Answers given at once behind a share of the question; 0: without the question."""

    share: float
    num: int
    right: Share
    by_chance: Share | None
    """The share that is the answer to another question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownQuestions:
    """One benchmark."""

    benchmark: str
    num_questions: int
    num_without: int
    """Questions too short to be completed, or without a gold that can be answered at once."""
    completions: tuple[Completed, ...]
    answers: tuple[Answered, ...]
    scores: tuple[tuple[str, float, float], ...] = ()
    """(problem id, mean ROUGE-L over the shares, share of exact completions); none if read from a summary."""

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON, without the single questions."""
        return {name: value for name, value in asdict(self).items() if name != "scores"}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> KnownQuestions:
        """The inverse of to_json; unknown keys are ignored."""
        return cls(
            benchmark=data["benchmark"],
            num_questions=data["num_questions"],
            num_without=data["num_without"],
            completions=tuple(_part(Completed, one) for one in data["completions"]),
            answers=tuple(_part(Answered, one) for one in data["answers"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OldAgainstFresh:
    """Is an old benchmark completed better than a fresh one?"""

    old: str
    fresh: str
    num_old: int
    num_fresh: int
    difference: float
    """Of mean ROUGE-L, old minus fresh."""
    low: float
    high: float
    """95 % by Welch."""
    p_value: float
    """One-sided, by permutation of the questions."""
    exact_old: float
    exact_fresh: float
    p_exact: float
    """The same of the share of exact completions."""

    @property
    def is_known(self) -> bool:
        """Whether the test says that the old questions are known by heart in part."""
        return self.p_value < KNOWN_BELOW

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> OldAgainstFresh:
        """The inverse of to_json; unknown keys are ignored."""
        return cls(**{each.name: data[each.name] for each in fields(cls)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Contamination:
    """What one model knows of some benchmarks."""

    path: Path
    """The run directory."""
    benchmarks: tuple[KnownQuestions, ...]
    """The old ones, then the fresh ones."""
    against_fresh: tuple[OldAgainstFresh, ...]
    """Each old one against each fresh one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredContamination:
    """What is stored of one benchmark with one model and one choice of settings."""

    model: str
    """Its name, for people."""
    known: KnownQuestions
    tests: tuple[OldAgainstFresh, ...]


def write_test(old: CardedRows, fresh: CardedRows, *, test: OldAgainstFresh) -> None:
    """Keep a test beside the rows of the old benchmark; that of an earlier call is replaced."""
    write_text(old.path / f"against-{fresh.path.name}.json", to_json(test.to_json()))


def read_contamination(run: Path) -> list[StoredContamination]:
    """What is stored in a run directory, by benchmark. RunDirError for a file that is damaged."""
    folders = sorted(path for path in (run / FOLDER).glob("*") if path.is_dir())
    return [found for parent in folders for rows in carded_under(parent) if (found := _read(rows)) is not None]


def _read(rows: CardedRows) -> StoredContamination | None:
    data = rows.summary()
    if data is None:
        return None
    try:
        return StoredContamination(
            model=str(rows.card()["name"]),
            known=KnownQuestions.from_json(data),
            tests=tuple(
                OldAgainstFresh.from_json(read_json(path)) for path in sorted(rows.path.glob("against-*.json"))
            ),
        )
    except (KeyError, TypeError) as error:
        raise RunDirError(f"{rows.path}: is damaged ({error!r}); run orz-bench contamination again.") from error


def _part(kind: type[Any], data: Mapping[str, Any]) -> Any:
    """A Completed or an Answered, whose fields that are objects are shares."""
    values = {each.name: data[each.name] for each in fields(kind)}
    return kind(**{name: Share.from_json(one) if isinstance(one, dict) else one for name, one in values.items()})
