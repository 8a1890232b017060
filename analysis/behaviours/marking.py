"""Run behaviours over the rollouts of a run, and store which responses show them; what is stored is not asked again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from analysis.behaviours.behaviour import Behaviour, Response
from orz_bench.errors import ConfigError, DataError, RunDirError, counted
from orz_bench.records.judged import WITHOUT_TEXT
from orz_bench.records.marks import Mark, MarksDir
from orz_bench.records.run_dir import RolloutsDir, RunDir
from orz_bench.records.text_hash import text_hash

BATCH = 4_096
"""Responses that are stored as one part: what a killed process loses."""
JUDGED_BATCH = 64
"""The same of a judge; its verdicts on other responses may be in flight beside them."""
_COLUMNS = (
    "problem_id", "sample_index", "question", "gold", "completion", "extracted", "verdict", "reward", "num_tokens",
    "stop_reason",
)  # fmt: skip


class Judgement(Protocol):
    """What a judge said of one response."""

    @property
    def number(self) -> int:
        """The response's place in what was asked."""
        ...

    @property
    def shows(self) -> bool | None:
        """Yes, no or neither."""
        ...

    @property
    def reply(self) -> str:
        """What it said, or why it said nothing."""
        ...


class Judge(Protocol):
    """A model that answers yes-no questions about responses."""

    @property
    def card(self) -> Mapping[str, Any]:
        """What identifies it."""
        ...

    def ask(self, question: str, responses: Sequence[tuple[str, str]]) -> Iterator[Sequence[Judgement]]:
        """One of each (problem, response), in any order, in blocks as they come."""
        ...


class Observer(Protocol):
    """Receives progress events."""

    def started(self, name: str, *, num_wanted: int, num_missing: int) -> None:
        """A behaviour begins on one folder."""
        ...

    def committed(self, num_responses: int) -> None:
        """A part was stored."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Rollouts of one step of one set."""

    name: str
    """training, or benchmark and protocol."""
    step: int
    rollouts: RolloutsDir


def sources_of(run: RunDir, *, benchmarks: Sequence[str], step: int | None) -> list[Source]:
    """The rollouts of training and of evaluations, or of these benchmarks (`training` is one). ConfigError for none.

    Evaluations that were graded again have the same texts, and are left out.
    """
    run.info()
    found = [Source(name="training", step=at, rollouts=folder) for at, folder in run.sampled_steps()]
    found += [
        Source(name=f"{each.benchmark}, protocol {each.fingerprint}", step=each.step, rollouts=each)
        for each in run.evaluations()
        if (origin := each.regraded_from) is None or not each.under(origin).keys()
    ]
    kept = [
        one
        for one in found
        if (not benchmarks or one.name.partition(",")[0] in benchmarks) and (step is None or one.step == step)
    ]
    if not kept:
        have = ", ".join(dict.fromkeys(one.name.partition(",")[0] for one in found)) or "none"
        raise ConfigError(f"{run.path}: no rollouts of that choice; it has {have}.")
    return kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """The marks of one behaviour on one source."""

    source: Source
    marks: Mapping[tuple[str, int], Mark]
    num_without_text: int
    """Responses whose text was dropped, unless they were marked before, and those that an imported file lacks."""


def marked(behaviour: Behaviour, source: Source, *, judge: Judge | None, observer: Observer) -> Marked:
    """Every mark of the source: those that are stored, and those made now. Each part is whole or absent.

    ConfigError for a question without a judge, RunDirError for marks of another text.
    """
    card = card_of(behaviour, judge)
    folder = MarksDir.beside(source.rollouts, behaviour.name, card=card)
    folder.open(card)
    with RolloutsDir(folder.path).lock():
        stored = folder.read()
        missing: list[Response] = []
        num, num_without = 0, 0
        for response in responses_of(source):
            if response is None:
                num_without += 1
                continue
            num += 1
            found = stored.get((response.problem_id, response.sample_index))
            if found is None:
                missing.append(response)
            elif found.text_hash != text_hash(response.text):
                raise RunDirError(
                    f"{folder.path}: the mark of sample {found.sample_index} of {found.problem_id} is of another text: "
                    f"the rollouts were replaced since; delete this folder and run orz-analysis detect again."
                )
        observer.started(
            f"{behaviour.name}, {source.name}, step {source.step}", num_wanted=num, num_missing=len(missing)
        )
        size = JUDGED_BATCH if behaviour.question else BATCH
        parts = _Parts(folder, size=size, observer=observer)
        try:
            for block in _marks(behaviour, missing, judge=judge):
                parts.add(block)
        finally:  # also what came before an error
            parts.commit()
        stored |= parts.marks
    for key in never_read(source):
        stored.pop(key, None)
    return Marked(source=source, marks=stored, num_without_text=num_without)


