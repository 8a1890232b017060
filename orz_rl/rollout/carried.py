"""The rollouts of the next steps from samples that go on with new weights: nothing waits for the longest answer.

Groups are begun in their order as far as the window allows (window.py), on a thread of its own. Whoever wants the
engines gets them at once: what is unfinished is taken back, and goes on afterwards. Graded samples are kept in the
buffer until a step takes their group; a step's folder is written when it is taken, as a whole. So after a kill the
steps after the checkpoint are those of their folders, the buffer is what is left, and the rest is drawn again.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

from orz_bench.evaluation.recorder import AnswerGrader, Recorder
from orz_bench.extraction.responses import TextFacts
from orz_bench.records.parquet import storable
from orz_bench.records.rollout import Completion, Grade, Request, Rollout
from orz_bench.records.run_dir import RunDir
from orz_rl.config import TrainConfig
from orz_rl.rollout.ahead import Place
from orz_rl.rollout.beside import SamplingThread
from orz_rl.rollout.buffer import POSITION, Buffer, buffer_of, position_of, recorded_steps
from orz_rl.rollout.collector import StepRollouts, check_versions, group_seeds, rewarded_row
from orz_rl.rollout.problems import Prompt, spaced_problem_at
from orz_rl.rollout.reward_process import Reward, binary_of
from orz_rl.rollout.window import spacing_of, window_of

if TYPE_CHECKING:
    from orz_rl.workers.shared import SharedSampler


@dataclass(slots=True)
class _Group:
    """The samples of one problem that are on disk."""

    rows: dict[int, Rollout] = field(default_factory=dict)
    """By sample index."""
    facts: dict[int, TextFacts] = field(default_factory=dict)
    """Of those that were generated now."""
    begun_at: float | None = None
    complete_at: float | None = None


class _Feed(Iterator[Request]):
    """The requests that may be drawn now: it ends when there are none, and goes on when there are some again."""

    def __init__(self, more: Callable[[], list[Request]]) -> None:
        self._more = more
        self._waiting: deque[Request] = deque()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Request:
        if not self._waiting:
            self._waiting.extend(self._more())
        if not self._waiting:
            raise StopIteration
        return self._waiting.popleft()

    def put_back(self, requests: Sequence[Request]) -> None:
        """These are drawn first."""
        self._waiting.extendleft(reversed(requests))

    def has_some(self) -> bool:
        """Whether it would go on."""
        self._waiting.extend(() if self._waiting else self._more())
        return bool(self._waiting)


@dataclass(frozen=True, slots=True)
class Judging:
    """What becomes of completions."""

    grader: AnswerGrader
    on_committed: Callable[[Sequence[Rollout]], None]
    """Called with graded rows that are on disk."""
    reward: Reward = binary_of
    part_seconds: float = 0.25
    """How long a graded sample may wait to be committed: a step waits for it."""


class CarriedSteps:
    """The steps of a run with rollout.partial."""

    def __init__(
        self, config: TrainConfig, *, run: RunDir, sampler: SharedSampler, judging: Judging, prompts: Sequence[Prompt]
    ) -> None:
        self._config, self._run, self._sampler = config, run, sampler
        self._judging, self._prompts = judging, prompts
        self._window = window_of(config)
        self._buffer, self._feed = Buffer(buffer_of(run)), _Feed(self._next_group)
        self._recorder = Recorder(
            self._buffer,
            judging.grader,
            requests=(),
            to_rollout=self._row,
            on_committed=self._committed,
            part_seconds=judging.part_seconds,
        )
        self._groups: dict[int, _Group] = {}
        """By position, as far as they are on disk; those that a step has are not here."""
        self._position_of: dict[tuple[str, int], int] = {}
        """Of the samples that were asked for."""
        self._facts: dict[tuple[str, int], TextFacts] = {}
        """Of samples that are graded and not yet on disk."""
        self._recorded: Container[int] = ()
        """Steps that had been taken before; their folders have their rows."""
        self._place, self._next_position = Place(1, 0, 0), 0
        self._thread = SamplingThread(self._work, interrupt=sampler.interrupt)

    def begin(self, place: Place) -> None:
        """Go on from here, with what is on disk; before anything is sampled."""
        assert not self._thread.has_begun
        self._place, self._next_position = place, place.cursor
        self._window = window_of(self._config, head=place.cursor, beyond=place.beyond)
        with buffer_of(self._run).lock():
            recorded = recorded_steps(self._run, self._config, first=place.step)
            self._recorded = recorded.keys()
            self._window.record(recorded.values())
            rows = [row for row in self._buffer.load() if not self._window.is_taken(position_of(row))]
            if not all(self._window.may_be_learned(version or 0) for row in rows for version in row.versions):
                self._buffer.clear()  # of weights that are no part of the run any more: a step's folder was moved away
                rows = []
            for row in rows:
                self._window.found(position_of(row), version=row.policy_version or 0)
                self._keep(row, None)

    def engines_hold(self, version: int) -> None:
        """The engines have these weights, or newer ones, from now on."""
        self._thread.hold(version)
        self._thread.begin()

    def take(self) -> StepRollouts:
        """The rollouts of the next step, as soon as they are there. Raises the error of their collection."""
        place, folder = self._place, self._run.rollouts(self._place.step)
        groups = self._thread.first(self._full)
        if place.step in self._recorded:
            rows, facts = folder.rows(), dict[tuple[str, int], TextFacts]()
        else:
            rows = [replace(group.rows[n], step=place.step) for group in groups for n in sorted(group.rows)]
            facts = {group.rows[n].key: found for group in groups for n, found in group.facts.items()}
        oldest = max(0, place.policy_version - self._config.rollout.max_staleness)
        check_versions(rows, range(oldest, place.policy_version + 1), where=folder.path.name)
        if place.step not in self._recorded:
            with folder.lock():
                folder.replace(rows)
            self._buffer.forget(self._window.is_taken)
        cursor, beyond = self._window.head, self._window.beyond
        self._place = Place(place.step + 1, cursor, place.policy_version + 1, beyond)
        return StepRollouts(
            tuple(rows),
            cursor,
            num_replaced=0,
            num_generated=len(facts),
            seconds_ahead=_seconds_of(groups),
            text_facts=facts,
            beyond=beyond,
        )

    def close(self) -> None:
        """Stop sampling; what was graded is on disk."""
        self._thread.close()

    def _full(self) -> list[_Group] | None:
        """The groups of the next step, if they are complete; none of them is here if its folder has them."""
        positions = self._window.take()
        if positions is None:
            return None
        return [self._groups.pop(position) for position in positions if position in self._groups]

    def _work(self) -> None:
        with buffer_of(self._run).lock(), self._recorder as recorder:
            while self._has_some():
                recorder.add_all(filter(None, self._turn()))

    def _has_some(self) -> bool:
        """Wait until something may be drawn; False if the run ends."""
        with self._thread.changed:
            self._thread.changed.wait_for(lambda: self._thread.is_closed or self._feed.has_some())
            return not self._thread.is_closed

    def _turn(self) -> Iterator[list[Completion]]:
        """Draw until everything is complete, or another thread wants the engines."""
        unfinished = yield from self._sampler.draw(self._feed, self._config.rollout.sampling)
        self._feed.put_back(unfinished)

    def _next_group(self) -> list[Request]:
        """What is missing of the next group that may begin; nothing if none may."""
        with self._thread.changed:
            while (position := self._begun()) is not None:
                group = self._groups.setdefault(position, _Group())
                missing = [each for each in self._requests(position) if each.sample_index not in group.rows]
                if missing:
                    group.begun_at = time.perf_counter()
                    self._position_of.update((request.key, position) for request in missing)
                    self._recorder.expect(missing)
                    return missing
        return []

    def _begun(self) -> int | None:
        """The next group that no step has, if it may begin now."""
        last = self._config.num_steps * self._config.rollout.num_problems
        while self._window.is_taken(self._next_position):
            self._next_position += 1
        position = self._next_position
        if position >= last or not self._window.begin(position, version=self._thread.engines_hold):
            return None
        self._next_position += 1
        return position

    def _requests(self, position: int) -> list[Request]:
        """The group at a position; its seeds are those of the step that it would be in without overtaking."""
        rollout, seed = self._config.rollout, self._config.seed
        apart = spacing_of(self._config)
        prompt = self._prompts[spaced_problem_at(position, len(self._prompts), seed=seed, apart=apart)]
        seeds = group_seeds(
            seed, step=self._own_step(position), problem_id=prompt.problem.problem_id, count=rollout.num_samples
        )
        return Request.group(prompt.problem, prompt=prompt.text, prompt_token_ids=prompt.token_ids, seeds=seeds)

    def _own_step(self, position: int) -> int:
        return position // self._config.rollout.num_problems + 1

    def _row(self, request: Request, completion: Completion, *, grade: Grade) -> Rollout:
        """On the recorder's thread, while the engines sample. Its text is as it will be read from the file."""
        completion = replace(completion, text=storable(completion.text))
        self._facts[request.key] = TextFacts.of(completion.text)
        position = self._position_of[request.key]
        row = rewarded_row(
            request,
            completion,
            grade=grade,
            step=self._own_step(position),
            reward=self._judging.reward,
            config=self._config,
        )
        return replace(row, extra={**row.extra, POSITION: position})

    def _committed(self, rows: Sequence[Rollout]) -> None:
        with self._thread.changed:
            for row in rows:
                del self._position_of[row.key]
                self._keep(row, self._facts.pop(row.key))
            self._thread.changed.notify_all()
        self._judging.on_committed(rows)

    def _keep(self, row: Rollout, facts: TextFacts | None) -> None:
        """Add it to its group."""
        position = position_of(row)
        group = self._groups.setdefault(position, _Group())
        group.rows[row.sample_index] = row
        if facts is not None:
            group.facts[row.sample_index] = facts
        if len(group.rows) == self._config.rollout.num_samples:
            group.complete_at = time.perf_counter()
            self._window.complete(position)


def _seconds_of(groups: Sequence[_Group]) -> float | None:
    """From the first of their requests to their last row on disk; None if none was asked for now."""
    begun = [group.begun_at for group in groups if group.begun_at is not None]
    complete = [group.complete_at for group in groups if group.complete_at is not None]
    return max(complete) - min(begun) if begun else None
