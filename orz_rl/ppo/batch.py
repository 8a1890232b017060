"""The rollouts of one step as tensors, split into packs for every rank, and put together again.

B rollouts, T response positions (right-padded), R response tokens of one pack. The tokens of all packs of an update are
one buffer, in their order, and each pack is a slice of it; likewise the numbers that belong to them. Rollouts with the
same prompt follow one another in a pack, which holds that prompt once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import torch
from torch import Tensor

from orz_bench.errors import EngineError
from orz_bench.records.arrays import TOKEN_IDS
from orz_bench.records.rollout import Rollout
from orz_rl.ppo.packing import pack_groups
from orz_rl.ppo.packs import Lengths, Pack, PackSlice

Shares = list[list[tuple[int, ...]]]
"""For each rank and each of its packs: the rollouts in it. Ranks have equally many packs; an empty one is a filler."""
_FILLER = Lengths(1, (1,))
"""Two tokens, with weight 0."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The rollouts that one step is trained on."""

    rollouts: tuple[Rollout, ...]
    rewards_B: Tensor
    """0 where the answers' rewards are not learned."""
    group_B: Tensor
    """Equal for the rollouts of one problem."""
    prompts: tuple[int, ...]
    """For each rollout the number of its prompt: equal where a pack may hold it once for several."""
    lengths_B: Tensor
    """Number of response tokens."""
    sampler_logprobs_BT: Tensor
    """NaN where the rows were not sampled for this policy: whoever used them would be stopped."""
    mask_BT: Tensor

    @classmethod
    def of(
        cls,
        rollouts: Sequence[Rollout],
        *,
        share_prompts: bool = True,
        is_sampled: bool = True,
        is_rewarded: bool = True,
    ) -> Batch:
        """From rows with token ids, and log-probabilities if they were sampled. EngineError for a row without them.

        Not `is_rewarded`: something other than the answers' rewards is learned.
        """
        for rollout in rollouts:
            has_logprobs = not is_sampled or rollout.logprobs is not None
            if not rollout.token_ids or not rollout.prompt_token_ids or not has_logprobs:
                raise EngineError(f"{rollout.problem_id}, sample {rollout.sample_index}: no tokens to train on.")
        groups = {problem_id: index for index, problem_id in enumerate(dict.fromkeys(r.problem_id for r in rollouts))}
        lengths_B = torch.tensor([r.num_tokens for r in rollouts], dtype=torch.int64)
        width = max((r.num_tokens for r in rollouts), default=0)
        given = (
            [_array(r.logprobs) for r in rollouts] if is_sampled else [np.full(r.num_tokens, np.nan) for r in rollouts]
        )
        return cls(
            rollouts=tuple(rollouts),
            rewards_B=torch.tensor([(r.reward or 0.0) if is_rewarded else 0.0 for r in rollouts]),
            group_B=torch.tensor([groups[r.problem_id] for r in rollouts], dtype=torch.int64),
            prompts=_numbered_prompts(rollouts) if share_prompts else tuple(range(len(rollouts))),
            lengths_B=lengths_B,
            sampler_logprobs_BT=_padded(given, width=width),
            mask_BT=(torch.arange(width) < lengths_B[:, None]).float(),
        )

    @property
    def sequence_lengths(self) -> list[int]:
        """Prompt and response tokens of each rollout."""
        return [len(r.prompt_token_ids or ()) + r.num_tokens for r in self.rollouts]

    def shares(self, members: Sequence[int], *, capacity: int, num_ranks: int) -> Shares:
        """Packs of these rollouts, dealt to ranks: equally many packs for each, and about equally many tokens."""
        groups: dict[int, list[int]] = {}
        for member in members:
            groups.setdefault(self.prompts[member], []).append(member)
        members_of = list(groups.values())
        sizes = [Lengths(self._prompt_length(chosen[0]), self._responses(chosen)) for chosen in members_of]
        packs = [tuple(members_of[group][place] for group, place in chosen) for chosen in pack_groups(sizes, capacity)]
        loads_of = {chosen: self.num_tokens(chosen) for chosen in packs}
        packs.sort(key=lambda chosen: -loads_of[chosen])
        shares: Shares = [[] for _ in range(num_ranks)]
        per_rank = -(-len(packs) // num_ranks)
        loads = [0] * num_ranks
        for chosen in packs:
            rank = min((r for r in range(num_ranks) if len(shares[r]) < per_rank), key=lambda r: loads[r])
            shares[rank].append(chosen)
            loads[rank] += loads_of[chosen]
        return [share + [()] * (per_rank - len(share)) for share in shares]

    def num_tokens(self, members: Sequence[int]) -> int:
        """Of a pack: each of their prompts once."""
        return sum(each.num_tokens for each in self._in_pack(members))

    def packs(self, shares: Shares) -> list[list[PackSlice]]:
        """The tokens of every rank's packs, slices of one buffer; a filler has two tokens."""
        chosen = [members for share in shares for members in share]
        lengths = [self._in_pack(members) or (_FILLER,) for members in chosen]
        pieces = [piece for members in chosen for piece in (self._tokens(members) or [np.zeros(2, dtype=TOKEN_IDS)])]
        sizes = [sum(each.num_tokens for each in row) for row in lengths]
        slices = torch.from_numpy(np.concatenate(pieces)).split(sizes)
        return _by_rank([PackSlice(tokens, row) for tokens, row in zip(slices, lengths, strict=True)], shares)

    def in_packs(self, values_BT: Tensor, shares: Shares) -> list[list[Tensor]]:
        """The entries of each pack's response tokens, in its order: (R,), slices of one buffer; one 0 for a filler.

        Of shape (R, ...) where an entry is an array.
        """
        rows, lengths = values_BT.numpy(), self._lengths
        filler = np.zeros((1, *rows.shape[2:]), dtype=rows.dtype)
        chosen = [members for share in shares for members in share]
        pieces = [piece for members in chosen for piece in ([rows[m, : lengths[m]] for m in members] or [filler])]
        return self._split(torch.from_numpy(np.concatenate(pieces)), shares)

    def repeated(self, values_B: Tensor, shares: Shares) -> list[list[Tensor]]:
        """The same for one number a rollout, which stands at each of its response tokens."""
        lengths, chosen = self._lengths, [members for share in shares for members in share]
        order = np.array([member for members in chosen for member in (members or (0,))])
        counts = np.array([count for members in chosen for count in ([lengths[m] for m in members] or (1,))])
        is_used = np.array([flag for members in chosen for flag in ([1.0] * len(members) or (0.0,))], dtype=np.float32)
        return self._split(torch.from_numpy(np.repeat(values_B.numpy()[order] * is_used, counts)), shares)

    def pack_of(self, members: Sequence[int]) -> Pack:
        """A single pack."""
        return self.packs([[tuple(members)]])[0][0].to(torch.device("cpu"))

    def in_pack(self, values_BT: Tensor, members: Sequence[int]) -> Tensor:
        """The entries of a single pack's response tokens."""
        return self.in_packs(values_BT, [[tuple(members)]])[0][0]

    def from_packs(
        self, results: Sequence[Sequence[Tensor]], shares: Shares, *, into_BT: Tensor | None = None
    ) -> Tensor:
        """The inverse: from one tensor of shape (R,) per rank and pack to one of shape (B, T), 0 elsewhere."""
        of_entry = next((result.shape[1:] for of_rank in results for result in of_rank), ())
        out_BT = torch.zeros(*self.mask_BT.shape, *of_entry) if into_BT is None else into_BT
        rows, lengths = out_BT.numpy(), self._lengths
        for rank_results, share in zip(results, shares, strict=True):
            for result_R, members in zip(rank_results, share, strict=True):
                values, at = result_R.numpy(), 0
                assert not members or len(values) == sum(lengths[member] for member in members)
                for member in members:
                    rows[member, : lengths[member]] = values[at : at + lengths[member]]
                    at += lengths[member]
        return out_BT

    @property
    def _lengths(self) -> list[int]:
        found: list[int] = self.lengths_B.tolist()
        return found

    def _split(self, buffer: Tensor, shares: Shares) -> list[list[Tensor]]:
        lengths = self._lengths
        sizes = [sum(lengths[member] for member in members) or 1 for share in shares for members in share]
        return _by_rank(list(buffer.split(sizes)), shares)

    def _runs(self, members: Sequence[int]) -> list[list[int]]:
        """Members that follow one another and have the same prompt."""
        return [list(run) for _, run in groupby(members, key=self.prompts.__getitem__)]

    def _in_pack(self, members: Sequence[int]) -> tuple[Lengths, ...]:
        return tuple(Lengths(self._prompt_length(run[0]), self._responses(run)) for run in self._runs(members))

    def _tokens(self, members: Sequence[int]) -> list[Any]:
        pieces = []
        for run in self._runs(members):
            pieces.append(_array(self.rollouts[run[0]].prompt_token_ids))
            pieces.extend(_array(self.rollouts[member].token_ids) for member in run)
        return pieces

    def _prompt_length(self, member: int) -> int:
        return len(_array(self.rollouts[member].prompt_token_ids))

    def _responses(self, members: Sequence[int]) -> tuple[int, ...]:
        return tuple(len(_array(self.rollouts[member].token_ids)) for member in members)


def _numbered_prompts(rollouts: Sequence[Rollout]) -> tuple[int, ...]:
    numbers: dict[bytes, int] = {}
    return tuple(numbers.setdefault(_array(r.prompt_token_ids).tobytes(), len(numbers)) for r in rollouts)


def _array(numbers: Any) -> Any:
    """The buffer of a field that every rollout of a batch has."""
    return numbers.array


def _by_rank(items: Sequence[Any], shares: Shares) -> list[list[Any]]:
    found = iter(items)
    return [[next(found) for _ in share] for share in shares]


def _padded(rows: Sequence[Any], *, width: int) -> Tensor:
    """Rows of different lengths as one tensor, padded with 0 on the right."""
    padded = np.zeros((len(rows), width), dtype=np.float32)
    for index, row in enumerate(rows):
        padded[index, : len(row)] = row
    return torch.from_numpy(padded)


def split(count: int, parts: int, *, generator: torch.Generator) -> list[list[int]]:
    """A random partition of range(count) into parts of nearly equal size, none empty; a single part keeps the order."""
    parts = min(parts, max(1, count))
    if parts == 1:
        return [list(range(count))]
    order = torch.randperm(count, generator=generator)
    return [sorted(part.tolist()) for part in torch.tensor_split(order, parts)]
