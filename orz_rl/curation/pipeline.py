"""A whole curation: sources through all stages to the files of the result; goes on where it was stopped.

Each stage writes its parts to work/ in the folder of the result. The card is written last: a folder with a card is
complete. Results depend on the settings, the sources and the versions of what decides, and on nothing else.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from orz_bench.errors import ConfigError, DataError
from orz_bench.grading.grader import grader_version
from orz_bench.records.curated import CARD, CARD_PAGE, PLAN, WORK, read_card, read_object
from orz_bench.records.locks import holder, locked
from orz_rl.curation.benchmark_questions import BenchmarkQuestions, load_questions
from orz_rl.curation.on_ray import RunParts, parts_on_ray
from orz_rl.curation.outputs import OUTPUTS, write_outputs
from orz_rl.curation.parts import Incoming, StageFolder, write_json
from orz_rl.curation.rows import Fate, Outcome
from orz_rl.curation.settings import CurateSettings
from orz_rl.curation.sources import Source, open_sources, read_rows
from orz_rl.curation.stages.registry import PASS_RATE, READ, check, stages_of
from orz_rl.curation.stages.stage import Stage

VERSION = 1
"""Of the rules; raised whenever the fate of a row could change."""
_SIGNS = {WORK: PLAN, PASS_RATE: "run.json"}
"""Folders of a curation, and a file that each has."""
_LIBRARIES = ("rensa", "py3langid", "reasoning-gym", "sentence-transformers", "pyarrow")
Notice = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Curated:
    """A finished curation."""

    folder: Path
    num_rows: int
    """Of all sources."""
    num_kept: int
    is_new: bool
    """Whether anything was done."""


def curate(
    settings: CurateSettings,
    *,
    out: Path,
    folders: Sequence[Path] = (),
    fresh: bool = False,
    on_ray: bool = False,
    notice: Notice = print,
) -> Curated:
    """Run all stages that are not done yet, and write the result to `out`.

    `folders`: with benchmark files. `fresh`: delete what is in `out` of an earlier curation. `on_ray`: see on_ray.py.
    DataError for a source or a benchmark that is missing or not as stated; ConfigError for a folder with the result of
    other settings.
    """
    check(settings)
    sources = open_sources(settings.sources)
    questions = None
    if settings.decontaminate is not None:
        questions = load_questions(settings.decontaminate.against, folders)
    plan = plan_of(settings, sources=sources, questions=questions)
    with locked(out) as is_owner:
        if not is_owner:
            raise ConfigError(
                f"{out}: another process curates here{holder(out)}; wait for it, or choose another --out."
            )
        if fresh:
            _remove(out)
        if (card := _finished(out, plan)) is not None:
            if (out / WORK / PLAN).is_file():
                shutil.rmtree(out / WORK)
            return Curated(folder=out, num_rows=card["num_rows"], num_kept=card["num_kept"], is_new=False)
        work = out / WORK
        _begin(work, plan)
        stages = stages_of(settings, sources=[each.name for each in sources], questions=questions, out=out)
        with parts_on_ray() if on_ray else nullcontext(_in_order) as run_parts:
            reading = _in_parts(read_rows(sources), settings.rows_per_part)
            done = _run_all(stages, reading, work=work, run_parts=run_parts, notice=notice)
        card = write_outputs(done, out=out, plan=plan, seed=settings.seed)
        shutil.rmtree(work)
    return Curated(folder=out, num_rows=card["num_rows"], num_kept=card["num_kept"], is_new=True)


def plan_of(
    settings: CurateSettings, *, sources: Sequence[Source], questions: BenchmarkQuestions | None
) -> dict[str, Any]:
    """Everything that decides the result."""
    return {
        "version": VERSION,
        "settings": settings.model_dump(mode="json"),
        "sources": [
            {"name": each.name, "path": each.settings.path, "licence": each.settings.licence, "sha256": each.sha256}
            for each in sources
        ],
        "benchmarks": dict(questions.hashes) if questions is not None else {},
        "libraries": {"grader": grader_version("math"), **{name: _version(name) for name in _LIBRARIES}},
    }


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _finished(out: Path, plan: Mapping[str, Any]) -> dict[str, Any] | None:
    """The card of a complete result of the same plan. ConfigError for one of another plan."""
    if not (out / CARD).exists():
        return None
    card = read_card(out)
    _refuse_other(out, before=card["plan"], plan=plan)
    return card


def _begin(work: Path, plan: Mapping[str, Any]) -> None:
    """Keep the plan, or compare it with that of the start."""
    path = work / PLAN
    if path.is_file():
        _refuse_other(work.parent, before=read_object(path), plan=plan)
        return
    present = [name for name in OUTPUTS if (work.parent / name).exists()]
    if present:
        raise ConfigError(
            f"{work.parent}: holds {present[0]}, but neither {CARD} nor {WORK}/{PLAN}, so what made it is unknown; "
            f"choose another --out, or start over with --fresh."
        )
    if work.exists() and any(work.iterdir()):
        _refuse_foreign(work)
    work.mkdir(parents=True, exist_ok=True)
    write_json(path, plan)


def _refuse_other(out: Path, *, before: Mapping[str, Any], plan: Mapping[str, Any]) -> None:
    difference = next(_differences(before, json.loads(json.dumps(plan))), None)
    if difference is not None:
        raise ConfigError(
            f"{out}: was made with other settings or sources ({difference}). Choose another --out, or start over with "
            f"--fresh."
        )


def _differences(before: Any, now: Any, *, where: str = "") -> Iterator[str]:
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for name in [*before, *(name for name in now if name not in before)]:
            yield from _differences(before.get(name), now.get(name), where=f"{where}.{name}" if where else name)
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for number, pair in enumerate(zip(before, now, strict=True)):
            yield from _differences(*pair, where=f"{where}.{number}")
    elif before != now:
        yield f"{where} was {str(before)[:80]}, is {str(now)[:80]}"


def _remove(out: Path) -> None:
    """Delete an earlier result. ConfigError, before anything is deleted, for a folder that nobody curated."""
    folders = [out / name for name in _SIGNS if (out / name).exists()]
    for folder in folders:
        _refuse_foreign(folder)
    for folder in folders:
        shutil.rmtree(folder)
    for name in (CARD, CARD_PAGE, *OUTPUTS):
        (out / name).unlink(missing_ok=True)


def _refuse_foreign(folder: Path) -> None:
    sign = _SIGNS[folder.name]
    if not (folder / sign).is_file():
        raise ConfigError(f"{folder}: has no {sign}, so it is not of an earlier curation; choose another --out.")


@dataclass(frozen=True, slots=True)
class StageDone:
    """A finished stage and its parts."""

    name: str
    folder: StageFolder


def _run_all(
    stages: Sequence[Stage], reading: Iterable[list[Fate]], *, work: Path, run_parts: RunParts, notice: Notice
) -> list[StageDone]:
    folder = StageFolder(work / f"00-{READ}")
    _read(reading, folder, notice=notice)
    done = [StageDone(READ, folder)]
    for number, stage in enumerate(stages, start=1):
        target = StageFolder(work / f"{number:02d}-{stage.name}")
        incoming = Incoming(done[-1].folder, done[0].folder.num_parts)
        _run_stage(stage, incoming, target=target, run_parts=run_parts, notice=notice)
        done.append(StageDone(stage.name, target))
    return done


def _read(reading: Iterable[list[Fate]], folder: StageFolder, *, notice: Notice) -> None:
    if folder.is_done:
        return
    number = -1
    for number, fates in enumerate(reading):
        if not folder.has(number):
            folder.write(number, Outcome(fates))
    if number < 0:
        raise DataError("the sources have no row; name others.")
    _finish(folder, READ, num_parts=number + 1, notice=notice)


def _in_parts(fates: Iterable[Fate], size: int) -> Iterator[list[Fate]]:
    part: list[Fate] = []
    for each in fates:
        part.append(each)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part


def _run_stage(stage: Stage, incoming: Incoming, *, target: StageFolder, run_parts: RunParts, notice: Notice) -> None:
    """The parts of a stage that are not there yet."""
    if target.is_done:
        return
    missing = [number for number in range(len(incoming)) if not target.has(number)]
    if missing:
        run_parts(stage, incoming, target=target, missing=missing)
    _finish(target, stage.name, num_parts=len(incoming), notice=notice)


def _in_order(stage: Stage, incoming: Incoming, *, target: StageFolder, missing: Sequence[int]) -> None:
    """Decide parts in this process."""
    with stage.open(incoming, scratch=target.scratch) as decide:
        for number in missing:
            target.write(number, decide(incoming.folder.kept(number)))


def _finish(folder: StageFolder, name: str, *, num_parts: int, notice: Notice) -> None:
    by_source: dict[str, Counter[str]] = {}
    for number in range(num_parts):
        table = folder.fates(number).select(["source", "reason"])
        for source, reason in zip(table["source"].to_pylist(), table["reason"].to_pylist(), strict=True):
            by_source.setdefault(source, Counter())[reason] += 1
    folder.finish({"by_source": {source: dict(sorted(found.items())) for source, found in sorted(by_source.items())}})
    reasons = sum(by_source.values(), Counter[str]())
    kept, whole = reasons.pop("", 0), sum(reasons.values())
    why = ", ".join(f"{reason} {count:,}" for reason, count in sorted(reasons.items()))
    notice(f"{name}: {kept + whole:,} in, {kept:,} kept" + (f", dropped: {why}" if why else ""))
