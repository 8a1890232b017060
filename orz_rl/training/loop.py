"""A whole run: resume, train, evaluate, save, and record the outcome; by Trainer.step, or by another trainer's loop."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from orz_bench.errors import OrzError, RunDirError, counted
from orz_bench.grading.grader import Grader
from orz_bench.records.rollout import Rollout
from orz_bench.records.run_dir import RolloutsDir, RunDir, step_folder
from orz_rl.rollout.ahead import Ahead, Place, Steps
from orz_rl.rollout.carried import CarriedSteps, Judging
from orz_rl.rollout.collector import Collector
from orz_rl.rollout.demonstrations import DemonstrationCollector
from orz_rl.rollout.replay import ReplayedSteps
from orz_rl.rollout.reward_process import binary_of, open_reward
from orz_rl.settings.names import names_settings
from orz_rl.training.branch import start_from_parent
from orz_rl.training.checkpoint import Checkpoints, Manifest
from orz_rl.training.devices import SideBySide, devices_for
from orz_rl.training.identity import Maker, check_out, open_run, require_same, start_over
from orz_rl.training.learner import Learner, NonFiniteError
from orz_rl.training.metrics_file import rewind_metrics
from orz_rl.training.preparation import Setup
from orz_rl.training.progress import Observer, Outcome
from orz_rl.training.run_writer import Recorders, RunWriter
from orz_rl.training.step_metrics import Row
from orz_rl.training.trackers import Trackers
from orz_rl.training.trainer import Trainer
from orz_rl.training.trial_checkpoint import try_checkpoint
from orz_rl.workers.cluster import Sampler, WorkerDiedError
from orz_rl.workers.no_engines import NoEngines
from orz_rl.workers.open import open_cluster
from orz_rl.workers.shared import SharedSampler


@dataclass(frozen=True, slots=True)
class Position:
    """Where a run goes on: after this checkpoint (None: from the base model), with these rows of metrics."""

    newest: Manifest | None
    rows: list[Row]

    @property
    def step(self) -> int:
        """The number of steps that are complete."""
        return self.newest.step if self.newest else 0

    @property
    def place(self) -> Place:
        """The next step, its problems, and the weights that will learn it."""
        if self.newest is None:
            return Place(1, 0, 0)
        return Place(self.step + 1, self.newest.cursor, self.newest.policy_version, self.newest.beyond)


class Body(Protocol):
    """What a backend does once its run is open."""

    def __call__(self, setup: Setup, observer: Observer, *, position: Position) -> None:
        """Train from a position to the last step, and append the rows of the steps to those of the position."""
        ...


def train(setup: Setup, *, made_by: Maker, observer: Observer, fresh: bool = False) -> Outcome:
    """Start or resume a run of the native backend and train to its last step; see run_training()."""
    return run_training(
        setup, partial(_train, command=made_by.command), made_by=made_by, observer=observer, fresh=fresh
    )


def run_training(setup: Setup, body: Body, *, made_by: Maker, observer: Observer, fresh: bool) -> Outcome:
    """Start or resume a run and train to its last step.

    Raises OrzError for errors caused by settings, files or a process that died; completed work is always saved.

    The lock is taken first: a run that another process trains is neither read nor changed, and `fresh` deletes an
    existing run only while its lock is held. The run is marked DONE or FAILED unless this process is killed.
    """
    config, run = setup.config, setup.run
    check_out(run.path, fresh=fresh)
    with run.lock():
        if fresh:
            start_over(run)
        open_run(run, config, prompts=setup.prompts, made_by=made_by, parts=setup.parts, notice=observer.notice)
        done = counted(config.num_steps, "step")
        with run.writing(stopped_event="stopped", done=done), _deletes_unfinished(run):
            start_from_parent(run, lineage=made_by.lineage, answers=setup.demonstrations, observer=observer)
            position = _position(setup, observer)
            if position.newest and position.step >= config.num_steps:
                observer.notice(f"{run.path} is complete: {counted(config.num_steps, 'step')}")
            else:
                body(setup, observer, position=position)
            run.add_event("done", step=config.num_steps)
    return Outcome(run, position.rows, run.results())


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


def _position(setup: Setup, observer: Observer) -> Position:
    """Where to go on; what a killed process left incomplete is deleted, and the checkpoint's files are checked."""
    config, checkpoints = setup.config, Checkpoints(setup.run)
    checkpoints.delete_unfinished()
    newest = checkpoints.newest(notice=observer.warn)
    position = Position(newest, rewind_metrics(setup.run, newest.step if newest else 0, notice=observer.warn))
    if newest and position.step < config.num_steps:
        for name in ("policy", "critic") if config.has_critic else ("policy",):
            checkpoints.check_files(newest, f"state/{name}")  # before anything is started
    return position


