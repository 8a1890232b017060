"""--since DATE: which benchmarks are asked, where only those count whose questions are of that day or later."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

from orz_bench.benchmarks.dates import PublicDates
from orz_bench.benchmarks.own.address import table_address
from orz_bench.benchmarks.registry import all_benchmarks
from orz_bench.errors import ConfigError
from orz_bench.evaluation.harness.options import PREFIX
from orz_bench.evaluation.options import EvalOptions
from orz_bench.evaluation.suites import find_benchmark


def only_recent(single: Sequence[EvalOptions], *, notice: Callable[[str], None]) -> list[EvalOptions]:
    """Those whose benchmark has questions of that day or later; what is left out, and why, is said.

    ConfigError if nothing is left.
    """
    kept: list[EvalOptions] = []
    left_out: list[str] = []
    for options in single:
        why = None if options.since is None else _why_not(options.benchmarks[0], options.since)
        if why is None:
            kept.append(options)
        else:
            left_out.append(f"{options.benchmarks[0]}: {why}")
    if not kept and left_out:
        since = single[0].since
        fitting = [name for name, one in all_benchmarks().items() if since and why_left_out(one.dates, since) is None]
        raise ConfigError(
            f"--since {since} leaves no benchmark ({'; '.join(left_out)}). Name another day, or one of "
            f"{', '.join(fitting) or 'your own'}."
        )
    for one in left_out:
        notice(f"left out by --since: {one}")
    return kept


def why_left_out(dates: PublicDates | None, since: date) -> str | None:
    """Why a benchmark with these dates has no questions that are surely of that day or later; None if it has."""
    if dates is None:
        return "no date of its questions is known"
    if dates.by_question:
        return None if dates.last >= since else f"its newest question is of {dates.last}"
    return dates.too_old(since)


def _why_not(name: str, since: date) -> str | None:
    is_named_by_us = table_address(name) is None and not name.startswith(PREFIX)
    return why_left_out(find_benchmark(name).dates if is_named_by_us else None, since)
