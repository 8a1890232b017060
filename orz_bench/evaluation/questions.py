"""A selection of a benchmark's questions: by id, by date or at random."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from orz_bench.benchmarks.dates import PublicDates
from orz_bench.benchmarks.loading.load import LoadedProblems
from orz_bench.errors import ConfigError, counted, nearest
from orz_bench.records.rollout import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The selected questions; all of them if neither is given."""

    ids: tuple[str, ...] = ()
    sample: int | None = None
    """Number of questions, chosen at random."""
    seed: int = 42
    since: date | None = None
    """Only questions that became public on this day or later, where each has its own date."""

    def of(self, dates: PublicDates | None) -> Selection:
        """For a benchmark with these dates: by date only if it has older questions, and knows which."""
        has_older = dates is not None and dates.by_question and self.since is not None and dates.first < self.since
        return self if has_older else replace(self, since=None)

    def select(self, loaded: LoadedProblems) -> LoadedProblems:
        """The selected problems in their order. ConfigError for an unknown id, both ways at once, too many, or none."""
        if self.ids and self.sample is not None:
            raise ConfigError("--ids and --sample both choose questions; give one of them.")
        if self.since is not None:
            loaded = replace(loaded, problems=self._recent(loaded, self.since))
        if self.ids:
            return replace(loaded, problems=self._named(loaded))
        if self.sample is None:
            return loaded
        total = len(loaded.problems)
        if not 1 <= self.sample <= total:
            raise ConfigError(f"--sample {self.sample}: wanted 1 to {total:,}, the number of questions.")
        places = random.Random(f"questions {self.seed}").sample(range(total), self.sample)
        return replace(loaded, problems=tuple(loaded.problems[place] for place in sorted(places)))

    def describe(self) -> str | None:
        """For the protocol card; None for all questions."""
        chosen = [] if self.since is None else [f"since {self.since}"]
        if self.ids:
            digest = hashlib.sha256("\0".join(sorted(set(self.ids))).encode()).hexdigest()[:12]
            chosen.append(f"{len(set(self.ids))} by id ({digest})")
        if self.sample is not None:
            chosen.append(f"random {self.sample}, seed {self.seed}")
        return ", ".join(chosen) or None

    def _recent(self, loaded: LoadedProblems, since: date) -> tuple[Problem, ...]:
        days = [date.fromisoformat(problem.extra["date"]) for problem in loaded.problems]
        kept = tuple(problem for problem, day in zip(loaded.problems, days, strict=True) if day >= since)
        if not kept:
            raise ConfigError(f"--since {since}: the newest of these questions is of {max(days)}; name an earlier day.")
        return kept

    def _named(self, loaded: LoadedProblems) -> tuple[Problem, ...]:
        known = {problem.problem_id for problem in loaded.problems}
        for name in self.ids:
            if name not in known:
                raise ConfigError(f"--ids {name}: no question has this id{nearest(name, sorted(known))}.")
        return tuple(problem for problem in loaded.problems if problem.problem_id in self.ids)


def total_tokens(lengths: Sequence[int | None], *, max_tokens: int) -> str:
    """`at most 80,000 new tokens`, preceded by the number of prompt tokens if known."""
    known = [length for length in lengths if length is not None]
    prompts = f"{counted(sum(known), 'token')} of prompts, " if known else ""
    return f"{prompts}at most {counted(len(lengths) * max_tokens, 'new token')}"
