"""Results of finished evaluations, looked up in run directories, and two of them compared."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from orz_bench.errors import ConfigError, RunDirError, counted
from orz_bench.records.origin import Origin, origin_at
from orz_bench.records.run_dir import EvaluationDir, RunDir
from orz_bench.records.summary import SECOND_EXTRACTOR, WHO_ANSWERS, EvalResult
from orz_bench.results.comparison import Comparison, Outcomes, compare, compare_values, holm
from orz_bench.results.statistics import majority, pass_at_k


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedBenchmark:
    """One benchmark of two runs."""

    benchmark: str
    a: EvalResult
    b: EvalResult
    comparison: Comparison
    p_holm: float
    """p-value adjusted for the number of benchmarks compared."""
    measures: Mapping[str, Comparison]
    """Other figures of the same samples, compared alike: pass@n and maj@n, of the n samples that both have."""
    differing: tuple[str, ...]
    """Fields in which the protocols differ; empty where the numbers may be compared without a second thought."""


def no_evaluation(run: object, *, of_step: bool = False) -> str:
    """What to do about a run without a score: its evaluation has not ended, or its files came without verdicts."""
    return (
        f"{run}: no finished evaluation{' of that step' if of_step else ''}; run orz-bench eval to its end first, or "
        f"for imported files orz-bench import FILES --grade."
    )


def results_of(run: Path) -> list[EvalResult]:
    """All finished evaluations of a run. RunDirError if the folder is not a run, ConfigError if it has none."""
    directory = RunDir(run)
    directory.info()
    results = directory.results()
    if not results:
        raise ConfigError(no_evaluation(run))
    origin = origin_at(directory)
    return [named_as(result, origin) for result in results]


def named_as(result: EvalResult, origin: Origin) -> EvalResult:
    """With the control of its rewards in the model's name, and what its run was made from."""
    model = result.model if result.model.endswith(origin.suffix) else result.model + origin.suffix
    return replace(result, model=model, origin=origin.told)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationPair:
    """One benchmark of two runs, evaluated alike."""

    benchmark: str
    a: EvaluationDir
    b: EvaluationDir
    result_a: EvalResult
    result_b: EvalResult

    @property
    def differing(self) -> tuple[str, ...]:
        """Fields in which the protocols differ."""
        return _differing(self.result_a, self.result_b)


def compare_runs(
    run_a: str, run_b: str, *, benchmarks: Sequence[str] | None, across_protocols: bool
) -> list[ComparedBenchmark]:
    """Compare the latest (or the named: RUN@STEP) checkpoints of two runs on every benchmark that both have."""
    pairs = evaluation_pairs(run_a, run_b, benchmarks=benchmarks, across_protocols=across_protocols)
    read = [(_samples(pair.a), _samples(pair.b)) for pair in pairs]
    comparisons = [compare(_outcomes(a), _outcomes(b)) for a, b in read]
    adjusted = holm([comparison.p_value for comparison in comparisons])
    return [
        ComparedBenchmark(
            benchmark=pair.benchmark,
            a=pair.result_a,
            b=pair.result_b,
            comparison=comparison,
            p_holm=p,
            measures=_measures(*samples),
            differing=pair.differing,
        )
        for pair, samples, comparison, p in zip(pairs, read, comparisons, adjusted, strict=True)
    ]


def paired_outcomes(
    run_a: str, run_b: str, *, benchmarks: Sequence[str], across_protocols: bool
) -> dict[str, tuple[Outcomes, Outcomes]]:
    """By benchmark, whether each sample of every question is correct in either run, in the order of the samples."""
    pairs = evaluation_pairs(run_a, run_b, benchmarks=benchmarks, across_protocols=across_protocols)
    return {pair.benchmark: (_outcomes(_samples(pair.a)), _outcomes(_samples(pair.b))) for pair in pairs}


def evaluation_pairs(
    run_a: str, run_b: str, *, benchmarks: Sequence[str] | None, across_protocols: bool
) -> list[EvaluationPair]:
    """The finished evaluations of the latest (or the named: RUN@STEP) checkpoints of two runs that belong together.

    ConfigError if they share no benchmark, or differ in their protocols and `across_protocols` is false; RunDirError if
    one has lost samples: what is left would be compared as if it were all.
    """
    side_a, side_b = _latest(run_a), _latest(run_b)
    names = [name for name in side_a if name in side_b and (benchmarks is None or name in benchmarks)]
    missing = [name for name in benchmarks or () if name not in names]
    if missing or not names:
        raise ConfigError(
            f"{run_a} has {', '.join(side_a)}; {run_b} has {', '.join(side_b)}: nothing to compare"
            f"{' for ' + ', '.join(missing) if missing else ''}. Evaluate both on the same benchmark first."
        )
    chosen = [_choose(side_a[name], side_b[name], name=name, across_protocols=across_protocols) for name in names]
    for found in (side for pair in chosen for side in pair):
        _require_whole(*found)
    return [
        EvaluationPair(benchmark=name, a=a[0], b=b[0], result_a=a[1], result_b=b[1])
        for name, (a, b) in zip(names, chosen, strict=True)
    ]


