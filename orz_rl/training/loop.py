"""A whole run around Trainer.step(): resume, train, evaluate, save, and record the outcome."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from statistics import fmean

from orz_bench.errors import OrzError, RunDirError, counted
from orz_bench.grading.grader import Grader
from orz_bench.records.run_dir import RolloutsDir, RunDir, step_folder
from orz_rl.rollout.collector import Collector
from orz_rl.rollout.reward_process import binary_of, open_reward
from orz_rl.settings.names import names_settings
from orz_rl.training.checkpoint import Checkpoints, Manifest
from orz_rl.training.devices import devices_for
from orz_rl.training.evaluation import base_digest
from orz_rl.training.health import warnings
from orz_rl.training.health_hook import start_hook
from orz_rl.training.identity import check_out, open_run, require_same, start_over
from orz_rl.training.learner import Learner, NonFiniteError
from orz_rl.training.metrics_file import rewind_metrics
from orz_rl.training.preparation import Setup
from orz_rl.training.progress import Observer, Outcome
from orz_rl.training.step_metrics import Row, metrics_row
from orz_rl.training.stopwatch import Stopwatch
from orz_rl.training.trackers import Trackers
from orz_rl.training.trainer import StepReport, Trainer
from orz_rl.training.trial_checkpoint import try_checkpoint
from orz_rl.workers.cluster import WorkerDiedError
from orz_rl.workers.open import open_cluster


def train(setup: Setup, *, command: Sequence[str], observer: Observer, fresh: bool = False) -> Outcome:
    """Start or resume a run and train to its last step. `command` is what a user runs to do so.

    Raises OrzError for errors caused by settings, files or a process that died; completed work is always saved.

    The lock is taken first: a run that another process trains is neither read nor changed, and `fresh` deletes an
    existing run only while its lock is held. The run is marked DONE or FAILED unless this process is killed.
    """
    config, run = setup.config, setup.run
    check_out(run.path, fresh=fresh)
    with run.lock():
        if fresh:
            start_over(run)
        open_run(run, config, prompts=setup.prompts, parts=setup.parts, command=command, notice=observer.notice)
        done = counted(config.num_steps, "step")
        with run.writing(stopped_event="stopped", done=done), _deletes_unfinished(run):
            outcome = _train(setup, observer, command=command)
            run.add_event("done", step=config.num_steps)
    return outcome


@contextmanager
def _deletes_unfinished(run: RunDir) -> Iterator[None]:
    """Delete a half-written checkpoint if the code inside fails: it may be what fills the disk."""
    try:
        yield
    except BaseException:
        with suppress(RunDirError):  # the first error is the one to report
            Checkpoints(run).delete_unfinished()
        raise


@contextmanager
def names_command(command: Sequence[str]) -> Iterator[None]:
    """Add the command that resumes the run to the error of a process that died."""
    try:
        yield
    except WorkerDiedError as error:
        again = shlex.join(part for part in command if part != "--fresh")
        error.args = (f"{error}\nResume with:\n  {again}",)
        raise


@names_settings
def _train(setup: Setup, observer: Observer, *, command: Sequence[str]) -> Outcome:
    config, run = setup.config, setup.run
    checkpoints = Checkpoints(run)
    checkpoints.delete_unfinished()
    newest = checkpoints.newest(notice=observer.warn)
    rows = rewind_metrics(run, newest.step if newest else 0, notice=observer.warn)
    if newest and newest.step >= config.num_steps:
        observer.notice(f"{run.path} is complete: {counted(config.num_steps, 'step')}")
        return Outcome(run, rows, run.results())
    if newest:
        for name in ("policy", "critic") if config.has_critic else ("policy",):
            checkpoints.check_files(newest, f"state/{name}")  # before anything is started
    with ExitStack() as stack:
        with names_command(command):
            loop = open_loop(setup, observer, stack=stack, resumes_at=newest.step if newest else 0)
        # Marked before the processes are stopped, which may take long, or fail if they were killed together with this.
        stack.enter_context(run.marks_failure("stopped", is_inner=True))
        stack.enter_context(names_command(command))
        if newest:
            checkpoints.load(newest, loop.learner)
            loop.trainer.cursor = newest.cursor
            observer.notice(f"resuming after step {newest.step}")
            run.add_event("resumed", step=newest.step)
        else:
            try_checkpoint(run, loop.learner, base=setup.policy)
        loop.trainer.synchronise(newest.policy_version if newest else 0)
        if not newest:
            loop.evaluate(0)
        for number in range(newest.step + 1 if newest else 1, config.num_steps + 1):
            row = loop.step(number)
            rows.append(row)
            loop.warn([each for each in rows if "policy/entropy" in each])  # a restored row lacks it
            is_last = number == config.num_steps
            score = loop.evaluate(number) if is_last or number % config.eval.every == 0 else None
            if is_last or number % config.checkpoint.every == 0:
                loop.save(number, score=score, reward=row["reward/mean"])
    return Outcome(run, rows, run.results())


@names_settings
def open_loop(setup: Setup, observer: Observer, *, stack: ExitStack, resumes_at: int = 0) -> Loop:
    """Start every process; `stack` stops them. Trackers drop their values after the step `resumes_at`."""
    config, run = setup.config, setup.run
    grading = config.reward
    grader = stack.enter_context(
        Grader(extractor=grading.extractor, deadline_s=grading.deadline_s, tests=setup.prompts.tests)
    )
    function = open_reward(grading.function, deadline_s=grading.deadline_s)
    if function is not None:
        stack.enter_context(function)
        require_same(setup.parts, "reward.function", now=function.identity)
    trackers = stack.enter_context(closing(Trackers(config.logging, run, resumes_at=resumes_at)))
    cluster = stack.enter_context(closing(open_cluster(config, logs=run.path / "logs")))
    observer.notice("starting the models and engines")
    sampler = cluster.open_sampler(setup.spec)
    learner = Learner(config, cluster, policy=setup.policy, critic=setup.critic)
    devices = devices_for(config.cluster, sampler=sampler, learner=learner)
    collector = Collector(
        config, run=run, engine=sampler, grader=grader, prompts=setup.prompts.prompts, reward=function or binary_of
    )
    trainer = Trainer(config, collector=collector, learner=learner, sampler=sampler, devices=devices)
    return Loop(setup, observer, trainer=trainer, grader=grader, trackers=trackers)


class Loop:
    """The work around the steps, once every process is running."""

    def __init__(
        self, setup: Setup, observer: Observer, *, trainer: Trainer, grader: Grader, trackers: Trackers
    ) -> None:
        self._setup, self._observer, self._grader, self._trackers = setup, observer, grader, trackers
        self.trainer = trainer
        self.learner = trainer.learner
        events = setup.run.events("warning")
        self._warned = {str(event["sign"]) for event in events if event.get("sign")}

    def step(self, number: int) -> Row:
        """Train, complete the step's rollout file, write its metrics."""
        run = self._setup.run
        try:
            report = self.trainer.step(number, on_committed=self._observer.sampled)
        except NonFiniteError as error:
            raise _with_samples(error, self.trainer, number=number, run=run) from error
        clock = Stopwatch()
        with clock.phase("write"):
            _write_advantages(report, run)
            row = metrics_row(report, self._setup.config)
        row |= {f"time/{name}": seconds for name, seconds in clock.seconds.items()}
        run.append_metrics(row)
        self._trackers.write(row)
        self._observer.stepped(row, self._setup.config.num_steps)
        return row

    def warn(self, rows: Sequence[Row]) -> None:
        """Report each health warning once."""
        for name, text in warnings(rows, self._warned):
            self._warned.add(name)
            self._setup.run.add_event("warning", step=rows[-1]["step"], sign=name, text=text)
            self._observer.warn(text)
            self._start_hook(name, text, step=int(rows[-1]["step"]))
        self._stop_for(rows)

    def _start_hook(self, sign: str, text: str, *, step: int) -> None:
        command, run = self._setup.config.health.hook, self._setup.run
        if command is not None:
            start_hook(command, {"sign": sign, "text": text, "step": step, "run": str(run.path.resolve())}, run=run)

    def _stop_for(self, rows: Sequence[Row]) -> None:
        """Stop also for a sign that was reported before: resuming alone does not bypass it."""
        stop = self._setup.config.health.stop
        for name, text in warnings(rows, set()) if stop else ():
            if name in stop:
                raise RunDirError(
                    f"step {int(rows[-1]['step'])}: stopped by the sign {name} (health.stop): {text}. The last "
                    f"checkpoint is complete; to resume from it, run the same command with another health.stop."
                )

    def evaluate(self, step: int) -> float | None:
        """Mean avg@n over the benchmarks, of the policy in the engines; None without benchmarks."""
        results = self._setup.evaluator.evaluate(
            step,
            digest=self._digest(step),
            engine=self.trainer.sampler,
            grader=self._grader,
            notice=self._observer.notice,
        )
        self._trackers.write_results(results)
        return fmean(result.summary.avg_at_n for result in results) if results else None

    def save(self, step: int, *, score: float | None, reward: float) -> None:
        """Write a checkpoint, then remove those that are no longer kept."""
        config, run = self._setup.config, self._setup.run
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
            checkpoints.save(manifest, self.learner, tokenizer_from=self._setup.policy)
        removed = checkpoints.prune(keep_last=config.checkpoint.keep_last, keep_best=config.checkpoint.keep_best)
        run.add_event("checkpoint", step=step, removed=removed)

    def _digest(self, step: int) -> str:
        """Identity of the policy after a step: evaluations of it, in training and later, belong together."""
        run = self._setup.run
        return base_digest(self._setup.policy) if step == 0 else f"{run.info()['run_id']}:{step}"


