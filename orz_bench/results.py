"""Results of finished evaluations, looked up in run directories, and two of them compared."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orz_bench.comparison import Comparison, compare, holm
from orz_bench.errors import ConfigError
from orz_bench.protocol import WHO_ANSWERS
from orz_bench.records.run_dir import EvaluationDir, RunDir
from orz_bench.records.summary import EvalResult


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedBenchmark:
    """One benchmark of two runs."""

    benchmark: str
    a: EvalResult
    b: EvalResult
    comparison: Comparison
    p_holm: float
    """p-value adjusted for the number of benchmarks compared."""
    differing: tuple[str, ...]
    """Fields in which the protocols differ; empty where the numbers may be compared without a second thought."""


def results_of(run: Path) -> list[EvalResult]:
    """All finished evaluations of a run. RunDirError for a folder that is no run, ConfigError for one without."""
    directory = RunDir(run)
    directory.info()
    results = directory.results()
    if not results:
        raise ConfigError(f"{run}: no finished evaluation; run orz-bench eval --out {run} to its end first.")
    return results


def compare_runs(
    run_a: str, run_b: str, *, benchmarks: Sequence[str] | None, across_protocols: bool
) -> list[ComparedBenchmark]:
    """Compare the latest (or the named: RUN@STEP) checkpoints of two runs on every benchmark that both have."""
    side_a, side_b = _latest(run_a), _latest(run_b)
    names = [name for name in side_a if name in side_b and (benchmarks is None or name in benchmarks)]
    missing = [name for name in benchmarks or () if name not in names]
    if missing or not names:
        raise ConfigError(
            f"{run_a} has {', '.join(side_a)}; {run_b} has {', '.join(side_b)}: nothing to compare"
            f"{' for ' + ', '.join(missing) if missing else ''}. Evaluate both on the same benchmark first."
        )
    pairs = [_choose(side_a[name], side_b[name], name=name, across_protocols=across_protocols) for name in names]
    comparisons = [compare(_outcomes(a), _outcomes(b)) for a, b in pairs]
    adjusted = holm([comparison.p_value for comparison in comparisons])
    return [
        ComparedBenchmark(
            benchmark=name, a=a[1], b=b[1], comparison=comparison, p_holm=p, differing=_differing(a[1], b[1])
        )
        for name, (a, b), comparison, p in zip(names, pairs, comparisons, adjusted, strict=True)
    ]


_Found = tuple[EvaluationDir, EvalResult]


def _latest(run: str) -> dict[str, list[_Found]]:
    """By benchmark: the finished evaluations of the wanted step, or of the last."""
    name, at, step = run.rpartition("@")
    is_step = bool(at) and step.isdecimal()
    directory = RunDir(Path(name if is_step else run))
    directory.info()
    by_benchmark: dict[str, list[_Found]] = defaultdict(list)
    for evaluation in directory.evaluations():
        result = evaluation.result()
        if result is not None and (not is_step or result.step == int(step)):
            by_benchmark[result.benchmark].append((evaluation, result))
    if not by_benchmark:
        raise ConfigError(
            f"{run}: no finished evaluation{' of that step' if is_step else ''}; run orz-bench eval first."
        )
    last = {name: max(result.step for _, result in found) for name, found in by_benchmark.items()}
    return {name: [item for item in found if item[1].step == last[name]] for name, found in by_benchmark.items()}


def _choose(a: list[_Found], b: list[_Found], *, name: str, across_protocols: bool) -> tuple[_Found, _Found]:
    for left in a:
        for right in b:
            if left[1].fingerprint == right[1].fingerprint or _asked_alike(left[1], right[1]):
                return left, right
    if not across_protocols:
        fields = ", ".join(_differing(a[-1][1], b[-1][1]))
        raise ConfigError(
            f"{name}: the two runs used different protocols ({fields}), so a difference of their scores may come from "
            f"that. Evaluate both under one protocol, or pass --across-protocols to compare all the same."
        )
    return a[-1], b[-1]


def _asked_alike(a: EvalResult, b: EvalResult) -> bool:
    """Whether nothing but the server that answers tells the two apart."""
    return any(a.protocol.get(name) or b.protocol.get(name) for name in WHO_ANSWERS) and not _differing(a, b)


def _differing(a: EvalResult, b: EvalResult) -> tuple[str, ...]:
    keys = sorted((set(a.protocol) | set(b.protocol)) - set(WHO_ANSWERS))
    return tuple(
        f"{k}: {a.protocol.get(k)} / {b.protocol.get(k)}" for k in keys if a.protocol.get(k) != b.protocol.get(k)
    )


def _outcomes(found: _Found) -> dict[str, list[bool]]:
    table = found[0].read(["problem_id", "verdict"])
    outcomes: dict[str, list[bool]] = defaultdict(list)
    for problem_id, verdict in zip(table["problem_id"].to_pylist(), table["verdict"].to_pylist(), strict=True):
        outcomes[problem_id].append(verdict == "correct")
    return outcomes
