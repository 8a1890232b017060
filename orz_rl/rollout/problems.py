"""Training problems: read from files, prompts tokenised once, in an order that depends only on seed and step."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from orz_bench.asking.prompt_tokens import render_prompts
from orz_bench.asking.templates import TEMPLATES
from orz_bench.benchmarks.arithmetic import generate_sums
from orz_bench.benchmarks.own.address import HUB, TableAddress, table_address
from orz_bench.benchmarks.own.table import files_of, read_own
from orz_bench.benchmarks.word_problems import generate_word_problems
from orz_bench.engines.engine import Tokenizer
from orz_bench.errors import ConfigError, DataError, counted
from orz_bench.extraction.scripts import foreign_letters
from orz_bench.records.program_tests import PackedTests
from orz_bench.records.rollout import Problem
from orz_rl.assets import programs
from orz_rl.assets.published_data import where_from

_SOURCE = "train"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A problem as the policy sees it."""

    problem: Problem
    text: str
    token_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Prompts:
    """The prompts to train on, and the problems that were refused."""

    prompts: tuple[Prompt, ...]
    too_long: tuple[str, ...]
    """Ids of problems whose prompt exceeds the limit: refused, never truncated, because the end of a prompt matters."""
    sources: tuple[tuple[str, str], ...] = ()
    """(source, SHA-256 of its file) for every source that is a file."""
    tests: Mapping[str, PackedTests] = field(default_factory=dict)
    """Tests of problems that ask for a program, by gold."""
    answers: str = ""
    """Digest of the stored answers that are learned, where answers are."""


@dataclass(frozen=True, slots=True)
class TrainingProblems:
    """The problems of all sources."""

    problems: tuple[Problem, ...]
    tests: Mapping[str, PackedTests]
    """Of problems that ask for a program, by gold."""


def _programs() -> TrainingProblems:
    problems, tests = programs.program_problems()
    return TrainingProblems(tuple(problems), tests)


GENERATED: Mapping[str, Callable[[], TrainingProblems]] = {
    "arithmetic": lambda: TrainingProblems(tuple(generate_sums(split="train")), {}),
    "word_problems": lambda: TrainingProblems(tuple(generate_word_problems(split="train")), {}),
    programs.NAME: _programs,
}
"""Sources that need no file."""


def read_problems(sources: Sequence[str]) -> list[Problem]:
    """The problems of read_training_data alone."""
    return list(read_training_data(sources).problems)


def read_training_data(sources: Sequence[str]) -> TrainingProblems:
    """The problems of all sources: files in the published ORZ format, or JSON lines, CSV or Parquet with a problem and
    an answer, whose columns are found or named behind a colon (docs/own-data.md); `hub:OWNER/NAME/FILE`, such a file of
    a hub dataset; or a name of GENERATED.

    An id is that of the row, or made from the source's name and the position; an id used by two sources gets the
    source's name as a prefix. Raises DataError for a broken row (with its position), a duplicate id in a source, a
    duplicate source, or no problem at all.
    """
    names = source_names(sources)
    per_source = {names[source]: _read_source(source, names[source]) for source in sources}
    times = Counter(id_ for own in per_source.values() for id_ in {problem.problem_id for problem in own.problems})
    found = []
    for name, own in per_source.items():
        seen: set[str] = set()
        for problem in own.problems:
            id_ = problem.problem_id
            if id_ in seen:
                raise DataError(f"{name}: duplicate id {id_!r}; give every training problem its own id.")
            seen.add(id_)
            found.append(problem if times[id_] == 1 else replace(problem, problem_id=f"{name}:{id_}"))
    if not found:
        raise DataError(f"{', '.join(sources) or 'no source'}: no training problem; name files that contain some.")
    tests = {gold: packed for own in per_source.values() for gold, packed in own.tests.items()}
    return TrainingProblems(tuple(found), tests)


