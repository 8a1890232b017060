"""Evaluates the policy during training: orz_bench's evaluate() on the running engines, into the same run directory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext, suppress
from pathlib import Path

from orz_bench.asking.changes import ProtocolChanges
from orz_bench.asking.protocol import Protocol, customise, get_protocol
from orz_bench.benchmarks.benchmark import Benchmark
from orz_bench.benchmarks.registry import get_benchmark
from orz_bench.engines.describe import card_facts
from orz_bench.engines.engine import Engine, EngineSpec, Tokenizer
from orz_bench.errors import ConfigError, OrzError
from orz_bench.evaluation.evaluate import Evaluation, evaluate
from orz_bench.evaluation.plans import Chosen, choose, plan, tests_of
from orz_bench.grading.grader import Grader
from orz_bench.models.checkpoint import ModelIdentity
from orz_bench.models.digest import checkpoint_digest
from orz_bench.records.intervals import percent_spread
from orz_bench.records.origin import Origin
from orz_bench.records.rollout import Request, Rollout
from orz_bench.records.run_dir import RunDir
from orz_bench.records.summary import EvalResult, Summary
from orz_rl.config import TrainConfig


class Evaluator:
    """The benchmarks of one run, planned as by `orz-bench eval`, and checked by the constructor."""

    def __init__(
        self, config: TrainConfig, *, run: RunDir, spec: EngineSpec, tokenizer: Tokenizer | None, data: Sequence[Path]
    ) -> None:
        """Raises OrzError, naming the benchmark and the reason, if one cannot be evaluated here. Starts nothing."""
        self._config, self._run, self._spec, self._tokenizer = config, run, spec, tokenizer
        self._facts = card_facts(spec)
        self._chosen = [self._checked(name, tuple(data)) for name in config.eval.benchmarks]

    def _checked(self, name: str, folders: tuple[Path, ...]) -> Chosen:
        with _named(name):
            benchmark = get_benchmark(name)
            protocol = training_protocol(benchmark, self._config, is_own=name in self._config.eval.by_own_protocol)
            chosen = choose(benchmark, protocol, engine=self._spec.name, folders=folders)
            self._requests(chosen, step=0, digest="")  # finds a prompt that does not fit
            if chosen.loaded.tests:
                with closing(self._grader_of(chosen)) as grader:
                    grader.check_isolation()
        return chosen

    def evaluate(
        self, step: int, *, digest: str, engine: Engine, grader: Grader, notice: Callable[[str], None]
    ) -> list[EvalResult]:
        """avg@n of the policy in the engines. Samples that an interrupted run has saved are not generated again."""
        results = []
        for chosen in self._chosen:
            evaluation, requests = self._requests(chosen, step=step, digest=digest)
            uses_training_grader = (
                chosen.protocol.extractor == self._config.reward.extractor and not chosen.loaded.tests
            )
            with nullcontext(grader) if uses_training_grader else self._grader_of(chosen) as own:
                result = evaluate(
                    evaluation,
                    requests,
                    run=self._run,
                    grader=own,
                    open_engine=lambda: engine,
                    observer=_Quiet(),
                )
            summary = result.summary
            notice(
                f"step {step}: {evaluation.card.benchmark} avg@{summary.n} {100 * summary.avg_at_n:.1f}"
                f"{sampling_error(summary)}, {summary.mean_tokens:.0f} tokens"
            )
            results.append(result)
        return results

    def _requests(self, chosen: Chosen, *, step: int, digest: str) -> tuple[Evaluation, list[Request]]:
        suffix = Origin(control=self._config.reward.control).suffix
        model = ModelIdentity(label=self._run.path.resolve().name + suffix, step=step, digest=digest)
        evaluation = plan(chosen, model, facts=self._facts, seed=self._config.seed, limit=self._config.eval.limit)
        return evaluation, evaluation.requests(self._tokenizer)

    def _grader_of(self, chosen: Chosen) -> Grader:
        """A grader for answers that the training's grader does not read."""
        return Grader(
            extractor=chosen.protocol.extractor,
            deadline_s=self._config.reward.deadline_s,
            tests=tests_of([chosen.loaded]),
        )


def training_protocol(benchmark: Benchmark, config: TrainConfig, *, is_own: bool = False) -> Protocol:
    """The protocol of a benchmark: with the training's template, extractor and limits, or (`is_own`) its own.

    If the benchmark's protocol is greedy, n is 1. Raises ConfigError for a benchmark that the engines of a training
    cannot evaluate.
    """
    if benchmark.answered == "by_likelihood":
        raise ConfigError(
            f"{benchmark.name}: scored by likelihood, but the engines of a training only generate text. Evaluate a "
            f"checkpoint with orz-bench eval, or use a benchmark with generated answers (mmlu_cot)."
        )
    protocol = get_protocol(benchmark.default_protocol)
    if is_own:
        return customise(
            protocol, ProtocolChanges(max_tokens=min(protocol.sampling.max_tokens, config.rollout.max_tokens))
        )
    changes = ProtocolChanges(
        template=config.data.template,
        extractor=config.reward.extractor,
        max_tokens=config.rollout.max_tokens,
        stop=config.rollout.stop,
        n=config.eval.n if protocol.sampling.temperature > 0 else 1,
    )
    return customise(protocol, changes)


@contextmanager
def _named(benchmark: str) -> Iterator[None]:
    """Errors raised inside name the benchmark of eval.benchmarks."""
    try:
        yield
    except OrzError as error:
        text = str(error).removeprefix(f"{benchmark}: ")
        error.args = (f"eval.benchmarks, {benchmark}: {text}",)
        raise


def base_digest(checkpoint: str) -> str:
    """The identity of the model that training starts from."""
    with suppress(OSError):
        return checkpoint_digest(Path(checkpoint))
    return checkpoint


def sampling_error(summary: Summary) -> str:
    """The 95 % sampling interval, ` ± 1.2` or ` (0.0 to 0.7)`; empty with one sample per question."""
    if summary.sampling is None:
        return ""
    spread = percent_spread(summary.avg_at_n, summary.sampling)
    return f" {spread}" if spread.startswith("±") else f" ({spread})"


class _Quiet:
    """Ignores all progress events; the trainer reports the results itself."""

    def notice(self, text: str) -> None:
        """Does nothing."""

    def started(self, evaluation: Evaluation, *, num_wanted: int, num_missing: int) -> None:
        """Does nothing."""

    def generating(self) -> None:
        """Does nothing."""

    def committed(self, rollouts: Sequence[Rollout]) -> None:
        """Does nothing."""

    def finished(self, result: EvalResult) -> None:
        """Does nothing."""
