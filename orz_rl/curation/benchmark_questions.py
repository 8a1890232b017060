"""The questions of benchmarks that training data must not contain."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from orz_bench.benchmarks.benchmark import Benchmark
from orz_bench.benchmarks.loading.load import LoadedProblems, load_problems
from orz_bench.benchmarks.registry import added_benchmarks, all_benchmarks, get_benchmark
from orz_bench.errors import DataError, OrzError, counted
from orz_bench.records.rollout import Problem
from orz_rl.curation.settings import ALL


@dataclass(frozen=True, slots=True)
class BenchmarkQuestions:
    """All questions of some benchmarks, each under the name of its benchmark."""

    problems: tuple[Problem, ...]
    hashes: tuple[tuple[str, str], ...]
    """(benchmark, hash of its data)."""


def load_questions(names: Sequence[str], folders: Sequence[Path]) -> BenchmarkQuestions:
    """The questions of benchmarks by name; `all`: of every one that orz-bench knows.

    DataError that names every benchmark whose data are missing or broken: none is ever left out.
    """
    problems: list[Problem] = []
    hashes: list[tuple[str, str]] = []
    faults: list[str] = []
    seen: set[str] = set()
    benchmarks = _benchmarks(names)
    # At once: the hub's client waits twenty seconds for a hub that does not answer.
    with ThreadPoolExecutor(len(benchmarks)) as threads:
        results = threads.map(partial(_loaded, folders=folders), benchmarks)
    for benchmark, loaded in zip(benchmarks, results, strict=True):
        if isinstance(loaded, OrzError):
            faults.append(f"- {benchmark.name}: {loaded}")
            continue
        hashes.append((benchmark.name, loaded.data_hash))
        if loaded.data_hash not in seen:
            problems += loaded.problems
        seen.add(loaded.data_hash)
    if faults:
        raise DataError(
            f"decontamination needs the questions of every benchmark, and {counted(len(faults), 'benchmark')} cannot "
            f"be read. Name their folder with --data-dir, or fewer benchmarks with --against.\n" + "\n".join(faults)
        )
    return BenchmarkQuestions(tuple(problems), tuple(hashes))


def _loaded(benchmark: Benchmark, *, folders: Sequence[Path]) -> LoadedProblems | OrzError:
    try:
        return load_problems(benchmark, folders=folders)
    except OrzError as error:
        return error


def _benchmarks(names: Sequence[str]) -> list[Benchmark]:
    if tuple(names) != ALL:
        return [get_benchmark(name) for name in dict.fromkeys(names)]
    added, faults = added_benchmarks()
    if faults:
        raise DataError(f"benchmark {faults[0]}; uninstall its package, or name benchmarks with --against.")
    return [*all_benchmarks().values(), *added.values()]