def source_names(sources: Sequence[str]) -> dict[str, str]:
    """A name for each source: its file name, with as many parent folders as are needed to make it unique."""
    twice = next((source for source in sources if sources.count(source) > 1), None)
    if twice is not None:
        raise DataError(f"data.source contains {twice} twice; name it once.")
    paths = {source: Path(_address(source).place.removeprefix(HUB)) for source in sources}
    names = {source: path.stem for source, path in paths.items()}
    for depth in range(1, max((len(path.parts) for path in paths.values()), default=0)):
        shared = {name for name, times in Counter(names.values()).items() if times > 1}
        for source, path in paths.items():
            if names[source] in shared:
                names[source] = "/".join([*path.parent.parts[-depth:], path.stem])
    shared = {name for name, times in Counter(names.values()).items() if times > 1}
    return {source: source if name in shared else name for source, name in names.items()}


def source_digests(sources: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """(source, SHA-256 of its file) for every source that is a file."""
    files = ((source, _files_of(source)) for source in sources)
    return tuple((source, _sha256(paths)) for source, paths in files if paths)


def make_prompts(problems: Sequence[Problem], tokenizer: Tokenizer, *, template: str, max_tokens: int) -> Prompts:
    """Render and tokenise every problem. Raises ConfigError if all prompts are too long."""
    rendered = render_prompts(problems, TEMPLATES[template], tokenizer=tokenizer)
    prompts = [
        Prompt(problem=problem, text=prompt.text, token_ids=prompt.token_ids or ())
        for problem, prompt in zip(problems, rendered, strict=True)
    ]
    fitting = tuple(prompt for prompt in prompts if len(prompt.token_ids) <= max_tokens)
    too_long = tuple(p.problem.problem_id for p in prompts if len(p.token_ids) > max_tokens)
    if not fitting:
        shortest = min(len(prompt.token_ids) for prompt in prompts)
        raise ConfigError(
            f"none of {counted(len(prompts), 'prompt')} fits: all are longer than data.max_prompt_tokens="
            f"{max_tokens:,} (shortest: {shortest:,}); raise it."
        )
    return Prompts(fitting, too_long)


def problems_at(num_problems: int, *, start: int, count: int, seed: int, step_size: int | None = None) -> list[int]:
    """Indices of `count` problems from position `start` of the stream: a pure function of its arguments.

    The stream is a sequence of epochs, each a seeded permutation of all problems. Steps take `step_size` (None:
    `count`) problems each, from position 0 on. If a step straddles two epochs, the problems that it has from the older
    epoch are deferred in the newer one until the step is full, so no step gets a problem twice and every epoch still
    contains each problem once.
    """
    if num_problems < 1 or count < 1:
        raise ConfigError(f"cannot take {counted(count, 'problem')} out of {num_problems}; both have to be positive.")
    positions = range(start, start + count)
    return [_problem_at(position, num_problems, seed=seed, step_size=step_size or count) for position in positions]


@dataclass(frozen=True, slots=True)
class Selection:
    """Problems of a step, and where the next ones start."""

    indices: tuple[int, ...]
    """Fewer than requested if the step has used every problem."""
    cursor: int


def next_problems(
    num_problems: int, *, start: int, count: int, seed: int, step_size: int, taken: Collection[int] = ()
) -> Selection:
    """The next `count` problems of the stream that the step has not `taken` yet.

    Only dynamic sampling, whose steps start anywhere, can find one that was taken: it is skipped, and comes again in
    the next epoch.
    """
    found: dict[int, None] = {}
    cursor = start
    while len(found) < count and len(found) + len(taken) < num_problems:
        index = _problem_at(cursor, num_problems, seed=seed, step_size=step_size)
        if index not in taken:
            found[index] = None
        cursor += 1
    return Selection(tuple(found), cursor)


def spaced_problem_at(position: int, num_problems: int, *, seed: int, apart: int) -> int:
    """The index at a position of a stream in which a problem comes again after at least `apart` positions.

    The stream is a sequence of epochs, each a seeded permutation of all problems, of which there must be `apart`. Those
    at the end of an epoch are deferred in the next one until they are far enough from there.
    """
    epoch, place = divmod(position, num_problems)
    return _spaced_order(num_problems, seed=seed, epoch=epoch, apart=apart)[place]


@lru_cache(maxsize=8)
def _spaced_order(num_problems: int, *, seed: int, epoch: int, apart: int) -> tuple[int, ...]:
    # Problems are deferred within the first 2 * apart positions, so the end of a long epoch is that of its shuffle.
    first = max(0, epoch - 1) if num_problems >= 3 * apart else 0
    order = _shuffle(num_problems, seed=seed, epoch=first)
    for number in range(first + 1, epoch + 1):
        behind = {problem: back for back, problem in enumerate(reversed(order[-apart:]), start=1)}
        left, head = _shuffle(num_problems, seed=seed, epoch=number), []
        for place in range(apart):
            allowed = (at for at, problem in enumerate(left) if place + behind.get(problem, apart) >= apart)
            head.append(left.pop(next(allowed)))
        order = [*head, *left]
    return tuple(order)


def _problem_at(position: int, num_problems: int, *, seed: int, step_size: int) -> int:
    epoch, place = divmod(position, num_problems)
    return _order(num_problems, seed=seed, epoch=epoch, step_size=step_size)[place]


@lru_cache(maxsize=8)
def _order(num_problems: int, *, seed: int, epoch: int, step_size: int) -> tuple[int, ...]:
    # Deferred problems stay within the first step_size positions, so the end of a long epoch is that of its shuffle;
    # the end of a short one depends on the epoch before it.
    first = max(0, epoch - 1) if num_problems >= 2 * step_size else 0
    order = _shuffle(num_problems, seed=seed, epoch=first)
    for number in range(first + 1, epoch + 1):
        num_older = number * num_problems % step_size
        older = set(order[num_problems - num_older :]) if num_older else set()
        order = _shuffle(num_problems, seed=seed, epoch=number)
        if older:
            head = [index for index in order if index not in older][: step_size - num_older]
            order = [*head, *_without(order, head)]
    return tuple(order)


def _shuffle(num_problems: int, *, seed: int, epoch: int) -> list[int]:
    order = list(range(num_problems))
    random.Random(f"order {seed} {epoch}").shuffle(order)
    return order


def _without(order: Sequence[int], gone: Sequence[int]) -> list[int]:
    left = set(gone)
    return [index for index in order if index not in left]


def select_problems(problems: Sequence[Problem], *, limit: int | None, language: str) -> list[Problem]:
    """Problems in the language ("any", or "english": without foreign letters), and of these the first `limit`."""
    spoken = [problem for problem in problems if language == "any" or not foreign_letters(problem.question)]
    if not spoken:
        raise ConfigError(
            f"data.language={language} excludes every one of {counted(len(problems), 'problem')}; use "
            f"data.language=any."
        )
    return spoken[:limit]


def _read_source(source: str, name: str) -> TrainingProblems:
    if source in GENERATED:
        return GENERATED[source]()
    own = read_own(_address(source), _files_of(source), name=name, benchmark=_SOURCE)
    return TrainingProblems(own.problems, own.tests)


def _address(source: str) -> TableAddress:
    return table_address(source) or TableAddress(place=source)


def _files_of(source: str) -> list[Path]:
    """The files of a source; none for generated problems."""
    if source in GENERATED:
        return []
    address = _address(source)
    path = Path(address.place)
    if not address.place.startswith(HUB) and not path.is_file():
        raise DataError(
            f"data.source {source}: no such file; give a file, hub:OWNER/NAME/FILE, "
            f"{', '.join(GENERATED)}.{where_from(path)}"
        )
    return files_of(address)


def _sha256(paths: Sequence[Path]) -> str:
    """Of the content of the files, one after the other."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
