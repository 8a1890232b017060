"""The rollouts of one step as tensors, split into packs for every rank, and put together again.

B rollouts, T response positions (right-padded), R response tokens of one pack.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from orz_bench.errors import EngineError
from orz_bench.records.rollout import Rollout
from orz_rl.ppo.packed_forward import Pack
from orz_rl.ppo.packing import pack

Shares = list[list[tuple[int, ...]]]
"""For each rank and each of its packs: the rollouts in it. Ranks have equally many packs; an empty one is a filler."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The rollouts that one step is trained on."""

    rollouts: tuple[Rollout, ...]
    rewards_B: Tensor
    group_B: Tensor
    """Equal for the rollouts of one problem."""
    lengths_B: Tensor
    """Number of response tokens."""
    sampler_logprobs_BT: Tensor
    mask_BT: Tensor

    @classmethod
    def of(cls, rollouts: Sequence[Rollout]) -> Batch:
        """From rows with token ids, log-probabilities and rewards. Raises EngineError for a row without them."""
        for rollout in rollouts:
            if not rollout.token_ids or not rollout.prompt_token_ids or rollout.logprobs is None:
                raise EngineError(f"{rollout.problem_id}, sample {rollout.sample_index}: no tokens to train on.")
        groups = {problem_id: index for index, problem_id in enumerate(dict.fromkeys(r.problem_id for r in rollouts))}
        lengths_B = torch.tensor([r.num_tokens for r in rollouts])
        return cls(
            rollouts=tuple(rollouts),
            rewards_B=torch.tensor([r.reward or 0.0 for r in rollouts]),
            group_B=torch.tensor([groups[r.problem_id] for r in rollouts]),
            lengths_B=lengths_B,
            sampler_logprobs_BT=pad([torch.tensor(r.logprobs) for r in rollouts]),
            mask_BT=(torch.arange(int(lengths_B.max())) < lengths_B[:, None]).float(),
        )

    @property
    def sequence_lengths(self) -> list[int]:
        """Prompt and response tokens of each rollout."""
        return [len(r.prompt_token_ids or ()) + r.num_tokens for r in self.rollouts]

    def shares(self, members: Sequence[int], *, capacity: int, num_ranks: int) -> Shares:
        """Packs of these rollouts, dealt to ranks: equally many packs for each, and about equally many tokens."""
        lengths = self.sequence_lengths
        packs = [
            tuple(members[index] for index in chosen)
            for chosen in pack([lengths[member] for member in members], capacity)
        ]
        packs.sort(key=lambda chosen: -sum(lengths[member] for member in chosen))
        shares: Shares = [[] for _ in range(num_ranks)]
        per_rank = -(-len(packs) // num_ranks)
        loads = [0] * num_ranks
        for chosen in packs:
            rank = min((r for r in range(num_ranks) if len(shares[r]) < per_rank), key=lambda r: loads[r])
            shares[rank].append(chosen)
            loads[rank] += sum(lengths[member] for member in chosen)
        return [share + [()] * (per_rank - len(share)) for share in shares]

    def pack_of(self, members: Sequence[int]) -> Pack:
        """The tokens of a pack; a filler has two tokens, with weight 0."""
        chosen = [self.rollouts[member] for member in members]
        return Pack.of([(r.prompt_token_ids or (), r.token_ids or ()) for r in chosen] or [((0,), (0,))])

    def in_pack(self, values_BT: Tensor, members: Sequence[int]) -> Tensor:
        """The entries of a pack's response tokens, in its order. Shape (R,); one 0 for a filler."""
        if not members:
            return torch.zeros(1, dtype=values_BT.dtype)
        return torch.cat([values_BT[member, : int(self.lengths_B[member])] for member in members])

    def from_packs(self, results: Sequence[Sequence[Tensor]], shares: Shares) -> Tensor:
        """The inverse: from one tensor of shape (R,) per rank and pack to one of shape (B, T), 0 elsewhere."""
        out_BT = torch.zeros_like(self.mask_BT)
        for rank_results, share in zip(results, shares, strict=True):
            for result_R, members in zip(rank_results, share, strict=True):
                lengths = [int(self.lengths_B[member]) for member in members]
                if not members:
                    continue
                for member, values in zip(members, result_R.split(lengths), strict=True):
                    out_BT[member, : len(values)] = values
        return out_BT


def pad(rows: Sequence[Tensor]) -> Tensor:
    """Rows of different lengths as one tensor, padded with 0 on the right."""
    return torch.nn.utils.rnn.pad_sequence(list(rows), batch_first=True)


def split(count: int, parts: int, *, generator: torch.Generator) -> list[list[int]]:
    """A random partition of range(count) into parts of nearly equal size; a single part keeps the order."""
    if parts == 1:
        return [list(range(count))]
    order = torch.randperm(count, generator=generator)
    return [sorted(part.tolist()) for part in torch.tensor_split(order, parts)]
