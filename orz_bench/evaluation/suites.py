"""Suites in an evaluation: the options of every benchmark, and how the suite's table wants each to be asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import yaml

from orz_bench.asking.changes import ProtocolChanges
from orz_bench.asking.protocol import customise, fit_to_kind, get_protocol
from orz_bench.asking.suites.names import SUITES, is_suite
from orz_bench.asking.suites.suite import Suite, SuiteEntry, get_suite
from orz_bench.benchmarks.benchmark import Benchmark
from orz_bench.benchmarks.own.address import table_address
from orz_bench.benchmarks.registry import get_benchmark
from orz_bench.errors import ConfigError, nearest
from orz_bench.evaluation.evaluate import Evaluation
from orz_bench.evaluation.harness.options import PREFIX
from orz_bench.evaluation.options import EvalOptions
from orz_bench.records.regular import read_text
from orz_bench.records.run_dir import RunDir
from orz_bench.records.summary import EvalResult
from orz_bench.results.suite_table import Column, SuiteTable, suite_table


def one_by_one(options: EvalOptions) -> list[EvalOptions]:
    """For every benchmark, those of suites among them, the options with it alone; equal ones once.

    What is given on the command line goes before what a suite says; a protocol that is given replaces the suite's
    protocol with all its changes, and n is for those benchmarks of a suite that are sampled.
    """
    single = [
        _for_entry(entry, options, is_of_suite=is_suite(name))
        for name in options.benchmarks
        for entry in _entries(name)
    ]
    return [one for place, one in enumerate(single) if one not in single[:place]]


def _entries(name: str) -> tuple[SuiteEntry, ...]:
    return get_suite(name).entries if is_suite(name) else (SuiteEntry(bench=name),)


def _for_entry(entry: SuiteEntry, options: EvalOptions, *, is_of_suite: bool) -> EvalOptions:
    changes = entry.changes if options.protocol is None else ProtocolChanges()
    given = options.protocol_changes.given()
    if is_of_suite and _temperature(entry, options) == 0:
        given.pop("n", None)
    return replace(
        options,
        benchmarks=(entry.bench,),
        protocol=options.protocol or entry.protocol,
        protocol_changes=replace(changes, **given),
        limit=entry.limit if options.limit is None else options.limit,
        sample=entry.sample if options.sample is None and not options.ids else options.sample,
        num_fewshot=entry.num_fewshot if options.num_fewshot is None else options.num_fewshot,
    )


def _temperature(entry: SuiteEntry, options: EvalOptions) -> float | None:
    """At which the samples of a suite's benchmark are drawn; None for a task of lm-eval."""
    if entry.bench.startswith(PREFIX):
        return None
    protocol = get_protocol(options.protocol or entry.protocol or find_benchmark(entry.bench).default_protocol)
    wanted = [options.protocol_changes.temperature, entry.changes.temperature, protocol.sampling.temperature]
    return next(value for value in wanted if value is not None)


def find_benchmark(name: str) -> Benchmark:
    """The benchmark of this name. ConfigError that names suites, too."""
    try:
        return get_benchmark(name)
    except ConfigError as error:
        if table_address(name) is not None:
            raise
        near = nearest(name, SUITES)
        raise ConfigError(f"{error} Suites are {', '.join(SUITES)}{near}, or a YAML file.") from error


def benchmarks_in(names: Iterable[str]) -> list[Benchmark]:
    """The benchmarks of these names, those of suites among them; tasks of lm-eval, whose data it loads, left out."""
    benches = dict.fromkeys(entry.bench for name in names for entry in _entries(name))
    return [find_benchmark(bench) for bench in benches if not bench.startswith(PREFIX)]


def each_once(evaluations: Sequence[Evaluation]) -> list[Evaluation]:
    """Without repeated ones. ConfigError if two would share a folder, but not the number of samples or questions."""
    found: dict[tuple[str, str], Evaluation] = {}
    for one in evaluations:
        other = found.setdefault((one.card.benchmark, one.card.fingerprint), one)
        if (other.n, other.limit) != (one.n, one.limit):
            raise ConfigError(
                f"{one.card.benchmark} is asked twice, {_amount(other)} and {_amount(one)}, and in nothing else "
                f"do they differ: the samples would be the same. Name it once, or evaluate one suite after the other."
            )
    return list(found.values())


def _amount(evaluation: Evaluation) -> str:
    return f"with n {evaluation.n}" + ("" if evaluation.limit is None else f" and limit {evaluation.limit}")


def tables_of(suites: Iterable[Suite], results: Sequence[EvalResult]) -> list[SuiteTable]:
    """The table of every suite, with these results. ConfigError for a benchmark that is unknown."""
    return [
        suite_table(
            [_column(entry) for entry in suite.entries],
            results,
            name=suite.name,
            title=suite.title,
            source=suite.source,
        )
        for suite in suites
    ]


def _column(entry: SuiteEntry) -> Column:
    if entry.bench.startswith(PREFIX):
        return Column(benchmark=entry.bench, n=None, limit=entry.limit, asked={})
    benchmark = find_benchmark(entry.bench)
    protocol = customise(get_protocol(entry.protocol or benchmark.default_protocol), entry.changes)
    protocol = fit_to_kind(protocol, benchmark.kind)
    return Column(
        benchmark=benchmark.name,
        n=protocol.n,
        limit=entry.limit,
        asked=protocol.on_card() | {"questions": None if entry.sample is None else f"random {entry.sample}"},
    )


def suites_in(names: Iterable[str]) -> list[Suite]:
    """The suites among the names of benchmarks."""
    return [get_suite(name) for name in names if is_suite(name)]


def suites_of_run(run: Path, *, notice: Callable[[str], None]) -> list[Suite]:
    """The suites of the command that evaluated last in this run; one whose file is gone is said."""
    try:
        names = [name for name in yaml.safe_load(read_text(RunDir(run).config_path))["benchmarks"] if is_suite(name)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError):
        return []  # the run of a training, or of something else
    found = []
    for name in names:
        try:
            found.append(get_suite(name))
        except ConfigError as error:
            notice(f"{run}: no table of the suite that was asked: {error} --suite FILE names it.")
    return found
