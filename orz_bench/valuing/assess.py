"""Compute and store the values of rollouts, in parts: a part is whole or absent, and is not computed again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from orz_bench.errors import ConfigError, DataError
from orz_bench.records.foreign import canonical, flat
from orz_bench.records.run_dir import EvaluationDir, RolloutsDir, RunDir, read_json
from orz_bench.records.tables import read_table
from orz_bench.records.values import CriticCard, TokenValues, ValuesDir, require_same_text
from orz_bench.valuing.critic import OpenedCritic
from orz_bench.valuing.tokens import COLUMNS, RolloutTokens, TokenisedRollout

Row = Mapping[str, Any]


class Observer(Protocol):
    """Receives progress events."""

    def started(self, name: str, *, num_wanted: int, num_missing: int) -> None:
        """A folder or file begins."""
        ...

    def committed(self, num_responses: int, *, num_tokens: int) -> None:
        """A part was stored."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Rollouts whose values are stored in one folder."""

    name: str
    rollouts: RolloutsDir
    """The folder beside whose parts the values are; of a file: a folder with its name and `.rollouts`."""
    file: Path | None = None

    def rows(self) -> Iterator[Row]:
        """Rows with COLUMNS; unknown values are None."""
        if self.file is not None:
            yield from _rows_of_file(self.file)
            return
        for batch in self.rollouts.read(list(COLUMNS)).to_batches(1024):
            yield from batch.to_pylist()


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessed:
    """What was done to one source."""

    name: str
    path: Path
    """Where its values are."""
    num_stored: int
    num_computed_now: int
    num_tokenised: int
    """Of those computed now, responses without token ids, whose text was tokenised again."""
    num_other_length: int
    """Of these, the ones with another number of tokens than were sampled."""
    num_without_text: int
    """Rows whose text was not kept; they have no values."""


def sources_of(
    path: Path, *, benchmarks: Sequence[str] = (), step: int | None = None, rollouts: bool = False
) -> list[Source]:
    """The evaluations (of these benchmarks, of this step) or training rollouts of a run, or the rows of a file.

    ConfigError if nothing is left.
    """
    if path.is_file():
        folder = path.with_name(f"{path.name}.rollouts")
        return [Source(name=path.name, rollouts=RolloutsDir(folder), file=path)]
    run = RunDir(path)
    run.info()
    found: list[tuple[str, int, RolloutsDir]] = (
        [("training", at, folder) for at, folder in run.sampled_steps()]
        if rollouts
        else [(each.benchmark, each.step, each) for each in _generated(run) if not _is_chat(each)]
    )
    kept = [
        Source(name=f"{name}, step {at}", rollouts=folder)
        for name, at, folder in found
        if (rollouts or not benchmarks or name in benchmarks) and (step is None or at == step)
    ]
    if not kept:
        have = ", ".join(dict.fromkeys(f"{name} at step {at}" for name, at, _ in found)) or "none"
        have += "; a chat endpoint's answers have no values, because only the server knows the tokens of their prompts"
        raise ConfigError(
            f"{path}: no rollouts of that choice; it has {have}"
            f"{'' if rollouts else ' (--rollouts assesses those of training)'}."
        )
    return kept


def _generated(run: RunDir) -> list[EvaluationDir]:
    """Without evaluations that were graded again here: their texts have the values of the one they come from."""
    return [
        each for each in run.evaluations() if (origin := each.regraded_from) is None or not each.under(origin).keys()
    ]


def _is_chat(evaluation: EvaluationDir) -> bool:
    """Whether a server rendered the prompts: what the model saw is unknown."""
    card = read_json(evaluation.protocol_path).get("card")
    return isinstance(card, dict) and card.get("endpoint") == "chat"


def assess(
    source: Source, opened: OpenedCritic, *, card: CriticCard, observer: Observer, batch_tokens: int
) -> Assessed:
    """Store the values of every rollout that has none yet, a part after about `batch_tokens` tokens.

    A killed process loses the part in flight. ConfigError if the folder has values of another computation, DataError
    for rows that this critic cannot assess.
    """
    values = ValuesDir.beside(source.rollouts, opened.digest)
    values.open(card)
    with RolloutsDir(values.path).lock():
        stored = values.read()
        rows = [row for row in source.rows() if row["completion"] is not None]
        num_all = len(rows)
        missing = []
        for row in rows:
            found = stored.get((row["problem_id"], row["sample_index"]))
            if found is None:
                missing.append(row)
            else:
                require_same_text(found, row["completion"], where=source.name)
        observer.started(source.name, num_wanted=num_all, num_missing=len(missing))
        tokens = RolloutTokens(opened.critic, where=str(source.file or source.rollouts.path))
        counts = [0, 0]
        for batch in _batches(map(tokens.of, missing), batch_tokens):
            values.append(_assessed(batch, opened))
            counts[0] += sum(each.was_tokenised for each in batch)
            counts[1] += sum(each.has_other_length for each in batch)
            observer.committed(len(batch), num_tokens=sum(each.num_tokens for each in batch))
        num_without = sum(1 for _ in source.rows()) - num_all
        return Assessed(
            name=source.name,
            path=values.path,
            num_stored=len(stored) + len(missing),
            num_computed_now=len(missing),
            num_tokenised=counts[0],
            num_other_length=counts[1],
            num_without_text=num_without,
        )


def _assessed(batch: Sequence[TokenisedRollout], opened: OpenedCritic) -> list[TokenValues]:
    found = opened.critic.values([(each.prompt, each.response) for each in batch])
    return [
        TokenValues(
            problem_id=each.key[0],
            sample_index=each.key[1],
            values=values,
            char_ends=each.char_ends,
            token_ids=each.response if each.was_tokenised else None,
        )
        for each, values in zip(batch, found, strict=True)
    ]


def _batches(rows: Iterator[TokenisedRollout], batch_tokens: int) -> Iterator[list[TokenisedRollout]]:
    waiting: list[TokenisedRollout] = []
    num_tokens = 0
    for row in rows:
        waiting.append(row)
        num_tokens += row.num_tokens
        if num_tokens >= batch_tokens:
            yield waiting
            waiting, num_tokens = [], 0
    if waiting:
        yield waiting


def _rows_of_file(path: Path) -> Iterator[Row]:
    """Rows of a table of rollouts: ours, or another tool's with the columns that `orz-bench grade` knows."""
    seen: dict[str, int] = {}
    for where, row in read_table(path, strict=False):
        if not isinstance(row, dict):
            raise DataError(f"{path}, {where}: not a row with columns; name a file of rollouts.")
        fields = flat(row)
        ours = canonical(fields)
        problem = str(ours.get("problem_id", where))
        index = ours.get("sample_index")
        seen[problem] = seen.get(problem, -1) + 1
        yield {
            "problem_id": problem,
            "sample_index": seen[problem] if index is None else int(index),
            "prompt": _prompt_of(fields),
            "completion": ours.get("completion"),
            "num_tokens": ours.get("num_tokens"),
            "stop_reason": ours.get("stop_reason"),
            "prompt_token_ids": fields.get("prompt_token_ids"),
            "token_ids": fields.get("token_ids"),
        }


def _prompt_of(fields: Mapping[str, Any]) -> str | None:
    found = fields.get("prompt")
    return found if isinstance(found, str) else None
