"""The tokens of one training step as arrays, with what the step's update weighs them with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from orz_bench.errors import DataError
from orz_bench.records.run_dir import RolloutsDir, RunDir

Array = np.ndarray[Any, Any]
Normalisation = Literal["token", "sequence", "constant"]
_LISTS = ("token_ids", "logprobs", "entropies")
_COLUMNS = (*_LISTS, "advantage", "problem_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTokens:
    """B responses with N tokens together."""

    step: int
    lengths: Array
    """(B,)"""
    advantages: Array
    """(B,) Mean advantage of the response's tokens, as the loss had it."""
    token_ids: Array
    """(N,)"""
    logprobs: Array
    entropies: Array
    num_left_out: int
    """Responses without token ids, log-probabilities, entropies or an advantage."""

    @property
    def owners(self) -> Array:
        """(N,) The response of each token."""
        return np.repeat(np.arange(len(self.lengths)), self.lengths)

    @property
    def ends(self) -> Array:
        """(B,) Behind the last token of each response."""
        return np.cumsum(self.lengths)

    def advantage(self) -> Array:
        """(N,) abs(A)."""
        return np.abs(self.advantages)[self.owners]

    def update(self, normalisation: Normalisation) -> Array:
        """(N,) w abs(A) (1 - p): half the L1 norm of the loss' gradient with regard to the logits.

        The weight w is that of the loss: equal for all tokens, or 1 / length where responses weigh the same.
        """
        weights = 1.0 / np.maximum(self.lengths, 1) if normalisation == "sequence" else np.ones(len(self.lengths))
        chance = np.exp(np.minimum(self.logprobs.astype(np.float64), 0.0))
        found: Array = (weights * np.abs(self.advantages))[self.owners] * (1 - chance)
        return found


def step_tokens(step: int, rollouts: RolloutsDir) -> StepTokens | None:
    """The step's tokens; None if no response has all that is needed."""
    table = rollouts.read(list(_COLUMNS))
    known = pa.chunked_array([pa.array([True] * table.num_rows, pa.bool_())])
    for name in (*_LISTS, "advantage"):
        known = pc.and_(known, pc.is_valid(table[name]))
    kept = table.filter(known)
    if not kept.num_rows:
        return None
    lists = {name: kept[name].combine_chunks() for name in _LISTS}
    lengths = {name: pc.list_value_length(column).to_numpy() for name, column in lists.items()}
    if any(not np.array_equal(lengths["token_ids"], found) for found in lengths.values()):
        raise DataError(
            f"{rollouts.path}: responses whose entropies or log-probabilities are not one for each token; restore the "
            f"file from a copy."
        )
    numbers = {name: column.flatten().to_numpy(zero_copy_only=False) for name, column in lists.items()}
    return StepTokens(
        step=step,
        lengths=lengths["token_ids"].astype(np.int64),
        advantages=kept["advantage"].to_numpy(),
        num_left_out=table.num_rows - kept.num_rows,
        **numbers,
    )


def chosen_steps(run: RunDir, *, most: int, wanted: Sequence[int] = ()) -> list[tuple[int, RolloutsDir]]:
    """The run's sampled steps: the wanted ones, or at most so many, evenly spread. DataError for an absent one."""
    found = run.sampled_steps()
    if not found:
        raise DataError(f"{run.path}: has no rollouts of training; name a run of orz-rl train.")
    if wanted:
        known = dict(found)
        absent = [step for step in wanted if step not in known]
        if absent:
            raise DataError(f"{run.path}: has no step {absent[0]}; it has {found[0][0]} to {found[-1][0]}.")
        return [(step, known[step]) for step in wanted]
    places = np.unique(np.linspace(0, len(found) - 1, min(most, len(found))).round().astype(int))
    return [found[place] for place in places.tolist()]
