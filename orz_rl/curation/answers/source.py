"""Reads stored answers: the rollouts of a run (of training, or of an evaluation), or a table of another tool.

Nothing is chosen here. Unknown values are None; a table's row keeps what it says, under our names for its columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orz_bench.errors import ConfigError, DataError, counted
from orz_bench.records.foreign import canonical, flat
from orz_bench.records.parquet import rollouts_from_table
from orz_bench.records.rollout import Rollout, StopReason, Verdict
from orz_bench.records.run_dir import RolloutsDir, RunDir
from orz_bench.records.tables import read_table
from orz_bench.records.values import ValuesDir, ValueSummary, require_same_text, values_beside
from orz_rl.settings.distill import AnswerChoice

_CUT = ("length", "max_tokens", "max_length")
"""Stop reasons of other tools for an answer that was cut off."""
UNGRADED: Verdict = "error"
"""The verdict of a row that has none."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A stored rollout that may be learned."""

    rollout: Rollout
    is_graded: bool = True
    value: float | None = None
    """The mean of a critic's values of its tokens."""

    @property
    def problem(self) -> tuple[str, str]:
        """(benchmark, problem id)."""
        return (self.rollout.benchmark, self.rollout.problem_id)


def answers_of(source: Path, settings: AnswerChoice, *, stop: tuple[str, ...]) -> Iterator[Answer]:
    """Every stored answer, step by step. `stop`: the strings that end an answer, for tables without stop reasons.

    ConfigError if there is no such file, no rollout, or no value where values decide; DataError for a broken table.
    """
    if source.is_file():
        yield from _of_file(source, settings, stop=stop)
        return
    if not source.exists():
        raise ConfigError(f"distill.source={source}: no such file or run; name a run, or a table of rollouts.")
    folders = _folders(RunDir(source), settings)
    if not folders:
        since = f" of step {settings.from_step} or later (from_step)" if settings.from_step else ""
        raise ConfigError(f"distill.source={source}: has no rollouts{since}; name another run or step.")
    for folder in folders:
        yield from _of_folder(folder, settings)


def _folders(run: RunDir, settings: AnswerChoice) -> list[RolloutsDir]:
    """The rollouts of training; of a run that only evaluates, its samples."""
    if run.info()["kind"] == "train":
        return [folder for step, folder in run.sampled_steps() if step >= settings.from_step]
    return [each for each in run.evaluations() if each.step >= settings.from_step]


def _of_folder(folder: RolloutsDir, settings: AnswerChoice) -> Iterator[Answer]:
    rollouts = rollouts_from_table(folder.read())
    if settings.prefer != "value":
        yield from map(Answer, rollouts)
        return
    values = _values(folder, settings.critic).read()
    for row in rollouts:
        found = values.get((row.problem_id, row.sample_index))
        if found is None:
            raise ConfigError(
                f"{folder.path}: sample {row.sample_index} of {row.problem_id} has no value, which "
                f"prefer=value needs; run orz-bench value with the same critic again, or use another "
                f"prefer."
            )
        if row.completion is not None:
            require_same_text(found, row.completion, where=folder.path)
        yield Answer(row, value=ValueSummary.of(found.values).mean)


def _values(folder: RolloutsDir, critic: str | None) -> ValuesDir:
    found = values_beside(folder)
    fitting = [each for each in found if critic is None or each.path.name.startswith(critic)]
    if len(fitting) == 1:
        return fitting[0]
    names = ", ".join(each.path.name for each in found) or "no critic"
    wanted = "exactly one" if critic is None else f"one whose digest starts with {critic}"
    raise ConfigError(
        f"{folder.path}: has values of {names}, but prefer=value needs {wanted}; run orz-bench value RUN "
        f"--rollouts --critic PATH, or choose with critic=DIGEST."
    )


def _of_file(path: Path, settings: AnswerChoice, *, stop: tuple[str, ...]) -> Iterator[Answer]:
    if settings.prefer == "value":
        raise ConfigError(
            f"prefer=value: the values of {path} are stored beside a folder of rollouts only; name a run, or "
            f"use another prefer."
        )
    seen: dict[tuple[str, int], int] = {}
    for where, row in read_table(path, strict=False):
        if not isinstance(row, dict):
            raise DataError(f"{path}, {where}: not a row with columns; name a table of rollouts.")
        answer = _of_row(row, where=f"{path}, {where}", stop=stop, seen=seen)
        if answer.rollout.step >= settings.from_step:
            yield answer
    if not seen:
        raise DataError(f"{path}: has {counted(0, 'row')}; name a table of rollouts.")


def _of_row(row: Mapping[str, Any], *, where: str, stop: tuple[str, ...], seen: dict[tuple[str, int], int]) -> Answer:
    fields = flat(row)
    ours = canonical(fields)
    prompt = fields.get("prompt")
    missing = [name for name in ("question", "problem_id") if not ours.get(name)]
    if missing:
        raise DataError(f"{where}: has no {missing[0]}; wanted question, completion and verdict in every row.")
    step = _number(ours.get("step"), where=where, name="step")
    key = (ours["problem_id"], step)
    seen[key] = seen.get(key, -1) + 1
    index = ours.get("sample_index")
    completion = ours.get("completion") or ""
    verdict: Verdict = ours.get("verdict") or UNGRADED
    rollout = Rollout(
        benchmark=ours.get("benchmark") or "train",
        problem_id=ours["problem_id"],
        question=ours["question"],
        gold=ours.get("gold") or "",
        sample_index=seen[key] if index is None else _number(index, where=where, name="sample_index"),
        seed=0,
        step=step,
        prompt=prompt if isinstance(prompt, str) else "",
        completion=completion,
        prompt_token_ids=fields.get("prompt_token_ids"),
        token_ids=fields.get("token_ids"),
        num_tokens=len(fields.get("token_ids") or ()),
        stop_reason=_stop_reason(ours.get("stop_reason"), completion, stop=stop),
        extracted=ours.get("extracted"),
        verdict=verdict,
        why="the verdict of the table",
        second_extractor="none",
        second_extracted=None,
        second_verdict=verdict,
        grader_version="of another tool",
    )
    return Answer(rollout, is_graded=ours.get("verdict") is not None)


def _number(value: Any, *, where: str, name: str) -> int:
    try:
        return int(value or 0)
    except (TypeError, ValueError) as error:
        raise DataError(f"{where}: {name} is {value!r}, wanted a whole number.") from error


def _stop_reason(found: Any, completion: str, *, stop: tuple[str, ...]) -> StopReason:
    """Ours; of another tool's `stop`, or where nothing is said: by whether the text ends in a stop string."""
    text = str(found or "").lower()
    if text in _CUT:
        return "length"
    if text == "failed":
        return "failed"
    return "stop_string" if completion.rstrip().endswith(stop) else "eos"
