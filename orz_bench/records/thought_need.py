"""What `orz-bench probe --ckpt` found about one evaluation with one model: need/<digest>/ beside the samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from orz_bench.errors import RunDirError
from orz_bench.records.carded_rows import CardedRows, carded_under
from orz_bench.records.run_dir import EvaluationDir
from orz_bench.records.thoughts import Share

FOLDER = "need"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepScores:
    """Steps of one kind, by one way of measuring."""

    kind: str
    """all, steps (those that are no reflections), reflections."""
    measured: str
    """now: the answer is asked for right behind the step. later: the thought goes on from there."""
    num_steps: int
    score: Share
    """Mean over questions of the true-thinking score."""
    support: float
    """Mean over questions of the effect with its sign."""
    decorative: Share
    """Share of steps with a score of at most 0.005."""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> StepScores:
        """The inverse of asdict."""
        shares = {name: Share.from_json(data[name]) for name in ("score", "decorative")}
        return cls(**{each.name: data[each.name] for each in fields(cls)} | shares)


@dataclass(frozen=True, slots=True, kw_only=True)
class ThoughtNeed:
    """Whether one model needs the thoughts of one evaluation."""

    model: str
    """Its name, for people."""
    num_questions: int
    num_responses: int
    num_left_out: int
    """Responses without a text, a finished thought, a verdict, or a gold that can be an answer."""
    positions: tuple[float, ...]
    """Shares of the thought that the model got."""
    accuracy: tuple[Share, ...]
    """Of forced answers, one for each position."""
    own: tuple[Share, ...]
    """Share of forced answers that equal the response's own; over responses that have one."""
    steps: tuple[StepScores, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ThoughtNeed:
        """The inverse of to_json; unknown keys are ignored."""
        plain = {each.name: data[each.name] for each in fields(cls)}
        plain |= {name: tuple(map(Share.from_json, data[name])) for name in ("accuracy", "own")}
        plain |= {"positions": tuple(data["positions"]), "steps": tuple(map(StepScores.from_json, data["steps"]))}
        return cls(**plain)


def read_thought_needs(directory: EvaluationDir) -> list[ThoughtNeed]:
    """What is stored for every model and setting. RunDirError for a file that is damaged."""
    return [found for rows in carded_under(directory.path / FOLDER) if (found := _read(rows)) is not None]


def _read(rows: CardedRows) -> ThoughtNeed | None:
    data = rows.summary()
    if data is None:
        return None
    try:
        return ThoughtNeed.from_json(data)
    except (KeyError, TypeError) as error:
        raise RunDirError(f"{rows.path}: its summary is damaged ({error!r}); run orz-bench probe again.") from error
