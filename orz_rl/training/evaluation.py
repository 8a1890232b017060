"""Evaluate the policy in training: orz_bench's evaluate() with the running engines, into the same run directory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path

from orz_bench.asking.protocol import Protocol, customise, get_protocol
from orz_bench.benchmarks.benchmark import Benchmark
from orz_bench.benchmarks.registry import get_benchmark
from orz_bench.engines.engine import Engine, EngineSpec, Tokenizer
from orz_bench.errors import ConfigError, OrzError
from orz_bench.evaluation.evaluate import Evaluation, evaluate
from orz_bench.evaluation.plans import Chosen, choose, plan, tests_of
from orz_bench.grading.grader import Grader
from orz_bench.models.checkpoint import Checkpoint
from orz_bench.models.digest import checkpoint_digest
from orz_bench.records.intervals import percent_spread
from orz_bench.records.rollout import Request, Rollout
from orz_bench.records.run_dir import RunDir
from orz_bench.records.summary import EvalResult, Summary
from orz_rl.config import TrainConfig


class Evaluator:
    """The benchmarks of one run, planned as `orz-bench eval` plans them, and checked when it is made."""

    def __init__(
        self, config: TrainConfig, *, run: RunDir, spec: EngineSpec, tokenizer: Tokenizer | None, data: Sequence[Path]
    ) -> None:
        """OrzError names the benchmark that cannot be evaluated here, and why, before anything is started."""
        self._config, self._run, self._spec, self._tokenizer = config, run, spec, tokenizer
        self._chosen = [self._checked(name, tuple(data)) for name in config.eval.benchmarks]

    def _checked(self, name: str, folders: tuple[Path, ...]) -> Chosen:
        with _named(name):
            benchmark = get_benchmark(name)
            protocol = training_protocol(benchmark, self._config, is_own=name in self._config.eval.by_own_protocol)
            chosen = choose(benchmark, protocol, spec=self._spec, folders=folders)
            self._requests(chosen, step=0, digest="")  # a prompt that does not fit is found now
            if chosen.loaded.tests:
                with closing(self._grader_of(chosen)) as grader:
                    grader.check_isolation()
        return chosen

    def evaluate(
        self, step: int, *, digest: str, engine: Engine, grader: Grader, notify: Callable[[str], None]
    ) -> list[EvalResult]:
        """avg@n of the policy as the engines hold it. What a run that was stopped has drawn is not drawn again."""
        results = []
        for chosen in self._chosen:
            evaluation, requests = self._requests(chosen, step=step, digest=digest)
            is_trainings = chosen.protocol.extractor == self._config.reward.extractor and not chosen.loaded.tests
            with nullcontext(grader) if is_trainings else self._grader_of(chosen) as own:
                result = evaluate(
                    evaluation,
                    requests,
                    run=self._run,
                    grader=own,
                    open_engine=lambda: engine,
                    observer=_Quiet(),
                )
            summary = result.summary
            notify(
                f"step {step}: {evaluation.card.benchmark} avg@{summary.n} {100 * summary.avg_at_n:.1f}"
                f"{sampling_error(summary)}, {summary.mean_tokens:.0f} tokens"
            )
            results.append(result)
        return results

    def _requests(self, chosen: Chosen, *, step: int, digest: str) -> tuple[Evaluation, list[Request]]:
        checkpoint = Checkpoint(
            path=self._spec.checkpoint, label=self._run.path.resolve().name, step=step, digest=digest
        )
        spec = replace(self._spec, keep_tokens=False)
        evaluation = plan(chosen, checkpoint, spec=spec, seed=self._config.seed, limit=self._config.eval.limit)
        return evaluation, evaluation.requests(self._tokenizer)

    def _grader_of(self, chosen: Chosen) -> Grader:
        """For what training's own grader does not read."""
        return Grader(
            extractor=chosen.protocol.extractor,
            deadline_s=self._config.reward.deadline_s,
            tests=tests_of([chosen.loaded]),
        )


def training_protocol(benchmark: Benchmark, config: TrainConfig, *, is_own: bool = False) -> Protocol:
    """How a benchmark is asked: with the training's template, extractor and limits, or (`is_own`) by its own protocol.

    Where the benchmark's protocol is greedy, one answer is all there is: n is 1. ConfigError for what the engines of a
    training cannot do.
    """
    if benchmark.answered == "by_likelihood":
        raise ConfigError(
            f"{benchmark.name}: the most likely option counts, but the engines of a training only write answers. "
            f"Evaluate a checkpoint with orz-bench eval, or use a benchmark that is answered by writing (mmlu_cot)."
        )
    protocol = get_protocol(benchmark.default_protocol)
    if is_own:
        return customise(protocol, {"max_tokens": min(protocol.sampling.max_tokens, config.rollout.max_tokens)})
    changes = {
        "template": config.data.template,
        "extractor": config.reward.extractor,
        "max_tokens": config.rollout.max_tokens,
        "stop": config.rollout.stop,
        "n": config.eval.n if protocol.sampling.temperature > 0 else 1,
    }
    return customise(protocol, changes)


@contextmanager
def _named(benchmark: str) -> Iterator[None]:
    """Every refusal says which of eval.benchmarks it is about."""
    try:
        yield
    except OrzError as error:
        text = str(error).removeprefix(f"{benchmark}: ")
        error.args = (f"eval.benchmarks, {benchmark}: {text}",)
        raise


def base_digest(checkpoint: str) -> str:
    """Identity of the model that training starts from."""
    with suppress(OSError):
        return checkpoint_digest(Path(checkpoint))
    return checkpoint


def sampling_error(summary: Summary) -> str:
    """` ± 1.2` or ` (0.0 to 0.7)`: the 95 % interval of sampling; nothing for one sample a question."""
    if summary.sampling is None:
        return ""
    spread = percent_spread(summary.avg_at_n, summary.sampling)
    return f" {spread}" if spread.startswith("±") else f" ({spread})"


class _Quiet:
    """Hears everything and says nothing: the trainer's own lines say what matters."""

    def started(self, evaluation: Evaluation, *, num_wanted: int, num_missing: int) -> None:
        """Nothing."""

    def drawing(self) -> None:
        """Nothing."""

    def committed(self, rollouts: Sequence[Rollout]) -> None:
        """Nothing."""

    def finished(self, result: EvalResult) -> None:
        """Nothing."""
