"""A whole run around Trainer.step(): prepare and check everything, resume, train, evaluate, save, and say what became of it."""

from __future__ import annotations

import fcntl
import json
import os
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import yaml

from orz_bench.engines.engine import EngineSpec
from orz_bench.engines.open import choose_engine
from orz_bench.engines.tokenizer import load_tokenizer
from orz_bench.environment import describe_environment
from orz_bench.errors import ConfigError, OrzError, RunDirError
from orz_bench.grading.grader import Grader
from orz_bench.records.parquet import disk_error, rollouts_from_table
from orz_bench.records.rollout import Rollout
from orz_bench.records.run_dir import RolloutsDir, RunDir, step_folder
from orz_bench.records.summary import EvalResult
from orz_rl.checkpoint import Checkpoints, Manifest, rewind_metrics
from orz_rl.cluster import open_cluster
from orz_rl.config import TrainConfig
from orz_rl.evaluation import Evaluator, base_digest
from orz_rl.health import warnings
from orz_rl.learner import Learner, NonFiniteUpdate
from orz_rl.logs import Boards
from orz_rl.models import resolve_model
from orz_rl.problems import Prompts, make_prompts, read_problems, select_problems
from orz_rl.recipes.registry import as_yaml, differences
from orz_rl.rollout.collector import Collector
from orz_rl.step_metrics import Row, metrics_row
from orz_rl.trainer import SideBySide, StepReport, TakingTurns, Trainer

_MAY_CHANGE = ("num_steps", "checkpoint.", "logging.", "eval.every")
"""Settings that may differ when a run goes on: they move no sample and no weight."""


