"""A whole run around Trainer.step(): resume, train, evaluate, save, and say what became of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any, Protocol

from orz_bench.errors import OrzError, RunDirError
from orz_bench.grading.grader import Grader
from orz_bench.records.lines import append_row
from orz_bench.records.parquet import rollouts_from_table
from orz_bench.records.rollout import Rollout
from orz_bench.records.run_dir import RolloutsDir, RunDir, step_folder
from orz_bench.records.summary import EvalResult
from orz_rl.rollout.collector import Collector
from orz_rl.settings.names import names_settings
from orz_rl.training.boards import Boards
from orz_rl.training.checkpoint import Checkpoints, Manifest
from orz_rl.training.evaluation import base_digest
from orz_rl.training.health import warnings
from orz_rl.training.health_hook import start_hook
from orz_rl.training.identity import check_out, claim, start_over
from orz_rl.training.learner import Learner, NonFiniteError
from orz_rl.training.metrics_file import rewind_metrics
from orz_rl.training.preparation import Prepared
from orz_rl.training.rehearsal import rehearse
from orz_rl.training.step_metrics import Row, metrics_row
from orz_rl.training.trainer import SideBySide, StepReport, Stopwatch, TakingTurns, Trainer
from orz_rl.workers.cluster import open_cluster


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


def train(prepared: Prepared, *, command: Sequence[str], observer: Observer, fresh: bool = False) -> Outcome:
    """Run or go on to the last step. OrzError for what a user, a file or a dead process causes; nothing is lost.

    The lock comes first: a run that another process trains is neither looked at nor changed, and `fresh` deletes what
    is there only afterwards. However it ends, the run is marked, but for a process that is killed.
    """
    config, run = prepared.config, prepared.run
    check_out(run.path, fresh=fresh)
    with run.lock():
        if fresh:
            start_over(run)
        claim(run, config, prompts=prepared.prompts, command=command, notice=observer.notice)
        with run.writing(stopped_event="stopped", done=f"{config.num_steps} steps"), _deletes_unfinished(run):
            outcome = _train(prepared, observer)
            run.add_event("done", step=config.num_steps)
    return outcome


@contextmanager
def _deletes_unfinished(run: RunDir) -> Iterator[None]:
    """Where what happens inside fails: a half-written checkpoint may be what fills the disk."""
    try:
        yield
    except BaseException:
        with suppress(RunDirError):  # what went wrong first is what must be told
            Checkpoints(run).delete_unfinished()
        raise


@names_settings
def _train(prepared: Prepared, observer: Observer) -> Outcome:
    config, run = prepared.config, prepared.run
    checkpoints = Checkpoints(run)
    checkpoints.delete_unfinished()
    newest = checkpoints.newest(notice=observer.warn)
    rows = rewind_metrics(run, newest.step if newest else 0, notice=observer.warn)
    if newest and newest.step >= config.num_steps:
        observer.notice(f"{run.path} has its {config.num_steps} steps already")
        return Outcome(run, rows, run.results())
    if newest:
        for name in ("policy", "critic") if config.has_critic else ("policy",):
            checkpoints.check_files(newest, f"state/{name}")  # before anything is started
    with ExitStack() as stack:
        loop = open_loop(prepared, observer, stack=stack, resumes_at=newest.step if newest else 0)
        # Marked before the processes are ended: that may take long, or fail, where what stops this run ended them too.
        stack.enter_context(run.marks_failure("stopped", is_inner=True))
        if newest:
            checkpoints.load(newest, loop.learner)
            loop.trainer.cursor = newest.cursor
            observer.notice(f"resuming after step {newest.step}")
            run.add_event("resumed", step=newest.step)
        else:
            rehearse(run, loop.learner, base=prepared.policy)
        loop.trainer.synchronise(newest.policy_version if newest else 0)
        if not newest:
            loop.evaluate(0)
        for number in range(newest.step + 1 if newest else 1, config.num_steps + 1):
            row = loop.step(number)
            rows.append(row)
            loop.warn([each for each in rows if "policy/entropy" in each])  # a restored row has no such thing
            is_last = number == config.num_steps
            score = loop.evaluate(number) if is_last or number % config.eval.every == 0 else None
            if is_last or number % config.checkpoint.every == 0:
                loop.save(number, score=score, reward=row["reward/mean"])
    return Outcome(run, rows, run.results())


@names_settings
def open_loop(prepared: Prepared, observer: Observer, *, stack: ExitStack, resumes_at: int = 0) -> _Loop:
    """Start every process; `stack` ends them. Boards drop what they have after the step `resumes_at`."""
    config, run = prepared.config, prepared.run
    grader = stack.enter_context(Grader(extractor=config.reward.extractor, deadline_s=config.reward.deadline_s))
    boards = stack.enter_context(closing(Boards(config.logging, run, resumes_at=resumes_at)))
    cluster = open_cluster(
        config.cluster,
        engines=config.rollout.num_engines,
        gpus_per_engine=config.rollout.tensor_parallel,
        roles=1 + config.has_critic,
        logs=run.path / "logs",
    )
    stack.enter_context(closing(cluster))
    observer.notice("starting the models and engines")
    sampler = cluster.open_sampler(prepared.spec)
    learner = Learner(config, cluster, policy=prepared.policy, critic=prepared.critic)
    takes_turns = config.cluster.colocate and config.cluster.device == "cuda"
    devices = TakingTurns(sampler, learner) if takes_turns else SideBySide()
    collector = Collector(config, run=run, sampler=sampler, grader=grader, prompts=prepared.prompts.prompts)
    trainer = Trainer(config, collector=collector, learner=learner, sampler=sampler, devices=devices)
    return _Loop(prepared, observer, trainer=trainer, grader=grader, boards=boards)


class _Loop:
    """What happens around the steps, once everything is open."""

    def __init__(
        self, prepared: Prepared, observer: Observer, *, trainer: Trainer, grader: Grader, boards: Boards
    ) -> None:
        self._prepared, self._observer, self._grader, self._boards = prepared, observer, grader, boards
        self.trainer = trainer
        self.learner = trainer.learner
        events = prepared.run.events("warning")
        self._warned = {str(event["sign"]) for event in events if event.get("sign")}

    def step(self, number: int) -> Row:
        """Train, complete the step's rollout file, write its metrics."""
        run = self._prepared.run
        try:
            report = self.trainer.step(number, on_committed=self._observer.sampled)
        except NonFiniteError as error:
            raise _with_samples(error, self.trainer, number=number, run=run) from error
        clock = Stopwatch()
        with clock.phase("write"):
            _write_advantages(report, run)
            row = metrics_row(report, self._prepared.config)
        row |= {f"time/{name}": seconds for name, seconds in clock.seconds.items()}
        append_row(run.metrics_path, row)
        self._boards.write(row)
        self._observer.stepped(row, self._prepared.config.num_steps)
        return row

    def warn(self, rows: Sequence[Row]) -> None:
        """Say each sign of ill health once."""
        for name, text in warnings(rows, self._warned):
            self._warned.add(name)
            self._prepared.run.add_event("warning", step=rows[-1]["step"], sign=name, text=text)
            self._observer.warn(text)
            self._tell_hook(name, text, step=int(rows[-1]["step"]))
        self._stop_for(rows)

    def _tell_hook(self, sign: str, text: str, *, step: int) -> None:
        command, run = self._prepared.config.health.hook, self._prepared.run
        if command is not None:
            start_hook(command, {"sign": sign, "text": text, "step": step, "run": str(run.path.resolve())}, run=run)

    def _stop_for(self, rows: Sequence[Row]) -> None:
        """Also for a sign that was told before: a run that is started again does not get past it unasked."""
        stop = self._prepared.config.health.stop
        for name, text in warnings(rows, set()) if stop else ():
            if name in stop:
                raise RunDirError(
                    f"step {int(rows[-1]['step'])}: stopped for the sign {name} (health.stop): {text}. The last "
                    f"checkpoint is whole; the same command with another health.stop goes on from it."
                )

    def evaluate(self, step: int) -> float | None:
        """Mean avg@n over the benchmarks of the policy that the engines hold; None without benchmarks."""
        results = self._prepared.evaluator.evaluate(
            step,
            digest=self._digest(step),
            sampler=self.trainer.sampler,
            grader=self._grader,
            notice=self._observer.notice,
        )
        self._boards.write_results(results)
        return fmean(result.summary.avg_at_n for result in results) if results else None

    def save(self, step: int, *, score: float | None, reward: float) -> None:
        """Write a checkpoint, then remove those that need not be kept."""
        config, run = self._prepared.config, self._prepared.run
        manifest = Manifest(
            step=step,
            policy_version=self.trainer.policy_version,
            cursor=self.trainer.cursor,
            digest=self._digest(step),
            score=reward if score is None else score,
            is_evaluated=score is not None,
            policy_ranks=config.cluster.policy_ranks,
            critic_ranks=config.cluster.critic_ranks,
        )
        checkpoints = Checkpoints(run)
        with self.trainer.models_on_device():
            checkpoints.save(manifest, self.learner, tokenizer_from=self._prepared.policy)
        gone = checkpoints.prune(keep_last=config.checkpoint.keep_last, keep_best=config.checkpoint.keep_best)
        run.add_event("checkpoint", step=step, removed=gone)

    def _digest(self, step: int) -> str:
        """Identity of the policy after a step: evaluations of it, in training and later, belong together."""
        run = self._prepared.run
        return base_digest(self._prepared.policy) if step == 0 else f"{run.info()['run_id']}:{step}"


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


def _with_samples(error: NonFiniteError, trainer: Trainer, *, number: int, run: RunDir) -> OrzError:
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
        f"samples ({names}{', ...' if len(pack) > 5 else ''}) are in {folder.path}. The last checkpoint is whole: go "
        f"on from it with a lower learning rate in a new --out, or look at those samples."
    )
