"""All benchmarks: every module of this package that defines BENCHMARK or BENCHMARKS."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

import orz_bench.benchmarks
from orz_bench.benchmarks.benchmark import Benchmark
from orz_bench.benchmarks.own.address import table_address
from orz_bench.benchmarks.own.benchmark import own_benchmark
from orz_bench.errors import ConfigError, nearest
from orz_bench.records.tables import SUFFIXES


@cache
def all_benchmarks() -> dict[str, Benchmark]:
    """Every benchmark by its name, sorted."""
    found: list[Benchmark] = []
    for module_info in pkgutil.iter_modules(orz_bench.benchmarks.__path__):
        module = importlib.import_module(f"{orz_bench.benchmarks.__name__}.{module_info.name}")
        found += getattr(module, "BENCHMARKS", ())
        found += [module.BENCHMARK] if hasattr(module, "BENCHMARK") else []
    return {benchmark.name: benchmark for benchmark in sorted(found, key=lambda benchmark: benchmark.name)}


def get_benchmark(name: str) -> Benchmark:
    """The benchmark of this name or alias, with options behind a colon, or that of a user's own table.

    ConfigError that names the nearest; DataError for what is wrong with a table.
    """
    if (address := table_address(name)) is not None:
        return own_benchmark(address)
    name, _, options = name.partition(":")
    benchmarks = all_benchmarks()
    by_alias = {alias: benchmark for benchmark in benchmarks.values() for alias in benchmark.aliases}
    found = benchmarks.get(name) or by_alias.get(name)
    if found is None:
        hint = nearest(name, [*benchmarks, *by_alias])
        raise ConfigError(
            f"benchmark {name!r} is unknown{hint}; there are {', '.join(benchmarks)}. A table of your own is named by "
            f"its file ({', '.join(SUFFIXES)}), or hub:OWNER/NAME."
        )
    if not options:
        return found
    if found.with_options is None:
        raise ConfigError(f"benchmark {found.name!r} has no options, but --bench says {name}:{options}.")
    return found.with_options(options)
