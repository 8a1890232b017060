"""The answers that a run learns, in its folder: the chosen ones, the fate of every one, and how they were chosen.

distillation/chosen/part-*.parquet   rollouts; extra.distilled_from says where each was
distillation/fates.parquet           one row for every answer of the source
distillation/card.json               source, settings, counts by fate; written last
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from orz_bench.errors import ConfigError, RunDirError, counted
from orz_bench.records.parquet import disk_error, rollouts_from_table, storable
from orz_bench.records.rollout import Rollout
from orz_bench.records.run_dir import RolloutsDir, read_json, to_json, write_text
from orz_rl.curation.answers.choice import CHOSEN, REASONS, AnswerFate, Choice, Limits, choose
from orz_rl.curation.answers.overlap import overlaps
from orz_rl.curation.answers.source import answers_of
from orz_rl.curation.answers.tokens import StudentTokens
from orz_rl.names import GIVEN
from orz_rl.settings.distill import AnswerSource

FOLDER = "distillation"
_FATES = "fates.parquet"
_SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Demonstrations:
    """The answers that a run learns."""

    rows: tuple[Rollout, ...]
    card: Mapping[str, Any]
    fates: tuple[AnswerFate, ...] | None = None
    """None where they were read from a run, which has them already."""
    kept_in: Path | None = None
    """The run that they were read from."""

    @property
    def digest(self) -> str:
        """Of what is learned: prompts and answers, token by token, in their order."""
        digest = hashlib.sha256()
        for row in self.rows:
            for ids in (row.prompt_token_ids, row.token_ids):
                digest.update(np.asarray(list(ids or ()), dtype="<i4").tobytes() + b"|")
        return digest.hexdigest()

    def store(self, run: Path) -> None:
        """Write them into a run, unless they are there; a kill in between leaves no card, and all is written again."""
        folder = run / FOLDER
        if (folder / "card.json").exists():
            return
        try:
            folder.mkdir(parents=True, exist_ok=True)
            chosen = RolloutsDir(folder / "chosen")
            chosen.path.mkdir(exist_ok=True)
            chosen.replace(self.rows)
            temporary = folder / ".fates.parquet.tmp"
            if self.fates is not None:
                pq.write_table(_table(self.fates), temporary, compression="zstd")
            else:
                assert self.kept_in is not None
                shutil.copyfile(self.kept_in / FOLDER / _FATES, temporary)
            temporary.rename(folder / _FATES)
        except OSError as error:
            raise disk_error(folder, error) from error
        write_text(folder / "card.json", to_json(dict(self.card)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What decides which answers are chosen, beside the settings of distillation."""

    student: str
    template: str
    seed: int
    limits: Limits
    stop: tuple[str, ...]
    benchmarks: tuple[str, ...]
    folders: tuple[Path, ...]


def stored_demonstrations(run: Path) -> Demonstrations | None:
    """Those of a run that was started before; None if it has none. RunDirError if they are damaged."""
    path = run / FOLDER / "card.json"
    if not path.exists():
        return None
    card = read_json(path)
    rows = rollouts_from_table(RolloutsDir(run / FOLDER / "chosen").read())
    found = Demonstrations(tuple(rows), card, kept_in=run)
    if card.get("digest") != found.digest:
        raise RunDirError(
            f"{path.parent}: the chosen answers are not those of card.json; restore the folder, or use --fresh to "
            f"choose again and start over."
        )
    return found


def choose_demonstrations(source: AnswerSource, wanted: Wanted, *, notice: Callable[[str], None]) -> Demonstrations:
    """Read the source and choose. ConfigError, with the counts by fate, if nothing is left to learn."""
    tokens = StudentTokens(wanted.student, wanted.template, where=source.place)
    choice = choose(
        answers_of(Path(source.place), source.choice, stop=wanted.stop),
        source.choice,
        seed=wanted.seed,
        limits=wanted.limits,
        tokenise=tokens.of,
        overlaps=lambda answers: overlaps(answers, against=wanted.benchmarks, folders=wanted.folders),
    )
    _require_some(choice, source.place)
    if tokens.num_tokenised:
        notice(
            f"{counted(tokens.num_tokenised, 'answer')} without token ids: tokenised again with the student's "
            f"tokenizer, and checked to decode to the same text"
        )
    found = Demonstrations(_numbered(choice), {}, tuple(choice.fates))
    card = {
        "schema_version": _SCHEMA_VERSION,
        "source": source.place,
        "choice": source.choice.model_dump(mode="json"),
        "benchmarks": list(wanted.benchmarks),
        "counts": choice.counts,
        "problems": len({answer.problem for answer in choice.answers}),
        "tokens": sum(row.num_tokens for row in found.rows),
        "tokenised_again": tokens.num_tokenised,
        "digest": found.digest,
    }
    return replace(found, card=card)


def told(card: Mapping[str, Any]) -> str:
    """What was chosen, for people."""
    counts = dict(card["counts"])
    kept = counts.pop(CHOSEN, 0)
    others = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    return (
        f"{counted(kept, 'answer')} to {counted(card['problems'], 'problem')} from {card['source']} are learned, "
        f"{card['tokens']:,} tokens" + (f"; not chosen: {others}" if others else "")
    )


def _require_some(choice: Choice, source: str) -> None:
    if choice.answers:
        return
    counts = choice.counts
    listed = "".join(f"\n  {count:,} {name}: {REASONS[name]}" for name, count in counts.items())
    if counts.keys() <= {"not_right", "not_graded"}:
        raise ConfigError(
            f"distill.source={source}: none of {counted(len(choice.fates), 'answer')} is known to be right, "
            f"so there is nothing to learn:{listed}\nName rollouts of a model that solves some of these problems."
        )
    raise ConfigError(
        f"distill.source={source}: no answer is left to learn of {len(choice.fates):,}:{listed}\nChoose "
        f"with other options, or name another source."
    )


def _numbered(choice: Choice) -> tuple[Rollout, ...]:
    """Rows with a sample index of their own in each problem; where they were is in `extra`."""
    next_index: dict[tuple[str, str], int] = {}
    rows = []
    for answer in choice.answers:
        row, at = answer.rollout, next_index.get(answer.problem, 0)
        next_index[answer.problem] = at + 1
        origin: dict[str, Any] = {"step": row.step, "sample_index": row.sample_index}
        if answer.value is not None:
            origin["value"] = answer.value
        extra = {**row.extra, GIVEN: origin}
        rows.append(replace(row, sample_index=at, policy_version=None, advantage=None, value=None, extra=extra))
    return tuple(rows)


def _table(fates: Sequence[AnswerFate]) -> pa.Table:
    columns = {each.name: [getattr(fate, each.name) for fate in fates] for each in fields(AnswerFate)}
    texts = {name: [storable(text) for text in values] for name, values in columns.items() if name in _TEXTS}
    return pa.table(columns | texts)


_TEXTS = ("benchmark", "problem_id", "evidence")
