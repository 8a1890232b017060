"""The declaration that a benchmark file makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from orz_bench.benchmarks.dates import PublicDates
from orz_bench.errors import ConfigError
from orz_bench.records.program_tests import PackedTests
from orz_bench.records.rollout import AnswerKind, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class HubDataset:
    """Files of a hub dataset at one commit; a commit's content cannot change."""

    repo: str
    revision: str
    """A full commit hash, never a branch."""
    files: tuple[str, ...]
    """Paths inside the dataset repository, read in this order as one table (JSON, JSON lines, CSV or Parquet)."""
    num_problems: int | None = None
    """Rows there, where it is another edition than the benchmark's files elsewhere."""
    gated: bool = False
    """True if the hub requires an accepted licence and a token."""
    folder_column: str | None = None
    """The column that a file's folder fills in: for datasets whose rows do not say which part they belong to."""

    @property
    def folder(self) -> str:
        """The dataset's name without its owner: the folder into which it is usually downloaded."""
        return self.repo.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Erratum:
    """A published gold that is known to be wrong. It is reported always, corrected only when the protocol says so."""

    question_sha256: str
    """SHA-256 of the question without white space (UTF-8): it identifies the problem under any id."""
    wrong_gold: str
    right_gold: str | None
    """None if no gold is right, because the question contradicts itself: then it is only reported."""
    why: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """Worked examples from another split of the dataset, which few-shot templates show before a question."""

    local_names: tuple[str, ...]
    """File stems looked for in a data folder."""
    hub: HubDataset
    join: Callable[[Sequence[Problem], Sequence[Mapping[str, Any]]], list[Problem]]
    """(problems, rows of the split) -> the problems with their `examples`. Raises DataError with what the rows lack."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenProblems:
    """Problems that are read already, as those of a user's own table are."""

    problems: tuple[Problem, ...]
    tests: Mapping[str, PackedTests] = field(default_factory=dict)
    """Of problems that ask for a program, by gold."""
    source: str
    """Where they came from: its address, by which they can be read again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """One benchmark: everything but its data."""

    name: str
    """As in --bench."""
    title: str
    aliases: tuple[str, ...] = ()
    kind: AnswerKind
    num_problems: int | None
    """Rows that the data must have; None for generated benchmarks."""
    num_rows: int | None = None
    """Rows of the data, where not all belong to it (see `keep`)."""
    dates: PublicDates | None = None
    """When its questions became public; None: unknown, or never, as for generated ones."""
    local_names: tuple[str, ...] = ()
    """File stems looked for in a data folder, in order: NAME.jsonl, then NAME.json, NAME.parquet and NAME.csv."""
    hub: HubDataset | None = None
    """None also where the data are on no hub: then a data folder has to hold them."""
    licence: str
    default_protocol: str = "orz"
    parse_row: Callable[[Mapping[str, Any], int], Problem] | None = None
    """(row of a file, its position from 0) -> Problem. Raises DataError with what the row lacks."""
    generate: Callable[[], list[Problem]] | None = None
    """Instead of parse_row, hub and local_names: for a benchmark that ships with the product and has no data files."""
    given: GivenProblems | None = None
    """Instead of all these: problems that are read already."""
    errata: tuple[Erratum, ...] = ()
    examples: Examples | None = None
    answered: Literal["by_writing", "by_likelihood"] = "by_writing"
    """Written answers, or the most likely option: two different measurements."""
    breakdowns: tuple[str, ...] = ()
    """Keys of `Problem.extra` by whose values the report breaks the score down, coarsest first."""
    parse_tests: Callable[[Mapping[str, Any]], PackedTests] | None = None
    """For programs: (row) -> its tests, whose digest is the problem's gold."""
    keep: Callable[[Problem], bool] | None = None
    """Which problems of the data belong to it, where not all do."""
    notes: Callable[[Sequence[Problem]], list[str]] | None = None
    """(problems) -> sentences that belong beside every score on them."""
    with_options: Callable[[str], Benchmark] | None = None
    """(text after the colon in --bench) -> the benchmark with these options. Raises ConfigError."""
    package: str = ""
    """Name and version of the package that adds it, which the registry fills in; empty for ours."""
    cache_name: str = ""
    """The folder of the local cache, where several benchmarks are made from one dataset; else the benchmark's name."""

    def __post_init__(self) -> None:
        """ConfigError for a declaration from which no problem could ever be read."""
        has_files = bool(self.local_names) or self.hub is not None
        num_sources = sum(source is not None for source in (self.generate, self.parse_row, self.given))
        if num_sources != 1 or has_files == (self.parse_row is None):
            raise ConfigError(
                f"benchmark {self.name!r} declares {', '.join(self._declared()) or 'no source'}; wanted either "
                f"generate alone, or parse_row with hub, local_names, or both."
            )

    @property
    def source(self) -> str:
        """Where its data come from, for people."""
        if self.generate is not None:
            return "generated"
        if self.given is not None:
            return self.given.source
        if self.hub is None:
            return "local file only: --data-dir"
        return f"{self.hub.repo} @ {self.hub.revision[:12]}{', gated' if self.hub.gated else ''}"

    def _declared(self) -> list[str]:
        return [name for name in ("generate", "given", "parse_row", "hub", "local_names") if getattr(self, name)]