class Observer(Protocol):
    """Hears how training goes."""

    def notice(self, text: str) -> None:
        """Something a user should know."""
        ...

    def warn(self, text: str) -> None:
        """Something a user should act on."""
        ...

    def sampled(self, rollouts: Sequence[Rollout]) -> None:
        """These rollouts are on disk (called on the recorder's thread)."""
        ...

    def stepped(self, row: Mapping[str, float], num_steps: int) -> None:
        """A step is done."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to."""

    run: RunDir
    rows: list[dict[str, Any]]
    results: list[EvalResult]


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything that can be known and checked before a process is started."""

    config: TrainConfig
    run: RunDir
    prompts: Prompts
    spec: EngineSpec
    policy: str
    critic: str
    evaluator: Evaluator


def prepare(config: TrainConfig, *, out: Path, data: Sequence[Path], notice: Callable[[str], None]) -> Prepared:
    """Resolve and check models, data, prompts, benchmarks. Raises OrzError; starts nothing, writes nothing."""
    engine, reason = choose_engine(config.rollout.engine)
    notice(reason)
    policy = resolve_model(config.model.policy)
    critic = resolve_model(config.model.critic) if config.model.critic else policy
    spec = EngineSpec(
        name=engine,
        checkpoint=policy,
        dtype=config.model.dtype,
        max_model_len=config.max_sequence,
        num_engines=config.rollout.num_engines,
        tensor_parallel=config.rollout.tensor_parallel,
        gpu_memory_share=config.rollout.gpu_memory_share,
        batch_size=config.rollout.batch_size,
        keep_tokens=True,
        sleeps=config.cluster.colocate and config.cluster.device == "cuda",
    )
    tokenizer = load_tokenizer(spec)
    assert tokenizer is not None
    problems = select_problems(
        read_problems(config.data.source), limit=config.data.limit, language=config.data.language
    )
    prompts = make_prompts(problems, tokenizer, template=config.data.template, max_tokens=config.data.max_prompt_tokens)
    notice(f"{len(prompts.prompts):,} training problems from {', '.join(config.data.source)}")
    if prompts.too_long:
        notice(
            f"{len(prompts.too_long):,} problems refused: their prompts exceed data.max_prompt_tokens "
            f"{config.data.max_prompt_tokens:,} (the first: {prompts.too_long[0]})"
        )
    run = RunDir(out)
    evaluator = Evaluator(config, run=run, spec=spec, tokenizer=tokenizer, data=data)
    Boards.check(config.logging)
    return Prepared(config, run, prompts, spec, policy, critic, evaluator)


def train(prepared: Prepared, *, command: Sequence[str], observer: Observer) -> Outcome:
    """Run or go on to the last step. Raises OrzError for what a user, a file or a dead process causes; nothing is lost."""
    config, run = prepared.config, prepared.run
    _claim(run, config, command)
    with _owned(run):
        run.mark("")
        try:
            outcome = _train(prepared, observer)
        except (OrzError, KeyboardInterrupt) as error:
            run.add_event("stopped", text=str(error) or "stopped by the user")
            run.mark("FAILED", str(error) or "stopped by the user")
            raise
        run.add_event("done", step=config.num_steps)
        run.mark("DONE", f"{config.num_steps} steps")
    return outcome


def _train(prepared: Prepared, observer: Observer) -> Outcome:
    config, run = prepared.config, prepared.run
    checkpoints = Checkpoints(run)
    checkpoints.delete_unfinished()
    newest = next(reversed(checkpoints.complete()), None)
    rows: list[Row] = rewind_metrics(run, newest.step if newest else 0)
    if newest and newest.step >= config.num_steps:
        observer.notice(f"{run.path} has its {config.num_steps} steps already")
        return Outcome(run, rows, run.results())
    with ExitStack() as stack:
        grader = stack.enter_context(Grader(extractor=config.reward.extractor, deadline_s=config.reward.deadline_s))
        boards = stack.enter_context(closing(Boards(config.logging, run.path)))
        cluster = stack.enter_context(
            closing(
                open_cluster(
                    config.cluster,
                    engines=config.rollout.num_engines,
                    gpus_per_engine=config.rollout.tensor_parallel,
                    roles=1 + config.has_critic,
                    logs=run.path / "logs",
                )
            )
        )
        observer.notice("starting the models and engines")
        sampler = cluster.open_sampler(prepared.spec)
        learner = Learner(config, cluster, policy=prepared.policy, critic=prepared.critic)
        turns = config.cluster.colocate and config.cluster.device == "cuda"
        devices = TakingTurns(sampler, learner) if turns else SideBySide()
        collector = Collector(config, run=run, sampler=sampler, grader=grader, prompts=prepared.prompts.prompts)
        trainer = Trainer(config, collector=collector, learner=learner, sampler=sampler, devices=devices)
        if newest:
            checkpoints.load(newest, learner)
            trainer.cursor = newest.cursor
            observer.notice(f"resuming after step {newest.step}")
            run.add_event("resumed", step=newest.step)
        trainer.synchronise(newest.policy_version if newest else 0)

        def score(step: int, reward: float) -> tuple[float, bool]:
            results = prepared.evaluator.evaluate(
                step, digest=_digest(run, prepared.policy, step), sampler=sampler, grader=grader, notice=observer.notice
            )
            boards.write_results(results)
            return (sum(r.summary.avg_at_n for r in results) / len(results), True) if results else (reward, False)

        if not newest:
            score(0, 0.0)
        warned: set[str] = set()
        for number in range(newest.step + 1 if newest else 1, config.num_steps + 1):
            row = _step(trainer, number, run=run, observer=observer)
            rows.append(row)
            _append_metrics(run, row)
            boards.write(row)
            observer.stepped(row, config.num_steps)
            for name, text in warnings(rows, warned):
                warned.add(name)
                run.add_event("warning", step=number, sign=name, text=text)
                observer.warn(text)
            is_last = number == config.num_steps
            reached, is_evaluated = row["reward/mean"], False
            if is_last or number % config.eval.every == 0:
                reached, is_evaluated = score(number, reached)
            if is_last or number % config.checkpoint.every == 0:
                manifest = Manifest(
                    step=number,
                    policy_version=trainer.policy_version,
                    cursor=trainer.cursor,
                    digest=_digest(run, prepared.policy, number),
                    score=reached,
                    is_evaluated=is_evaluated,
                    policy_ranks=config.cluster.policy_ranks,
                    critic_ranks=config.cluster.critic_ranks,
                )
                devices.give_to_models()
                checkpoints.save(manifest, learner, tokenizer_from=prepared.policy)
                trainer.synchronise(trainer.policy_version) if turns else None
                gone = checkpoints.prune(keep_last=config.checkpoint.keep_last, keep_best=config.checkpoint.keep_best)
                run.add_event("checkpoint", step=number, removed=gone)
        return Outcome(run, rows, run.results())


def _step(trainer: Trainer, number: int, *, run: RunDir, observer: Observer) -> Row:
    """One step with its rollout file completed. Raises OrzError with the offending samples of a non-finite update."""
    try:
        report = trainer.step(number, on_committed=observer.sampled)
    except NonFiniteUpdate as error:
        raise _with_samples(error, trainer, number, run=run) from error
    _write_advantages(report, run)
    return metrics_row(report, trainer.config)


def _write_advantages(report: StepReport, run: RunDir) -> None:
    """Complete the step's rows: mean advantage a token, and the value of the prompt."""
    batch, values_BT = report.batch, report.scores.values_BT
    means_B = (report.estimate.advantages_BT * batch.mask_BT).sum(dim=1) / batch.mask_BT.sum(dim=1)
    learned = {
        row.key: replace(
            row,
            advantage=float(means_B[index]),
            value=None if values_BT is None else float(values_BT[index, 0]),
        )
        for index, row in enumerate(batch.rollouts)
    }
    folder = run.rollouts(report.step)
    set_aside = [row for row in rollouts_from_table(folder.read()) if row.key not in learned]
    folder.replace([*learned.values(), *set_aside])


