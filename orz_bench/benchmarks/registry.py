"""All benchmarks by name: ours, those that other packages add (`orz.benchmarks`), and a user's own tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from types import MappingProxyType

from orz_bench.benchmarks.benchmark import Benchmark
from orz_bench.benchmarks.own.address import table_address
from orz_bench.benchmarks.own.benchmark import own_benchmark
from orz_bench.errors import ConfigError, nearest
from orz_bench.installed.plugins import PluginFault, PluginGroup
from orz_bench.records.tables import SUFFIXES

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def _fault_of(benchmark: Benchmark) -> str | None:
    """Names become folders, and a full stop marks a user's own table."""
    names = (benchmark.name, *benchmark.aliases)
    wrong = next((name for name in names if not _NAME.fullmatch(name)), None)
    return None if wrong is None else f"the name {wrong!r} is not made of letters, digits, _ and - alone"


BENCHMARKS: PluginGroup[Benchmark] = PluginGroup(
    name="orz.benchmarks",
    noun="benchmark",
    kind=Benchmark,
    fault_of=_fault_of,
    built_in=MappingProxyType(
        {
            name: f"orz_bench.benchmarks.{place}"
            for name, place in {
                "aime24": "aime:AIME24",
                "aime25": "aime:AIME25",
                "aime26": "competitions:AIME26",
                "amc": "amc:BENCHMARK",
                "apex_shortlist": "competitions:APEX_SHORTLIST",
                "arithmetic": "arithmetic:BENCHMARK",
                "arithmetic_mixed": "arithmetic_mixed:BENCHMARK",
                "beyond_aime": "competitions:BEYOND_AIME",
                "brumo25": "competitions:BRUMO25",
                "cmimc25": "competitions:CMIMC25",
                "gpqa_diamond": "gpqa:BENCHMARK",
                "gsm8k": "gsm8k:BENCHMARK",
                "hle_exact": "hle:BENCHMARK",
                "hmmt_feb25": "competitions:HMMT_FEB25",
                "hmmt_feb26": "competitions:HMMT_FEB26",
                "hmmt_nov25": "competitions:HMMT_NOV25",
                "ifbench": "ifbench:BENCHMARK",
                "ifeval": "ifeval:BENCHMARK",
                "livecodebench": "livecodebench:BENCHMARK",
                "math500": "competition_math:MATH500",
                "math_test": "competition_math:MATH_TEST",
                "minerva": "minerva:BENCHMARK",
                "mmlu": "mmlu:MMLU",
                "mmlu_cot": "mmlu:MMLU_COT",
                "mmlu_pro": "mmlu_pro:BENCHMARK",
                "mmlu_redux": "mmlu_redux:BENCHMARK",
                "olymmath_en_easy": "competitions:OLYMMATH_EN_EASY",
                "olymmath_en_hard": "competitions:OLYMMATH_EN_HARD",
                "olymmath_zh_easy": "competitions:OLYMMATH_ZH_EASY",
                "olymmath_zh_hard": "competitions:OLYMMATH_ZH_HARD",
                "olympiadbench": "olympiadbench:BENCHMARK",
                "smt25": "competitions:SMT25",
                "supergpqa": "supergpqa:BENCHMARK",
                "word_problems": "word_problems:BENCHMARK",
            }.items()
        }
    ),
)


@cache
def all_benchmarks() -> Mapping[str, Benchmark]:
    """Every benchmark of ours by its name, sorted."""
    return {name: BENCHMARKS.load(name) for name in sorted(BENCHMARKS.built_in)}


def added_benchmarks() -> tuple[dict[str, Benchmark], list[PluginFault]]:
    """The benchmarks of other packages, and what of them cannot be used."""
    found, faults = BENCHMARKS.load_all()
    return {name: _from_package(each) for name, each in found.items() if name not in BENCHMARKS.built_in}, faults


def get_benchmark(name: str) -> Benchmark:
    """The benchmark of this name or alias, with options behind a colon, or that of a user's own table.

    ConfigError that names the nearest; DataError for what is wrong with a table.
    """
    if (address := table_address(name)) is not None:
        return own_benchmark(address)
    name, _, options = name.partition(":")
    found = _find(name)
    if not options:
        return found
    if found.with_options is None:
        raise ConfigError(f"benchmark {found.name!r} has no options, but --bench says {name}:{options}.")
    return replace(found.with_options(options), package=found.package)


def _find(name: str) -> Benchmark:
    """Ours before others: a name of ours needs no search for plug-ins."""
    if name in BENCHMARKS.built_in:
        return BENCHMARKS.load(name)
    ours = all_benchmarks()
    if (by_alias := _by_alias(name, ours.values())) is not None:
        return by_alias
    if name in BENCHMARKS.others():
        return _from_package(BENCHMARKS.load(name))
    added, _ = added_benchmarks()
    if (by_alias := _by_alias(name, added.values())) is not None:
        return by_alias
    names = [*ours, *added]
    hint = nearest(name, [*names, *(alias for each in (*ours.values(), *added.values()) for alias in each.aliases)])
    raise ConfigError(
        f"benchmark {name!r} is unknown{hint}; there are {', '.join(names)}. A table of your own is named by "
        f"its file ({', '.join(SUFFIXES)}), or hub:OWNER/NAME."
    )


def _by_alias(alias: str, benchmarks: Iterable[Benchmark]) -> Benchmark | None:
    return next((benchmark for benchmark in benchmarks if alias in benchmark.aliases), None)


def _from_package(benchmark: Benchmark) -> Benchmark:
    return replace(benchmark, package=BENCHMARKS.package_of(benchmark.name))
