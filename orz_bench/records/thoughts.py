"""What `orz-bench probe` found about stored answers of one evaluation: probe.json beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from orz_bench.errors import RunDirError
from orz_bench.records.run_dir import EvaluationDir, read_json, to_json, write_text

NAME = "probe.json"
SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A mean over questions of one figure in [0, 1], with its 95 % interval over questions (None for one question)."""

    value: float
    low: float | None
    high: float | None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Share:
        """The inverse of asdict."""
        return cls(value=data["value"], low=data["low"], high=data["high"])


@dataclass(frozen=True, slots=True, kw_only=True)
class ThoughtUse:
    """Where the responses of one evaluation first conclude the right answer. None where no response is of the kind."""

    num_questions: int
    num_right: int
    """Responses that are right."""
    num_wrong: int
    num_left_out: int
    """Responses without a verdict, a text, or a gold that a sentence could conclude."""
    unit: Literal["tokens", "characters"]
    mean_length: float | None
    """Of right responses."""
    mean_first: float | None
    """Of right responses, up to the first right conclusion."""
    outcome_efficiency: Share | None
    underthinking: Share | None
    reached: Share | None
    """Of wrong responses: those that conclude the right answer somewhere."""
    reached_by_chance: Share | None
    """Of wrong responses: those that conclude the answer to another question."""
    underthinking_by_chance: Share | None
    """The same figure of wrong responses with the answer to another question."""
    positions: tuple[float, ...]
    """Shares of a response, from 0 to 1."""
    right_by: tuple[float, ...]
    """Right responses that have concluded the right answer by each position; empty without any."""
    wrong_by: tuple[float, ...]
    """The same of wrong responses."""
    chance_by: tuple[float, ...]
    """Wrong responses that have concluded the answer to another question."""

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ThoughtUse:
        """The inverse of to_json; unknown keys are ignored."""
        known = {each.name: data[each.name] for each in fields(cls)}
        return cls(**{name: _read(value) for name, value in known.items()})


def _read(value: Any) -> Any:
    if isinstance(value, dict):
        return Share.from_json(value)
    return tuple(value) if isinstance(value, list) else value


def write_thought_use(directory: EvaluationDir, found: ThoughtUse) -> None:
    """Replace what is stored."""
    write_text(directory.path / NAME, to_json({"schema_version": SCHEMA_VERSION, **found.to_json()}))


def read_thought_use(directory: EvaluationDir) -> ThoughtUse | None:
    """What is stored, or None. RunDirError for a file that is damaged or of a newer version."""
    path = directory.path / NAME
    if not path.exists():
        return None
    data = read_json(path)
    if data.get("schema_version") != SCHEMA_VERSION:
        raise RunDirError(
            f"{path}: has schema version {data.get('schema_version')}, wanted {SCHEMA_VERSION}; run orz-bench "
            f"probe again."
        )
    try:
        return ThoughtUse.from_json(data)
    except (KeyError, TypeError) as error:
        raise RunDirError(f"{path}: is damaged ({error!r}); run orz-bench probe again.") from error
