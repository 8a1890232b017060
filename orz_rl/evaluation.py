"""Evaluate the policy in training: orz_bench's evaluate() with the running engines, into the same run directory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from orz_bench.benchmarks.registry import get_benchmark
from orz_bench.checkpoint import Checkpoint
from orz_bench.data import load_problems
from orz_bench.engines.engine import EngineSpec, Tokenizer
from orz_bench.engines.open import engine_version, max_model_len
from orz_bench.evaluate import Evaluation, evaluate
from orz_bench.grading.grader import Grader, grader_version
from orz_bench.intervals import percent_spread
from orz_bench.model_files.digest import checkpoint_digest
from orz_bench.protocol import customise, get_protocol, make_card, require_fit
from orz_bench.records.rollout import Request, Rollout
from orz_bench.records.run_dir import RunDir
from orz_bench.records.summary import EvalResult, Summary
from orz_rl.config import TrainConfig
from orz_rl.rollout.sampler import Sampler


class Evaluator:
    """The benchmarks of one run, loaded and checked when it is made: a missing file is found before training starts."""

    def __init__(
        self, config: TrainConfig, *, run: RunDir, spec: EngineSpec, tokenizer: Tokenizer | None, data: Sequence[Path]
    ) -> None:
        self._config, self._run, self._spec, self._tokenizer = config, run, spec, tokenizer
        self._problems = {
            name: load_problems(get_benchmark(name), folders=tuple(data), correct_errata=False)
            for name in config.eval.benchmarks
        }
        for name in self._problems:
            self._requests(name, step=0, digest="")  # a prompt that does not fit is found now

    def evaluate(
        self, step: int, *, digest: str, sampler: Sampler, grader: Grader, notice: Callable[[str], None]
    ) -> list[EvalResult]:
        """avg@n of the policy as the engines hold it. What a run that was stopped has drawn is not drawn again."""
        results = []
        for name in self._problems:
            evaluation, requests = self._requests(name, step=step, digest=digest)
            result = evaluate(
                evaluation,
                requests,
                run=self._run,
                grader=grader,
                open_engine=lambda: sampler,
                observer=_Quiet(),
            )
            summary = result.summary
            notice(
                f"step {step}: {name} avg@{summary.n} {100 * summary.avg_at_n:.1f}{sampling_error(summary)}, "
                f"{summary.mean_tokens:.0f} tokens"
            )
            results.append(result)
        return results

    def _requests(self, name: str, *, step: int, digest: str) -> tuple[Evaluation, list[Request]]:
        config, benchmark = self._config, get_benchmark(name)
        changes = {
            "template": config.data.template,
            "extractor": config.reward.extractor,
            "max_tokens": config.rollout.max_tokens,
            "stop": config.rollout.stop,
            "n": config.eval.n,
        }
        protocol = customise(get_protocol(benchmark.default_protocol), changes)
        require_fit(benchmark, protocol)
        card = make_card(
            protocol,
            benchmark=name,
            data_hash=self._problems[name].data_hash,
            grader_version=grader_version(benchmark.kind),
            engine=engine_version(self._spec),
            dtype=self._spec.dtype,
            max_model_len=max_model_len(self._spec),
        )
        checkpoint = Checkpoint(
            path=self._spec.checkpoint, label=self._run.path.resolve().name, step=step, digest=digest
        )
        evaluation = Evaluation(
            loaded=self._problems[name],
            checkpoint=checkpoint,
            card=card,
            n=config.eval.n,
            limit=config.eval.limit,
            seed=config.seed,
        )
        return evaluation, evaluation.requests(self._tokenizer)


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
