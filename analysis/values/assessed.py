"""Responses of a run with a critic's value of every token, question by question."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from orz_bench.errors import ConfigError
from orz_bench.records.run_dir import EvaluationDir, RolloutsDir, RunDir
from orz_bench.records.values import (
    CriticCard,
    TokenValues,
    assessed_folder,
    require_same_text,
    values_beside,
    values_of,
)

Array = np.ndarray[Any, Any]
_COLUMNS = ("problem_id", "sample_index", "question", "completion", "token_ids", "verdict", "stop_reason", "reward")


@dataclass(frozen=True, slots=True, kw_only=True)
class AssessedResponse:
    """One response of T tokens."""

    problem_id: str
    sample_index: int
    question: str | None
    text: str
    step: int
    is_right: bool
    """What the critic predicts: the reward where it is 0 or 1, otherwise a correct answer that was not cut."""
    values: Array
    """(T,): before each token."""
    char_ends: Array
    """(T,): characters of the text up to the end of each token."""
    token_ids: Array
    """(T,)."""

    @property
    def num_tokens(self) -> int:
        """T, at least 1."""
        return len(self.values)

    @property
    def char_starts(self) -> Array:
        """(T,): where each token begins."""
        return np.concatenate([[0], self.char_ends[:-1]])


@dataclass(frozen=True, slots=True, kw_only=True)
class AssessedFolder:
    """The responses of one step, and where their values are."""

    step: int
    rollouts: RolloutsDir
    """With the verdicts: of responses that were graded again, the later ones."""
    values: RolloutsDir
    """Beside whose parts the values are: the same folder, or that of the same texts graded before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssessedSet:
    """Folders of responses that belong together: of training, or of one benchmark and protocol at several steps."""

    name: str
    folders: tuple[AssessedFolder, ...]
    critic: CriticCard

    def questions(self) -> Iterator[list[AssessedResponse]]:
        """The responses to one question at one step, which are a group; only one folder is in memory at a time."""
        for folder in self.folders:
            values = values_of(folder.values, critic=self.critic.digest)
            assert values is not None
            known = values.read()
            groups: dict[str, list[AssessedResponse]] = defaultdict(list)
            for row in _rows(folder.rollouts):
                found = known.get((row["problem_id"], row["sample_index"]))
                if found is not None and len(found.values):
                    require_same_text(found, row["completion"], where=folder.rollouts.path)
                    groups[row["problem_id"]].append(_response(row, found, step=folder.step))
            yield from groups.values()


def _rows(folder: RolloutsDir) -> Iterator[dict[str, Any]]:
    """The graded rows whose text was kept."""
    for batch in folder.read(list(_COLUMNS)).to_batches(4096):
        yield from (row for row in batch.to_pylist() if row["completion"] is not None and row["verdict"] is not None)


def _response(row: Mapping[str, Any], found: TokenValues, *, step: int) -> AssessedResponse:
    ids = found.token_ids if found.token_ids is not None else row["token_ids"]
    return AssessedResponse(
        problem_id=row["problem_id"],
        sample_index=row["sample_index"],
        question=row["question"],
        text=row["completion"],
        step=step,
        is_right=_is_right(row),
        values=found.values.array.astype(np.float64),
        char_ends=found.char_ends.array,
        token_ids=np.array(ids, dtype=np.int64),
    )


def assessed_sets(run: Path, *, critic: str | None = None) -> list[AssessedSet]:
    """The sets of a run that this critic (or the only one) has assessed.

    RunDirError if the folder is not a run. ConfigError if there are none, and if folders have values of several critics
    and none is named.
    """
    directory = RunDir(run)
    directory.info()
    sets = []
    for name, folders in _named(directory).items():
        assessed = [folder for folder in folders if _is_assessed(folder.values, critic)]
        cards = [card for folder in assessed if (card := _card(folder.values, critic)) is not None]
        if len({card.digest for card in cards}) > 1:
            names = ", ".join(sorted({card.digest for card in cards}))
            raise ConfigError(f"{run}: {name} has values of several critics ({names}); choose one with --critic.")
        if cards:
            sets.append(AssessedSet(name=name, folders=tuple(assessed), critic=cards[0]))
    if not sets:
        whose = f" of the critic {critic}" if critic else ""
        raise ConfigError(
            f"{run}: has no values{whose}; compute them with orz-bench value {run} --critic PATH (and --rollouts for "
            f"those of training)."
        )
    return sets


def _named(run: RunDir) -> dict[str, list[AssessedFolder]]:
    """The folders of each set. An evaluation that was graded again counts with its later grades alone."""
    named: dict[str, list[AssessedFolder]] = defaultdict(list)
    for step, folder in run.sampled_steps():
        named["training"].append(AssessedFolder(step=step, rollouts=folder, values=folder))
    evaluations = run.evaluations()
    superseded = {each.under(origin).path for each in evaluations if (origin := _whole_origin(each)) is not None}
    for each in evaluations:
        if each.path not in superseded:
            found = AssessedFolder(step=each.step, rollouts=each, values=assessed_folder(each))
            named[f"{each.benchmark}, protocol {each.fingerprint}"].append(found)
    return named


def _whole_origin(evaluation: EvaluationDir) -> str | None:
    """The fingerprint of the evaluation all of whose samples were graded again here."""
    origin = evaluation.regraded_from
    return origin if origin is not None and evaluation.under(origin).keys() <= evaluation.keys() else None


def is_assessed(run: Path) -> bool:
    """Whether some responses of a run have values."""
    directory = RunDir(run)
    folders: list[RolloutsDir] = [folder for _, folder in directory.sampled_steps()]
    folders += directory.evaluations()
    return any(values_beside(folder) for folder in folders)


def _is_assessed(folder: RolloutsDir, critic: str | None) -> bool:
    return any(critic is None or each.path.name.startswith(critic) for each in values_beside(folder))


def _card(folder: RolloutsDir, critic: str | None) -> CriticCard | None:
    found = values_of(folder, critic=critic)
    return found.card() if found is not None else None


def _is_right(row: Mapping[str, Any]) -> bool:
    if row["reward"] in (0.0, 1.0):
        return bool(row["reward"])
    return bool(row["verdict"] == "correct" and row["stop_reason"] != "length")
