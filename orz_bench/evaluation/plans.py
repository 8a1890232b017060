"""Plan an evaluation and check it before anything is generated: one planner, for `orz-bench eval` and for training.

Input: a benchmark, a protocol, an engine's spec. Output: an Evaluation, which evaluate() runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orz_bench.asking.protocol import Protocol, fit_to_kind, make_card, require_fit
from orz_bench.asking.templates import WITH_EXAMPLES
from orz_bench.benchmarks.benchmark import Benchmark
from orz_bench.benchmarks.loading.load import LoadedProblems, load_problems
from orz_bench.engines.describe import engine_version, max_model_len, require_likelihoods
from orz_bench.engines.engine import EngineSpec
from orz_bench.evaluation.evaluate import Evaluation
from orz_bench.extraction.answers import LIKELIHOOD
from orz_bench.grading.grader import grader_version
from orz_bench.models.checkpoint import Checkpoint
from orz_bench.records.program_tests import PackedTests


@dataclass(frozen=True, slots=True)
class Chosen:
    """A benchmark, how it is asked, and its questions."""

    benchmark: Benchmark
    protocol: Protocol
    loaded: LoadedProblems


def choose(benchmark: Benchmark, protocol: Protocol, *, spec: EngineSpec, folders: tuple[Path, ...]) -> Chosen:
    """The protocol as it reads this benchmark's answers, and the problems. OrzError if the two do not fit."""
    protocol = fit_to_kind(protocol, benchmark.kind)
    require_fit(benchmark, protocol)
    if protocol.extractor == LIKELIHOOD:
        require_likelihoods(spec)
    loaded = load_problems(
        benchmark,
        folders=folders,
        correct_errata=protocol.correct_errata,
        with_examples=protocol.template in WITH_EXAMPLES,
    )
    return Chosen(benchmark, protocol, loaded)


def plan(
    chosen: Chosen,
    checkpoint: Checkpoint,
    *,
    spec: EngineSpec,
    seed: int,
    limit: int | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Evaluation:
    """The evaluation; `facts` are further fields of the protocol card."""
    benchmark, protocol = chosen.benchmark, chosen.protocol
    card = make_card(
        protocol,
        kind=benchmark.kind,
        benchmark=benchmark.name,
        data_hash=chosen.loaded.data_hash,
        grader_version=grader_version(benchmark.kind),
        engine=engine_version(spec),
        dtype=spec.dtype,
        max_model_len=max_model_len(spec),
        **(facts or {}),
    )
    return Evaluation(
        loaded=chosen.loaded,
        checkpoint=checkpoint,
        card=card,
        n=protocol.n,
        limit=limit,
        seed=seed,
        keep_tokens=spec.keep_tokens,
        breakdowns=benchmark.breakdowns,
    )


def tests_of(loaded: Iterable[LoadedProblems]) -> dict[str, PackedTests]:
    """Tests of programs, by the digest that is their problems' gold: what a grader of them needs."""
    return {gold: packed for each in loaded for gold, packed in each.tests.items()}
