"""Load a benchmark's problems: from a data folder, the local cache, or the hub, in that order; checked before use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from orz_bench.benchmarks.benchmark import Benchmark, Erratum
from orz_bench.benchmarks.dates import PublicDates
from orz_bench.benchmarks.digests import data_hash, question_sha256
from orz_bench.benchmarks.loading.files import read_rows
from orz_bench.benchmarks.loading.hub import CACHE, Download, fetch_to_cache
from orz_bench.benchmarks.loading.places import Files, find_files, find_local
from orz_bench.benchmarks.registry import added_benchmarks, all_benchmarks
from orz_bench.errors import DataError, RecordError, counted
from orz_bench.records.program_tests import PackedTests
from orz_bench.records.rollout import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedProblems:
    """A benchmark's problems, with what identifies them."""

    problems: tuple[Problem, ...]
    data_hash: str
    """SHA-256 of every id, question, gold and kind, in order."""
    source: str
    """Where they came from, for display."""
    address: str | None = None
    """By which a user's own table can be read again."""
    errata: tuple[tuple[str, Erratum], ...]
    """(problem id, erratum) for every known wrong gold that these data have."""
    corrected: bool
    notes: tuple[str, ...] = ()
    """Sentences that belong beside every score on these problems."""
    tests: Mapping[str, PackedTests] = field(default_factory=dict)
    """Tests of problems that ask for a program, by gold."""

    def errata_notes(self) -> tuple[str, ...]:
        """One sentence per erratum, and the notes on the data."""
        return tuple(self._note(problem_id, erratum) for problem_id, erratum in self.errata) + self.notes

    def _note(self, problem_id: str, erratum: Erratum) -> str:
        state = "corrected here" if self.corrected else "not corrected; --correct-errata does"
        right = f"{erratum.right_gold} is right"
        if erratum.right_gold is None:
            state, right = "left as published", "and none is right"
        return (
            f"{problem_id}: the gold {erratum.wrong_gold} is wrong, {right} ({erratum.why}; {erratum.source}); {state}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkListing:
    """A line of `orz-bench data list`."""

    name: str
    num_problems: str
    dates: PublicDates | None
    found: str
    source: str
    licence: str


def load_problems(
    benchmark: Benchmark,
    *,
    folders: Sequence[Path] = (),
    correct_errata: bool = False,
    with_examples: bool = False,
    cache: Path = CACHE,
) -> LoadedProblems:
    """All problems of a benchmark, with worked examples where they are asked for.

    DataError for what is missing, broken, or not the published number of rows.
    """
    tests: Mapping[str, PackedTests] = {}
    if benchmark.generate is not None:
        problems, source = benchmark.generate(), benchmark.package or "the product itself"
    elif benchmark.given is not None:
        given = benchmark.given
        problems, tests, source = list(given.problems), given.tests, given.source
    else:
        found = find_files(benchmark.local_names, benchmark.hub, folders=folders, cached=_cached(benchmark, cache))
        if found is None:
            raise DataError(_missing_message(benchmark, folders))
        (problems, tests), source = _read_problems(benchmark, found), found.source
    _check(benchmark, problems, source=source)
    problems = _kept(benchmark, problems, source=source)
    if with_examples and benchmark.examples is not None:
        problems = _with_examples(benchmark, problems, folders=folders, cache=cache)
    errata = _errata_in(benchmark, problems)
    if correct_errata:
        right = {problem_id: e.right_gold for problem_id, e in errata if e.right_gold is not None}
        problems = [replace(p, gold=right[p.problem_id]) if p.problem_id in right else p for p in problems]
    return LoadedProblems(
        problems=tuple(problems),
        data_hash=data_hash(problems),
        source=source,
        address=benchmark.given.source if benchmark.given is not None else None,
        errata=tuple(errata),
        corrected=correct_errata,
        notes=tuple(benchmark.notes(problems)) if benchmark.notes else (),
        tests=tests,
    )


def fetch_benchmark(benchmark: Benchmark, *, cache: Path = CACHE, download: Download | None = None) -> Path:
    """Download a benchmark from the hub into the cache; its folder. DataError if there is none or it refuses."""
    if benchmark.generate is not None or benchmark.given is not None:
        where = "it comes with the product" if benchmark.given is None else f"it is {benchmark.source}"
        raise DataError(f"{benchmark.name} needs no download: {where}.")
    if benchmark.hub is None:
        raise DataError(
            f"{benchmark.name} is on no hub: put its file ({_file_names(benchmark)}) into a folder, and name that with "
            f"--data-dir or $ORZ_DATA."
        )
    if benchmark.examples is not None:
        fetch_to_cache(_examples_name(benchmark), benchmark.examples.hub, cache=cache, download=download)
    return fetch_to_cache(_cached(benchmark, cache).name, benchmark.hub, cache=cache, download=download)


def examples_place(benchmark: Benchmark, folders: Sequence[Path], *, cache: Path = CACHE) -> str | None:
    """Where a benchmark's worked examples are, for display; None for a benchmark that has none."""
    if benchmark.examples is None:
        return None
    examples = benchmark.examples
    cached = cache / _examples_name(benchmark)
    file = find_local(examples.local_names, examples.hub, folders=folders, cached=cached)
    return str(file) if file else f"not here: orz-bench data fetch {benchmark.name}, or protocols that show none"


def list_benchmarks(folders: Sequence[Path], cache: Path = CACHE) -> list[BenchmarkListing]:
    """Every benchmark, and where its data are found now."""
    listings = []
    added, _ = added_benchmarks()
    for benchmark in (*all_benchmarks().values(), *added.values()):
        is_here = benchmark.parse_row is None
        cached = _cached(benchmark, cache)
        file = None if is_here else find_local(benchmark.local_names, benchmark.hub, folders=folders, cached=cached)
        listings.append(
            BenchmarkListing(
                name=benchmark.name,
                num_problems=_shown_size(benchmark),
                dates=benchmark.dates,
                found=_found(benchmark, file),
                source=benchmark.source,
                licence=benchmark.licence,
            )
        )
    return listings


def _shown_size(benchmark: Benchmark) -> str:
    if benchmark.num_problems is not None:
        return f"{benchmark.num_problems:,}"
    return f"part of {benchmark.num_rows:,}" if benchmark.num_rows else "any"


def _found(benchmark: Benchmark, file: Path | None) -> str:
    if file is not None:
        return str(file)
    if benchmark.parse_row is not None:
        return "not here"
    return f"in {benchmark.package}" if benchmark.package else "built in"


def _cached(benchmark: Benchmark, cache: Path) -> Path:
    return cache / (benchmark.cache_name or benchmark.name)


def _read_problems(benchmark: Benchmark, files: Files) -> tuple[list[Problem], dict[str, PackedTests]]:
    """All problems of the files, and the tests of those that are kept."""
    assert benchmark.parse_row is not None, f"{benchmark.name} has data files but no parse_row"
    problems: list[Problem] = []
    tests: dict[str, PackedTests] = {}
    column = benchmark.hub.folder_column if benchmark.hub and files.parts else None
    fills = [{column: part.partition("/")[0]} for part in files.parts] if column else [{}] * len(files.paths)
    filled = zip(files.paths, fills, strict=True)
    for path, fill, where, row in ((*one, *found) for one in filled for found in read_rows(one[0])):
        try:
            problem = benchmark.parse_row(row | fill, len(problems))
            problems.append(problem)
            if benchmark.parse_tests is not None and _is_kept(benchmark, problem):
                tests[problem.gold] = benchmark.parse_tests(row)
        except (DataError, RecordError) as error:
            raise DataError(f"{path}, {where}: {error}. Fix that row, or fetch the data again.") from error
    return problems, tests


def _is_kept(benchmark: Benchmark, problem: Problem) -> bool:
    return benchmark.keep is None or benchmark.keep(problem)


def _kept(benchmark: Benchmark, problems: list[Problem], *, source: str) -> list[Problem]:
    kept = [problem for problem in problems if _is_kept(benchmark, problem)]
    if not kept or (benchmark.num_rows and benchmark.num_problems not in (None, len(kept))):
        raise DataError(
            f"{source}: of its {counted(len(problems), 'problem')}, {len(kept):,} of {benchmark.name}, wanted "
            f"{benchmark.num_problems or 'at least one'}; widen the window, or restore the file."
        )
    return kept


def _with_examples(
    benchmark: Benchmark, problems: Sequence[Problem], *, folders: Sequence[Path], cache: Path
) -> list[Problem]:
    examples = benchmark.examples
    assert examples is not None, f"{benchmark.name} has no examples"
    cached = cache / _examples_name(benchmark)
    try:
        found = find_files(examples.local_names, examples.hub, folders=folders, cached=cached)
    except DataError as error:
        names = " or ".join(f"{name}.jsonl" for name in examples.local_names)
        raise DataError(
            f"{benchmark.name}: its worked examples are missing: no {names} in "
            f"{', '.join(map(str, folders)) or 'any data folder'}, and {error} A protocol that shows no examples, "
            f"such as --protocol orz-greedy, does without."
        ) from error
    assert found is not None, "examples have a hub dataset"
    try:
        return examples.join(problems, [row for path in found.paths for _, row in read_rows(path)])
    except DataError as error:
        raise DataError(f"{found.source}: {error}. Restore it, or fetch the data again.") from error


def _examples_name(benchmark: Benchmark) -> str:
    return f"{benchmark.name}-examples"


def _check(benchmark: Benchmark, problems: Sequence[Problem], *, source: str) -> None:
    editions = {benchmark.num_rows or benchmark.num_problems, benchmark.hub.num_problems if benchmark.hub else None} - {
        None
    }
    if editions and len(problems) not in editions:
        wanted = " or ".join(f"{count:,}" for count in sorted(filter(None, editions)))
        again = f" (orz-bench data fetch {benchmark.name})" if benchmark.hub else ""
        raise DataError(
            f"{source}: {counted(len(problems), 'problem')}, but {benchmark.title} has {wanted}. A part of it would "
            f"give another score: restore the whole file{again}, and use --limit for fewer."
        )
    repeated = [name for name, count in Counter(problem.problem_id for problem in problems).items() if count > 1]
    if repeated:
        raise DataError(f"{source}: duplicate id {repeated[0]!r}; every problem needs its own.")


def _errata_in(benchmark: Benchmark, problems: Sequence[Problem]) -> list[tuple[str, Erratum]]:
    by_hash = {erratum.question_sha256: erratum for erratum in benchmark.errata}
    pairs = ((problem, by_hash.get(question_sha256(problem.question))) for problem in problems) if by_hash else ()
    return [(p.problem_id, erratum) for p, erratum in pairs if erratum is not None and p.gold == erratum.wrong_gold]


def _missing_message(benchmark: Benchmark, folders: Sequence[Path]) -> str:
    """Of a benchmark that is on no hub."""
    looked = ", ".join(map(str, folders)) or "no data folder was given"
    return (
        f"{benchmark.name}: no data. Looked for {_file_names(benchmark)} ({looked}); it is on no hub. Name the folder "
        f"of that file with --data-dir or $ORZ_DATA."
    )


def _file_names(benchmark: Benchmark) -> str:
    return " or ".join(f"{name}.jsonl" for name in benchmark.local_names)