@names_settings
def _train(setup: Setup, observer: Observer, *, position: Position, command: Sequence[str]) -> None:
    config, run, newest = setup.config, setup.run, position.newest
    if setup.demonstrations is not None:
        setup.demonstrations.store(run.path)
    with ExitStack() as stack:
        with names_command(command):
            loop = open_loop(setup, observer, stack=stack, resumes_at=position.step)
        # Marked before the processes are stopped, which may take long, or fail if they were killed together with this.
        stack.enter_context(run.marks_failure("stopped", is_inner=True))
        stack.enter_context(names_command(command))
        if newest:
            Checkpoints(run).load(newest, loop.learner)
            announce_resuming(run, newest.step, observer=observer)
        else:
            try_checkpoint(run, loop.learner, base=setup.policy)
        loop.trainer.begin(position.place)
        if not newest:
            loop.evaluate(0)
        for number in range(position.step + 1, config.num_steps + 1):
            position.rows.append(loop.step(number))
            loop.conclude(position.rows)


def announce_resuming(run: RunDir, step: int, *, observer: Observer) -> None:
    """Say and record that a run goes on after a step."""
    observer.notice(f"resuming after step {step}")
    run.add_event("resumed", step=step)


@names_settings
def open_loop(setup: Setup, observer: Observer, *, stack: ExitStack, resumes_at: int = 0) -> Loop:
    """Start every process; `stack` stops them. Trackers drop their values after the step `resumes_at`."""
    config, run = setup.config, setup.run
    recorders = open_recorders(setup, stack=stack, resumes_at=resumes_at)
    cluster = stack.enter_context(closing(open_cluster(config, logs=run.path / "logs")))
    observer.notice(f"starting the models{'' if setup.replayed else ' and engines'}")
    sampler = NoEngines() if setup.replayed else cluster.open_sampler(setup.spec)
    shared = SharedSampler(sampler, carries=config.rollout.partial)
    if config.rollout.max_staleness > 0:
        sampler = shared
    learner = Learner(config, cluster, policy=setup.policy, critic=setup.critic, reference=setup.teacher)
    devices = SideBySide() if setup.replayed else devices_for(config.cluster, sampler=sampler, learner=learner)
    judging = Judging(recorders.grader, observer.sampled, recorders.reward)
    ahead = open_steps(setup, judging, sampler=sampler, shared=shared)
    stack.callback(ahead.close)
    trainer = Trainer(config, ahead=ahead, learner=learner, sampler=sampler, devices=devices)
    return Loop(setup, observer, trainer=trainer, recorders=recorders)


def open_steps(setup: Setup, judging: Judging, *, sampler: Sampler, shared: SharedSampler) -> Steps:
    """What gives the trainer the rollouts of its steps."""
    config = setup.config
    if setup.replayed is not None:
        return ReplayedSteps(config, setup.replayed, reward=judging.reward)
    if config.rollout.partial:
        return CarriedSteps(config, run=setup.run, sampler=shared, judging=judging, prompts=setup.prompts.prompts)
    return Ahead(
        partial(_collector(setup, sampler, judging=judging).collect, on_committed=judging.on_committed),
        max_staleness=config.rollout.max_staleness,
        num_steps=config.num_steps,
        interrupt=shared.interrupt,
    )


def _collector(setup: Setup, sampler: Sampler, *, judging: Judging) -> Collector | DemonstrationCollector:
    """What hands out the rollouts of a step: the policy's samples, or stored answers."""
    if setup.demonstrations is not None:
        return DemonstrationCollector(setup.config, setup.demonstrations.rows)
    return Collector(
        setup.config,
        run=setup.run,
        engine=sampler,
        grader=judging.grader,
        prompts=setup.prompts.prompts,
        reward=judging.reward,
    )


def open_recorders(setup: Setup, *, stack: ExitStack, resumes_at: int) -> Recorders:
    """Start the grader, the reward function and the trackers; `stack` stops them."""
    reward = setup.config.reward
    grader = stack.enter_context(
        Grader(extractor=reward.extractor, deadline_s=reward.deadline_s, tests=setup.prompts.tests)
    )
    function = open_reward(reward.function, deadline_s=reward.deadline_s)
    if function is not None:
        stack.enter_context(function)
        require_same(setup.parts, "reward.function", now=function.identity)
    trackers = stack.enter_context(closing(Trackers(setup.config.logging, setup.run, resumes_at=resumes_at)))
    return Recorders(grader, trackers, function or binary_of)


class Loop(RunWriter):
    """The native trainer with the work around its steps."""

    def __init__(self, setup: Setup, observer: Observer, *, trainer: Trainer, recorders: Recorders) -> None:
        super().__init__(setup, observer, trained=trainer, recorders=recorders)
        self.trainer = trainer
        self.learner = trainer.learner

    def step(self, number: int) -> Row:
        """Train, complete the step's rollout file, write its metrics."""
        try:
            report = self.trainer.step(number)
        except NonFiniteError as error:
            rows = self.trainer.last_batch.rollouts if self.trainer.last_batch else ()
            raise with_samples(error, rows, number=number, run=self._setup.run) from error
        return self.record(report)


def with_samples(error: NonFiniteError, rollouts: Sequence[Rollout], *, number: int, run: RunDir) -> OrzError:
    """Save the rollouts of the pack in a folder of their own, and name them."""
    pack = [rollouts[member] for member in error.members] if rollouts else []
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
