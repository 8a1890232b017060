"""Plan an evaluation and check it before anything is generated: one planner, for `orz-bench eval` and for training.

Input: a benchmark, a protocol, a model's identity, facts of the engine. Output: an Evaluation, which evaluate() runs.
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
from orz_bench.engines.describe import require_likelihoods
from orz_bench.evaluation.evaluate import Evaluation
from orz_bench.extraction.rules import LIKELIHOOD
from orz_bench.grading.grader import grader_version
from orz_bench.models.checkpoint import ModelIdentity
from orz_bench.records.program_tests import PackedTests


@dataclass(frozen=True, slots=True)
class Chosen:
    """A benchmark, how it is asked, and its questions."""

    benchmark: Benchmark
    protocol: Protocol
    loaded: LoadedProblems


def choose(
    benchmark: Benchmark, protocol: Protocol, *, engine: str, num_engines: int = 1, folders: tuple[Path, ...]
) -> Chosen:
    """The protocol as it reads this benchmark's answers, and the problems.

    Raises OrzError if the two do not fit, or these engines cannot answer them.
    """
    protocol = fit_to_kind(protocol, benchmark.kind)
    require_fit(benchmark, protocol)
    if protocol.extractor == LIKELIHOOD:
        require_likelihoods(engine, num_engines=num_engines)
    loaded = load_problems(
        benchmark,
        folders=folders,
        correct_errata=protocol.correct_errata,
        with_examples=protocol.template in WITH_EXAMPLES,
    )
    return Chosen(benchmark, protocol, loaded)


def plan(
    chosen: Chosen,
    model: ModelIdentity,
    *,
    facts: Mapping[str, Any],
    seed: int,
    limit: int | None = None,
    keep_tokens: bool = False,
) -> Evaluation:
    """The evaluation; `facts` are the fields of the protocol card that the engine and the command decide."""
    benchmark, protocol = chosen.benchmark, chosen.protocol
    if benchmark.package:
        facts = {**facts, "plugins": {**(facts.get("plugins") or {}), "benchmark": benchmark.package}}
    card = make_card(
        protocol,
        kind=benchmark.kind,
        benchmark=benchmark.name,
        data_hash=chosen.loaded.data_hash,
        grader_version=grader_version(benchmark.kind),
        **facts,
    )
    return Evaluation(
        loaded=chosen.loaded,
        model=model,
        card=card,
        n=protocol.n,
        limit=limit,
        seed=seed,
        keep_tokens=keep_tokens,
        breakdowns=benchmark.breakdowns,
    )


def tests_of(loaded: Iterable[LoadedProblems]) -> dict[str, PackedTests]:
    """Tests of programs, by the digest that is their problems' gold: what a grader of them needs."""
    return {gold: packed for each in loaded for gold, packed in each.tests.items()}