def card_of(behaviour: Behaviour, judge: Judge | None) -> dict[str, Any]:
    """What can move a mark. ConfigError for a question without a judge."""
    if not behaviour.question:
        return behaviour.card
    if judge is None:
        raise ConfigError(f"behaviour {behaviour.name} is a question to a model; name one with --judge.")
    return behaviour.card | {"judge": dict(judge.card)}


def responses_of(source: Source) -> Iterator[Response | None]:
    """Every response; None for one whose text was dropped, or that an imported file lacks, as of a failed request."""
    for batch in source.rollouts.read([*_COLUMNS, "why"]).to_batches(1024):
        for row in batch.to_pylist():
            text, is_missing = row.pop("completion"), row.pop("why") in WITHOUT_TEXT
            yield None if text is None or is_missing else Response(text=text, step=source.step, **row)


def never_read(source: Source) -> set[tuple[str, int]]:
    """(problem id, sample index) of every imported sample without a response, which shows no behaviour."""
    rows = source.rollouts.read(["problem_id", "sample_index", "why"]).to_pylist()
    return {(row["problem_id"], row["sample_index"]) for row in rows if row["why"] in WITHOUT_TEXT}


@dataclass(slots=True)
class _Parts:
    """Marks that are stored in parts of at least `size`."""

    folder: MarksDir
    size: int
    observer: Observer
    marks: dict[tuple[str, int], Mark] = field(default_factory=dict)
    _open: list[Mark] = field(default_factory=list)

    def add(self, marks: Sequence[Mark]) -> None:
        self._open += marks
        if len(self._open) >= self.size:
            self.commit()

    def commit(self) -> None:
        if not self._open:
            return
        self.folder.append(self._open)
        self.marks |= {mark.key: mark for mark in self._open}
        self.observer.committed(len(self._open))
        self._open = []


def _marks(behaviour: Behaviour, missing: Sequence[Response], *, judge: Judge | None) -> Iterator[list[Mark]]:
    if not behaviour.question:
        yield from ([_mark(each, shows=behaviour.shows(each))] for each in missing)
    elif missing:
        assert judge is not None, "card_of refuses it"
        for block in judge.ask(behaviour.question, [(each.question or "", each.text) for each in missing]):
            yield [_mark(missing[one.number], shows=one.shows, reply=one.reply) for one in block]


def _mark(response: Response, *, shows: bool | None, reply: str = "") -> Mark:
    return Mark(
        problem_id=response.problem_id,
        sample_index=response.sample_index,
        text_hash=text_hash(response.text),
        shows=shows,
        reply=reply or None,
    )


def stored_marks(run: RunDir) -> dict[str, list[Marked]]:
    """What is stored in a run: behaviour -> marks. Of several versions of one behaviour, the one with most marks."""
    found: dict[str, list[Marked]] = defaultdict(list)
    try:
        sources = sources_of(run, benchmarks=(), step=None)
    except ConfigError:
        return {}
    for source in sources:
        folders = sorted((source.rollouts.path / "marks").glob("*"))
        failed = never_read(source) if folders else set()
        for folder in folders:
            versions = [MarksDir(each.parent).read() for each in sorted(folder.glob("*/card.json"))]
            marks = max(versions, key=len, default={})
            if marks := {key: mark for key, mark in marks.items() if key not in failed}:
                found[folder.name].append(Marked(source=source, marks=marks, num_without_text=0))
    return dict(found)


def require_marks(found: Sequence[Marked], name: str) -> None:
    """DataError if no response could be marked."""
    if not any(each.marks for each in found):
        num = sum(each.num_without_text for each in found)
        missing = f" ({counted(num, 'row')} without one)" if num else ""
        raise DataError(
            f"behaviour {name}: no response has a text{missing}; choose rollouts whose requests did not fail, from a "
            f"file with texts, and whose texts rollouts.keep_texts has kept."
        )
