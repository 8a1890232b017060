"""A run of another trainer from its start to its end: its program, our service beside it, and the run directory."""

from __future__ import annotations

import shlex
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from orz_bench.errors import EngineError, counted
from orz_bench.grading.grader import Grader
from orz_bench.records.rollout import Rollout
from orz_bench.records.run_dir import RunDir
from orz_rl.backends.backend import Job
from orz_rl.backends.external.mapping.shares import nodes, num_gpus
from orz_rl.backends.external.mapping.table import Target
from orz_rl.backends.external.running.conversion import keep_last
from orz_rl.backends.external.running.interpreter import interpreter
from orz_rl.backends.external.running.meter import Meter
from orz_rl.backends.external.running.program import Program, Running, started
from orz_rl.backends.external.running.trainer import Trainer
from orz_rl.backends.external.scoring.preparation import Material, gather
from orz_rl.backends.external.scoring.prompts import Desk
from orz_rl.backends.external.scoring.responses import Reader
from orz_rl.backends.external.scoring.scorer import Scorer
from orz_rl.backends.external.scoring.service import Service, serving
from orz_rl.backends.following.tool import ordered
from orz_rl.rollout.reward_process import binary_of, open_reward
from orz_rl.training.health import warnings
from orz_rl.training.health_hook import start_hook
from orz_rl.training.identity import Maker, check_out, open_run, require_same, start_over
from orz_rl.training.metrics_file import Row, rewind_metrics
from orz_rl.training.progress import Observer, Outcome
from orz_rl.training.step_metrics import sampled_row

_POLL_S = 1.0


def train(trainer: Trainer, job: Job, *, observer: Observer) -> Outcome:
    """Start or resume a run and train to its last step. Raises OrzError as every backend does."""
    config, run = job.config, RunDir(job.out)
    check_out(job.out, fresh=job.fresh)
    material = gather(config, notice=observer.notice)
    with run.lock():
        if job.fresh:
            start_over(run)
        made_by = Maker(trainer.name, job.command)
        open_run(run, config, prompts=material.prompts, made_by=made_by, parts=material.parts, notice=observer.notice)
        with run.writing(stopped_event="stopped", done=counted(config.num_steps, "step")):
            rows = _Life(trainer, job, observer, run=run, material=material).live()
            run.add_event("done", step=config.num_steps)
    return Outcome(run, rows, run.results())


def target_of(trainer: Trainer, job: Job, *, material: Material) -> Target:
    """The run as the trainer sees it, for its next start."""
    folder = RunDir(job.out).path.resolve() / trainer.name
    attempt = 1 + len(list(folder.glob("attempt-*")))
    return Target(config=job.config, policy=material.policy, critic=material.critic, folder=folder, attempt=attempt)


@dataclass
class _Ears:
    """What is heard of a run while its program runs."""

    meter: Meter
    scorer: Scorer
    service: Service


