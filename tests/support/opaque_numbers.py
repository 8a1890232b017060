"""Rollouts whose tokens and log-probabilities may only be handled as whole buffers."""

from __future__ import annotations

from typing import Any

import numpy as np

from orz_bench.records.arrays import LOGPROBS, TOKEN_IDS, Numbers
from orz_bench.records.rollout import Rollout
from tests.support.builders import a_rollout


class Opaque(Numbers[Any]):
    """Numbers that nobody may look at one by one."""

    __slots__ = ()

    def __iter__(self) -> Any:
        raise AssertionError("read number by number")

    def __getitem__(self, index: Any) -> Any:
        raise AssertionError("read number by number")


def an_opaque_rollout(index: int, *, length: int = 4) -> Rollout:
    """A rollout with `length` tokens."""
    ids = np.arange(10, 10 + length, dtype=np.int32)
    return a_rollout(
        sample_index=index,
        prompt_token_ids=Opaque(np.array([1, 2, 3]), TOKEN_IDS),
        token_ids=Opaque(ids, TOKEN_IDS),
        logprobs=Opaque(-ids / 10, LOGPROBS),
        num_tokens=length,
    )
