"""Evaluation in training is planned as orz-bench plans it: programs, breakdowns, greedy benchmarks, named refusals."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from orz_bench.asking.changes import ProtocolChanges
from orz_bench.asking.protocol import get_protocol
from orz_bench.benchmarks.registry import get_benchmark
from orz_bench.engines.engine import Engine, EngineSpec, Sampling
from orz_bench.engines.fake import FakeEngine, FakeTokenizer
from orz_bench.engines.model_options import EngineOptions
from orz_bench.errors import ConfigError
from orz_bench.evaluation.options import EvalOptions
from orz_bench.evaluation.run_evaluation import run_evaluations
from orz_bench.grading.grader import Grader
from orz_bench.records.rollout import Completion, Request
from orz_bench.records.run_dir import RunDir
from orz_rl.recipes.registry import resolve
from orz_rl.training.evaluation import Evaluator, training_protocol
from tests.integration.test_livecodebench import a_row
from tests.support.shared_data import shared_data

SPEC = EngineSpec(name="fake", checkpoint="fake:1", dtype="unknown", max_model_len=16_000, keep_tokens=True)
PROGRAMS = "livecodebench:release_v1"


class Programmer(FakeEngine):
    """Writes the program that toy problem N asks for."""

    def generate(self, requests: Iterable[Request], sampling: Sampling) -> Iterator[list[Completion]]:
        for batch in super().generate(requests, sampling):
            yield [
                replace(each, text=f"```python\nprint(2 * int(input()) + {each.problem_id.split('_')[-1]})\n```")
                for each in batch
            ]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "livecodebench_v1.jsonl").write_text("\n".join(json.dumps(a_row(n)) for n in range(400)), "utf-8")
    return folder


def an_evaluator(tmp_path: Path, data: Path, *overrides: str) -> Evaluator:
    config = resolve("tiny", overrides=["rollout.max_tokens=900", "cluster.pack_tokens=4096", *overrides])
    run = RunDir(tmp_path / "run")
    run.path.mkdir(exist_ok=True)
    return Evaluator(config, run=run, spec=SPEC, tokenizer=FakeTokenizer(), data=[data])


def test_programs_are_run_and_broken_down(tmp_path: Path, data: Path) -> None:
    evaluator = an_evaluator(tmp_path, data, f"eval.benchmarks={PROGRAMS}", "eval.limit=4", "eval.n=2")
    said: list[str] = []
    with Grader(extractor="orz") as grader:
        (result,) = evaluator.evaluate(
            3, digest="d", engine=cast("Engine", Programmer(SPEC)), grader=grader, notice=said.append
        )
    assert (result.summary.avg_at_n, result.summary.n, result.summary.num_problems) == (1.0, 2, 4)
    assert result.summary.breakdown
    assert "avg@2 100.0" in said[0]


def test_the_card_is_the_one_of_orz_bench(tmp_path: Path, data: Path) -> None:
    """Equal questions have the same fingerprint, so results of training and orz-bench are comparable."""
    by_training = an_evaluator(
        tmp_path, data, "eval.benchmarks=arithmetic", "eval.limit=2", "eval.n=2", "rollout.max_tokens=900"
    )
    with Grader(extractor="orz") as grader:
        (ours,) = by_training.evaluate(
            0, digest="d", engine=cast("Engine", FakeEngine(SPEC)), grader=grader, notice=lambda _: None
        )
    options = EvalOptions(
        checkpoint="fake:1",
        benchmarks=("arithmetic",),
        engine="fake",
        protocol_changes=ProtocolChanges(n=2, max_tokens=900),
        limit=2,
        out=tmp_path / "other",
        engine_settings=EngineOptions(max_model_len=16_000),
    )
    (theirs,) = run_evaluations(options, observer=cast("Any", _Silent()))
    assert ours.protocol == theirs.protocol
    assert ours.fingerprint == theirs.fingerprint


class _Silent:
    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None


@pytest.mark.parametrize("name", ["ifeval", "mmlu_pro", "mmlu_cot", "gpqa_diamond"])
def test_greedy_benchmarks_have_one_sample_and_others_n(tmp_path: Path, name: str) -> None:
    config = resolve("tiny", overrides=[f"eval.benchmarks={name}"])
    protocol = training_protocol(get_benchmark(name), config)
    assert protocol.n == (16 if protocol.sampling.temperature > 0 else 1)
    evaluator = an_evaluator(tmp_path, shared_data() / "eval", f"eval.benchmarks={name}", "eval.limit=3")
    with Grader(extractor="orz") as grader:
        (result,) = evaluator.evaluate(
            0, digest="d", engine=cast("Engine", FakeEngine(SPEC)), grader=grader, notice=lambda _: None
        )
    assert result.summary.n == protocol.n


def test_a_benchmark_may_keep_its_own_protocol() -> None:
    config = resolve("tiny", overrides=["eval.benchmarks=ifeval", "eval.by_own_protocol=ifeval"])
    protocol = training_protocol(get_benchmark("ifeval"), config, is_own=True)
    own = get_protocol("ifeval")
    assert (protocol.template, protocol.extractor, protocol.n) == (own.template, own.extractor, 1)
    assert protocol.sampling.max_tokens == config.rollout.max_tokens
    with pytest.raises(ConfigError, match=r"but eval\.benchmarks does not"):
        resolve("tiny", overrides=["eval.by_own_protocol=ifeval"])


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("mmlu", "scored by likelihood"),
        ("aime42", "is unknown"),
        (PROGRAMS, "do not fit the context"),
    ],
)
def test_refusals_name_the_benchmark_and_the_reason(tmp_path: Path, data: Path, name: str, reason: str) -> None:
    config = resolve("tiny", overrides=[f"eval.benchmarks={name}"])
    spec = replace(SPEC, max_model_len=20)
    with pytest.raises(ConfigError, match=f"^eval.benchmarks, {name}: .*{reason}"):
        Evaluator(config, run=RunDir(tmp_path), spec=spec, tokenizer=FakeTokenizer(), data=[data])