def _with_samples(error: NonFiniteUpdate, trainer: Trainer, number: int, *, run: RunDir) -> OrzError:
    """Keep the pack's rollouts apart, and name them."""
    rows = trainer.last_batch.rollouts if trainer.last_batch else ()
    pack = [rows[member] for member in error.members]
    folder = RolloutsDir(run.path / "faults" / step_folder(number))
    if pack:
        with folder.lock():
            folder.append(pack)
    names = ", ".join(f"{row.problem_id}#{row.sample_index}" for row in pack[:5])
    return RunDirError(
        f"step {number}: {error}, so the update was stopped before it could spoil the weights. The pack's {len(pack)} "
        f"samples ({names}{', ...' if len(pack) > 5 else ''}) are in {folder.path}. The last checkpoint is whole: go on "
        f"from it with a lower learning rate in a new --out, or look at those samples."
    )


def _claim(run: RunDir, config: TrainConfig, command: Sequence[str]) -> None:
    """Start a run here, or check that the one that is here has this configuration."""
    wanted = yaml.safe_load(as_yaml(config))
    config_path = run.path / "config.yaml"
    if run.exists():
        if run.info()["kind"] != "train":
            raise RunDirError(
                f"{run.path}: holds a run of {run.info()['kind']}, not of training; choose another --out."
            )
        found = yaml.safe_load(config_path.read_text(encoding="utf-8")) if config_path.exists() else wanted
        lines = [line for line in differences(found, wanted) if not _may_change(line, config)]
        if lines:
            shown = "\n".join(f"  {line}" for line in lines)
            raise RunDirError(
                f"{run.path}: a run of another configuration:\n{shown}\n"
                f"Give the same settings to go on, another --out to keep both, or --fresh to start over there."
            )
    run.create(
        kind="train",
        command=command,
        seed=config.seed,
        environment=describe_environment() | {"run_id": uuid.uuid4().hex},
    )
    run.write_config(as_yaml(config))


def _may_change(line: str, config: TrainConfig) -> bool:
    key = line.split(":", 1)[0]
    if key == "num_steps":
        return config.optim.final_lr is None
    return key.startswith(_MAY_CHANGE)


@contextmanager
def _owned(run: RunDir) -> Iterator[None]:
    """Only one process trains in a run directory."""
    with (run.path / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunDirError(
                f"{run.path}: another process trains here. Wait for it, or choose another --out."
            ) from None
        yield


def _append_metrics(run: RunDir, row: Row) -> None:
    path = run.path / "metrics.jsonl"
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise disk_error(path, error) from error


def _digest(run: RunDir, policy: str, step: int) -> str:
    """Identity of the policy after a step: evaluations of it, in training and later, belong together."""
    return base_digest(policy) if step == 0 else f"{run.info()['run_id']}:{step}"


def check_fresh(out: Path) -> None:
    """Refuse to delete what is not a training run."""
    run = RunDir(out)
    if out.exists() and any(out.iterdir()) and (not run.exists() or run.info()["kind"] != "train"):
        raise ConfigError(f"--fresh would delete {out}, which is not a training run; choose another --out.")