def _write_advantages(report: StepReport, run: RunDir) -> None:
    """Add to the step's rows the mean advantage per token and the value of the prompt."""
    batch, values_BT = report.batch, report.scores.values_BT
    means_B = (report.estimate.advantages_BT * batch.mask_BT).sum(dim=1) / batch.mask_BT.sum(dim=1)
    rows = [
        replace(
            row,
            advantage=float(means_B[index]),
            value=None if values_BT is None else float(values_BT[index, 0]),
        )
        for index, row in enumerate(batch.rollouts)
    ]
    run.rollouts(report.step).replace([*rows, *report.collection.set_aside])


def _with_samples(error: NonFiniteError, trainer: Trainer, *, number: int, run: RunDir) -> OrzError:
    """Save the rollouts of the pack in a folder of their own, and name them."""
    rows = trainer.last_batch.rollouts if trainer.last_batch else ()
    pack = [rows[member] for member in error.members]
    folder = RolloutsDir(run.path / "faults" / step_folder(number))
    if pack:
        with folder.lock():
            folder.append(pack)
    names = ", ".join(f"{row.problem_id}#{row.sample_index}" for row in pack[:5])
    return RunDirError(
        f"step {number}: {error}, so the update was stopped before it could destroy the weights. The pack's "
        f"{counted(len(pack), 'sample')} ({names}{', ...' if len(pack) > 5 else ''}) can be read in {folder.path}. "
        f"The last checkpoint is complete: start from it with a lower learning rate and a new --out."
    )