class _Life:
    """One start of a run."""

    def __init__(self, trainer: Trainer, job: Job, observer: Observer, *, run: RunDir, material: Material) -> None:
        self._trainer, self._job, self._observer, self._run = trainer, job, observer, run
        self._config, self._material = job.config, material
        self._target = target_of(trainer, job, material=material)
        self._warned = {str(event["sign"]) for event in run.events("warning") if event.get("sign")}
        self._rows: list[Row] = []

    def live(self) -> list[Row]:
        """The rows of the whole run, at its end."""
        done = self._trainer.last_checkpoint(self._target)
        self._rows = self._rewind(done)
        if done < self._config.num_steps:
            self._prepare(done)
            with self._ears(done) as ears, started(self._program()) as running:
                self._listen(running, ears)
            self._require_end(running)
        else:
            self._observer.notice(f"{self._run.path} is complete: {counted(self._config.num_steps, 'step')}")
        keep_last(self._trainer, self._target, run=self._run, rows=self._rows, notice=self._observer.notice)
        return self._rows

    def _rewind(self, done: int) -> list[Row]:
        """Forget what was sampled after the last checkpoint: it will be sampled again, and differently."""
        for step, folder in self._run.sampled_steps():
            if step > done:
                shutil.rmtree(folder.path)
        return rewind_metrics(self._run, done, notice=self._observer.warn)

    def _prepare(self, done: int) -> None:
        target = self._target
        target.folder.mkdir(parents=True, exist_ok=True)
        (target.folder / f"attempt-{target.attempt:03d}").mkdir()
        self._trainer.write(target)
        if done:
            self._observer.notice(f"resuming after step {done}")
            self._run.add_event("resumed", step=done)

    def _program(self) -> Program:
        target = self._target
        command = self._trainer.command(target, interpreter(self._trainer.requirement))
        log = self._run.path.resolve() / "logs" / f"{self._trainer.name}.log"
        self._observer.notice(f"starting {shlex.join(command)}; its output is in {log}")
        environment = self._trainer.environment(target)
        return Program(command=command, environment=environment, folder=target.folder, log=log)

    @contextmanager
    def _ears(self, done: int) -> Iterator[_Ears]:
        config = self._config
        with ExitStack() as stack:
            grading = config.reward
            tests = self._material.prompts.tests
            grader = stack.enter_context(
                Grader(extractor=grading.extractor, deadline_s=grading.deadline_s, tests=tests)
            )
            function = open_reward(grading.function, deadline_s=grading.deadline_s)
            if function is not None:
                stack.enter_context(function)
                require_same(self._material.parts, "reward.function", now=function.identity)
            reader = Reader(self._target.policy, config.rollout.sampling, max_sequence=config.max_sequence)
            scorer = Scorer(
                config,
                self._run,
                reader=reader,
                grader=grader,
                reward=function or binary_of,
                on_committed=self._observer.sampled,
            )
            desk = Desk(config, self._material.prompts, start=self._taken(done), step=done + 1)
            service = Service(config, desk, scorer)
            is_remote = nodes(num_gpus(config))[0] > 1
            stack.enter_context(serving(service, self._target.service, is_remote=is_remote))
            stack.callback(scorer.flush)
            meter = Meter(
                self._trainer.name,
                metrics=self._trainer.metrics(self._target),
                open_feed=lambda: self._trainer.feed(self._target),
                in_pieces=self._trainer.writes_in_pieces,
            )
            stack.callback(meter.close)
            yield _Ears(meter, scorer, service)

    def _taken(self, done: int) -> int:
        """Problems that the finished steps took: replaced groups are among their rollouts."""
        if not self._config.rollout.dynamic_sampling:
            return done * self._config.rollout.num_problems
        steps = [folder for step, folder in self._run.sampled_steps() if step <= done]
        return sum(len(set(folder.read(["problem_id"])["problem_id"].to_pylist())) for folder in steps)

    def _listen(self, running: Running, ears: _Ears) -> None:
        last_flush = time.monotonic()
        while running.exit_code() is None:
            running.wait(_POLL_S)
            if ears.service.failure is not None:
                raise ears.service.failure
            if time.monotonic() - last_flush > 5 * _POLL_S:
                ears.scorer.flush()
                last_flush = time.monotonic()
            self._record(ears, is_last=False)
        self._record(ears, is_last=True)

    def _record(self, ears: _Ears, *, is_last: bool) -> None:
        for step, learned in ears.meter.rows(is_last=is_last):
            if self._rows and step <= self._rows[-1]["step"]:
                continue
            row = _row(step, learned, rollouts=ears.scorer.complete(step))
            self._rows.append(row)
            self._run.append_metrics(row)
            self._observer.stepped(row, self._config.num_steps)
            self._warn()

    def _warn(self) -> None:
        health, row = self._config.health, self._rows[-1]
        for name, text in warnings(self._rows, self._warned):
            self._warned.add(name)
            self._run.add_event("warning", step=row["step"], sign=name, text=text)
            self._observer.warn(text)
            if health.hook is not None:
                facts: dict[str, str | int] = {"sign": name, "text": text, "step": row["step"]}
                facts["run"] = str(self._run.path.resolve())
                start_hook(health.hook, facts, run=self._run)
        for name, text in warnings(self._rows, set()) if health.stop else ():
            if name in health.stop:
                raise EngineError(
                    f"step {row['step']}: stopped by the sign {name} (health.stop): {text}. To resume from the last "
                    f"checkpoint, run the same command with another health.stop."
                )

    def _require_end(self, running: Running) -> None:
        """Raise EngineError, with its last lines, where the program failed or ended too early."""
        code, last = running.exit_code(), int(self._rows[-1]["step"]) if self._rows else 0
        if code == 0 and last >= self._config.num_steps:
            return
        lines = "".join(f"\n  {line}" for line in running.last_lines())
        again = shlex.join(part for part in self._job.command if part != "--fresh")
        raise EngineError(
            f"{self._trainer.name} ended with code {code} after step {last} of {self._config.num_steps}; it last wrote "
            f"({running.log}):{lines or ' nothing.'}\nResume with:\n  {again}"
        )


def _row(step: int, learned: Mapping[str, float], *, rollouts: Sequence[Rollout]) -> Row:
    """What follows from the rollouts is computed by us; the rest is what the trainer says."""
    return ordered({"step": step, **learned, **(sampled_row(step, rollouts) if rollouts else {})})
