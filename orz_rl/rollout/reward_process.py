"""The reward of a run: the binary one, or a function of the user's own in a process that can be killed.

Its time is limited as that of grading: CPU seconds, with wall time as a backstop. Whatever it does other than return a
finite number ends the step with an error that names the rollout: a wrong reward is never trained on.
"""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from orz_bench.errors import ConfigError
from orz_bench.grading.workers.child import start_module
from orz_bench.records.rollout import Completion, Grade, Problem
from orz_rl.ppo.parts import DEFAULT_REWARD, reward_reference
from orz_rl.rollout.rewards import binary

_START_S = 600.0
"""For importing the module, which may load anything."""
_WALL_FACTOR = 30
"""Wall time per CPU time after which a function that does not seem to compute is ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """A rollout to reward, and where it stands."""

    problem: Problem
    completion: Completion
    grade: Grade
    where: str
    """For messages: its problem, sample and step."""


class Reward(Protocol):
    """Gives each rollout its reward, without the overlong penalty."""

    def __call__(self, scored: Scored) -> float:
        """A finite number. ConfigError, with the rollout, where the function does anything else."""
        ...


def binary_of(scored: Scored) -> float:
    """The default reward."""
    return binary(scored.problem, scored.completion, scored.grade)


class RewardProcess:
    """A reward function in a process of its own; a context manager."""

    def __init__(self, name: str, *, deadline_s: float) -> None:
        """Start it and import the function. ConfigError if that fails."""
        self._name, self._deadline_s = name, deadline_s
        reference, self.package = reward_reference(name)
        ours, theirs = socket.socketpair()
        path = [*filter(None, sys.path), str(Path.cwd())]
        with theirs:
            self._process = start_module(
                "orz_rl.rollout.reward_host",
                {"reference": reference, "cpu_s": deadline_s, "path": path},
                descriptor=theirs.fileno(),
            )
        self._connection = Connection(ours.detach())
        self.reference = reference
        self.sha256 = str(self._ask(None, what="cannot be loaded", wall_s=_START_S)["sha256"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __call__(self, scored: Scored) -> float:
        """See Reward."""
        call = (scored.problem, scored.completion, scored.grade)
        return float(self._ask(call, what=f"failed on {scored.where}", wall_s=_WALL_FACTOR * self._deadline_s)["value"])

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        self._connection.close()

    @property
    def identity(self) -> Mapping[str, str]:
        """What a resumed run has to have in common."""
        package = {"package": self.package} if self.package else {}
        return {"function": self.reference, "sha256": self.sha256, **package}

    def _ask(self, message: Any, *, what: str, wall_s: float) -> dict[str, Any]:
        answer: dict[str, Any] = {}
        try:
            if message is not None:
                self._connection.send(message)
            if self._connection.poll(wall_s):
                answer = self._connection.recv()
            else:
                answer = {"fault": f"it took more than {wall_s:g} s"}
        except (EOFError, OSError):
            answer = {"fault": self._how_it_ended()}
        if "fault" in answer:
            self.close()
            raise ConfigError(
                f"reward.function={self._name} {what}: {answer['fault']}. No reward is made up for it: correct the "
                f"function, or use reward.function={DEFAULT_REWARD}."
            )
        return answer

    def _how_it_ended(self) -> str:
        self._process.kill()
        code = self._process.wait()
        if code == -signal.SIGPROF:
            return f"it took more than {self._deadline_s:g} s of CPU time (reward.deadline_s)"
        return f"its process died ({signal.Signals(-code).name if code < 0 else f'exit code {code}'})"


def open_reward(name: str, *, deadline_s: float) -> RewardProcess | None:
    """The function of reward.function, started; None for the default, which needs no process."""
    return None if name == DEFAULT_REWARD else RewardProcess(name, deadline_s=deadline_s)


def checked_identity(name: str, *, deadline_s: float, problem: Problem) -> Mapping[str, str] | None:
    """Import the function, call it on a right and on a missing answer to a problem, and return its identity.

    None for the default. ConfigError for whatever is wrong with the function.
    """
    if name == DEFAULT_REWARD:
        return None
    with closing(RewardProcess(name, deadline_s=deadline_s)) as function:
        for text, is_right in ((f" ... </think> <answer> \\boxed{{{problem.gold}}} </answer>", True), ("", False)):
            function(_trial(problem, text, is_right=is_right))
        return function.identity


def _trial(problem: Problem, text: str, *, is_right: bool) -> Scored:
    completion = Completion(
        problem_id=problem.problem_id,
        sample_index=0,
        seed=0,
        text=text,
        num_tokens=1,
        stop_reason="stop_string" if is_right else "length",
        token_ids=(0,),
        logprobs=(0.0,),
        policy_version=0,
    )
    verdict = "correct" if is_right else "no_answer"
    grade = Grade(
        verdict=verdict,  # type: ignore[arg-type]  # one of the two above
        why="a trial call",
        extracted=problem.gold if is_right else None,
        second_extractor="",
        second_extracted=None,
        second_verdict=verdict,  # type: ignore[arg-type]
    )
    return Scored(
        problem=problem,
        completion=completion,
        grade=grade,
        where=f"a trial call before the run (problem {problem.problem_id}, {'right' if is_right else 'no'} answer)",
    )