def _require_whole(directory: EvaluationDir, result: EvalResult) -> None:
    """RunDirError where fewer samples are there than the summary counts."""
    held, wanted = directory.read(["sample_index"]).num_rows, result.summary.num_samples
    if held < wanted:
        raise RunDirError(
            f"{directory.path}: has {held:,} of the {counted(wanted, 'sample')} that its summary counts; a part was "
            f"moved or cut. Run the evaluation again: it generates the missing samples."
        )


_SET_ASIDE = (*WHO_ANSWERS, SECOND_EXTRACTOR)
"""Fields of the card in which evaluations that are compared may differ."""
_Found = tuple[EvaluationDir, EvalResult]


def _latest(run: str) -> dict[str, list[_Found]]:
    """By benchmark: the finished evaluations of the wanted step, or of the last."""
    name, at, step = run.rpartition("@")
    is_step = bool(at) and step.isdecimal()
    directory = RunDir(Path(name if is_step else run))
    directory.info()
    by_benchmark: dict[str, list[_Found]] = defaultdict(list)
    origin = origin_at(directory)
    for evaluation in directory.evaluations():
        result = evaluation.result()
        if result is not None and (not is_step or result.step == int(step)):
            by_benchmark[result.benchmark].append((evaluation, named_as(result, origin)))
    if not by_benchmark:
        raise ConfigError(no_evaluation(run, of_step=is_step))
    last = {name: max(result.step for _, result in found) for name, found in by_benchmark.items()}
    return {name: [item for item in found if item[1].step == last[name]] for name, found in by_benchmark.items()}


def _choose(a: list[_Found], b: list[_Found], *, name: str, across_protocols: bool) -> tuple[_Found, _Found]:
    for left in [*_graded_last(a), *a]:
        for right in b:
            if left[1].fingerprint == right[1].fingerprint or _asked_alike(left[1], right[1]):
                return left, right
    if not across_protocols:
        fields = ", ".join(_differing(a[-1][1], b[-1][1]))
        raise ConfigError(
            f"{name}: the two runs used different protocols ({fields}), so a difference of their scores may come from "
            f"that. Evaluate both under one protocol, or pass --across-protocols to compare all the same."
        )
    return _graded_last(a)[-1], _graded_last(b)[-1]


def _graded_last(found: list[_Found]) -> list[_Found]:
    """Without what was graded again later."""
    origins = {result.regraded_from for _, result in found}
    return [item for item in found if item[1].fingerprint not in origins]


def _asked_alike(a: EvalResult, b: EvalResult) -> bool:
    """True if the two differ in nothing but the server that answers."""
    return any(a.protocol.get(name) or b.protocol.get(name) for name in _SET_ASIDE) and not _differing(a, b)


def _differing(a: EvalResult, b: EvalResult) -> tuple[str, ...]:
    keys = sorted((set(a.protocol) | set(b.protocol)) - set(_SET_ASIDE))
    return tuple(
        f"{k}: {a.protocol.get(k)} / {b.protocol.get(k)}" for k in keys if a.protocol.get(k) != b.protocol.get(k)
    )


@dataclass(frozen=True, slots=True)
class _Sample:
    is_correct: bool
    extracted: str | None


_Samples = dict[str, list[_Sample]]
"""By problem id, in the order of their indices."""


def _samples(directory: EvaluationDir) -> _Samples:
    table = directory.read(["problem_id", "sample_index", "verdict", "extracted"]).sort_by("sample_index")
    samples: _Samples = defaultdict(list)
    columns = (table[name].to_pylist() for name in ("problem_id", "verdict", "extracted"))
    for problem_id, verdict, extracted in zip(*columns, strict=True):
        samples[problem_id].append(_Sample(verdict == "correct", extracted))
    return samples


def _outcomes(samples: _Samples) -> Outcomes:
    return {problem_id: [sample.is_correct for sample in found] for problem_id, found in samples.items()}


def _measures(a: _Samples, b: _Samples) -> dict[str, Comparison]:
    """pass@n and maj@n of the first n samples of each question, n of the question that has fewest; none for n = 1."""
    shared = a.keys() & b.keys()
    n = min(len(side[key]) for side in (a, b) for key in shared)
    if n == 1:
        return {}
    passed = [{key: pass_at_k(len(s[key]), sum(x.is_correct for x in s[key]), k=n) for key in shared} for s in (a, b)]
    votes = [{key: _vote(s[key][:n]) for key in shared} for s in (a, b)]
    return {f"pass@{n}": compare_values(*passed), f"maj@{n}": compare_values(*votes)}


def _vote(samples: Sequence[_Sample]) -> float:
    return majority([sample.extracted for sample in samples], [sample.is_correct for sample in samples])
