"""Rollouts become packs for every rank and come back in their places."""

from __future__ import annotations

import pickle
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from orz_bench.errors import EngineError
from orz_bench.records import parquet
from orz_bench.records.rollout import Rollout
from orz_rl.ppo.batch import Batch, Shares, split
from orz_rl.ppo.packed_forward import Pack
from orz_rl.workers.messages import CriticPack, PolicyPack
from tests.support.builders import a_rollout
from tests.support.opaque_numbers import an_opaque_rollout


def a_sampled(
    problem: str, index: int, *, length: int, reward: float = 1.0, prompt: tuple[int, ...] = (1, 2, 3)
) -> Rollout:
    return a_rollout(
        problem_id=problem,
        sample_index=index,
        prompt_token_ids=prompt,
        token_ids=tuple(range(10, 10 + length)),
        logprobs=tuple(-0.1 * n for n in range(length)),
        num_tokens=length,
        reward=reward,
    )


def test_a_batch_holds_what_the_rollouts_say() -> None:
    batch = Batch.of(
        [a_sampled("a", 0, length=2), a_sampled("a", 1, length=4, reward=0.0), a_sampled("b", 0, length=1)]
    )
    assert batch.rewards_B.tolist() == [1.0, 0.0, 1.0]
    assert batch.group_B.tolist() == [0, 0, 1]
    assert batch.mask_BT.tolist() == [[1, 1, 0, 0], [1, 1, 1, 1], [1, 0, 0, 0]]
    assert batch.sequence_lengths == [5, 7, 4]
    assert batch.sampler_logprobs_BT[1].tolist() == pytest.approx([0, -0.1, -0.2, -0.3])


@pytest.mark.parametrize("missing", [{"token_ids": ()}, {"prompt_token_ids": ()}, {"logprobs": None}])
def test_a_rollout_that_lacks_one_of_the_three_is_refused(missing: dict[str, Any]) -> None:
    whole = a_sampled("p0", 0, length=2)
    assert Batch.of([whole]).lengths_B.tolist() == [2]
    missing |= {"num_tokens": 0, "logprobs": ()} if "token_ids" in missing else {}
    with pytest.raises(EngineError, match="p0, sample 0: no tokens"):
        Batch.of([whole, replace(whole, **missing)])


def test_a_pack_holds_prompts_and_responses_and_a_filler_one_token_of_each() -> None:
    batch = Batch.of([a_sampled("a", 0, length=2), a_sampled("b", 0, length=3)])
    responses = [rollout.token_ids or () for rollout in batch.rollouts]
    unshared = replace(batch, prompts=(0, 1))
    for of, members, texts in (
        (batch, [1], [((1, 2, 3), responses[1])]),
        (batch, [1, 0], [((1, 2, 3), responses[1], responses[0])]),
        (unshared, [1, 0], [((1, 2, 3), responses[1]), ((1, 2, 3), responses[0])]),
    ):
        found, wanted = of.pack_of(members), Pack.of(texts)
        assert found.lengths == wanted.lengths
        for name in ("tokens_N", "positions_N", "targets_R", "sources_R"):
            assert torch.equal(getattr(found, name), getattr(wanted, name)), name
        assert of.num_tokens(members) == len(wanted.tokens_N)
    assert len(batch.pack_of([]).tokens_N) == 2
    assert batch.in_pack(batch.mask_BT, []).tolist() == [0.0]


def test_ranks_get_as_many_packs_and_about_as_many_tokens() -> None:
    lengths = [9, 8, 7, 6, 1, 1]
    rollouts = [a_sampled("p", index, length=length) for index, length in enumerate(lengths)]
    batch = Batch.of(rollouts, share_prompts=False)
    shares = batch.shares(list(range(6)), capacity=12, num_ranks=2)
    tokens = [[sum(lengths[member] + 3 for member in pack) for pack in share] for share in shares]
    assert tokens == [[12, 9, 8], [11, 10, 0]]
    spare = batch.shares([0, 1, 2], capacity=12, num_ranks=2)
    assert [len(share) for share in spare] == [2, 2]
    assert sum(pack == () for share in spare for pack in share) == 1


GROUPS = st.lists(st.tuples(st.integers(1, 3), st.integers(1, 9)), min_size=1, max_size=20)
"""For each rollout: the length of its prompt, which names its problem, and of its response."""


@given(GROUPS, st.integers(12, 40), st.integers(1, 4), st.booleans())
def test_dealing_and_gathering_is_the_identity(
    sizes: list[tuple[int, int]], capacity: int, num_ranks: int, share_prompts: bool
) -> None:
    rollouts = [
        a_sampled(f"p{prompt}", index, length=length, prompt=(7,) * prompt)
        for index, (prompt, length) in enumerate(sizes)
    ]
    batch = Batch.of(rollouts, share_prompts=share_prompts)
    shares = batch.shares(list(range(len(sizes))), capacity=capacity, num_ranks=num_ranks)
    assert len({len(share) for share in shares}) == 1
    assert sorted(member for share in shares for pack in share for member in pack) == list(range(len(sizes)))
    for members in (members for share in shares for members in share if members):
        prompts = {sizes[m][0] for m in members} if share_prompts else [sizes[m][0] for m in members]
        wanted = sum(prompts) + sum(sizes[m][1] for m in members)
        assert batch.num_tokens(members) == len(batch.pack_of(members).tokens_N) == wanted <= capacity
    values = torch.arange(batch.mask_BT.numel()).reshape(batch.mask_BT.shape).float() * batch.mask_BT
    results = [[batch.in_pack(values, members) for members in share] for share in shares]
    assert torch.equal(batch.from_packs(results, shares), values)
    for share in shares:
        for members in share:
            assert len(batch.pack_of(members).targets_R) == len(batch.in_pack(values, members))


@given(st.integers(1, 50), st.integers(1, 12))
def test_updates_share_the_rollouts_out(count: int, parts: int) -> None:
    split_up = split(count, min(parts, count), generator=torch.Generator().manual_seed(0))
    assert sorted(index for part in split_up for index in part) == list(range(count))
    assert len(split_up) == min(parts, count)
    assert max(map(len, split_up)) - min(map(len, split_up)) <= 1
    assert all(part == sorted(part) for part in split_up)


def test_nothing_is_read_token_by_token_between_the_engine_and_the_packs(tmp_path: Path) -> None:
    written = [an_opaque_rollout(index, length=index + 1) for index in range(4)]
    parquet.write_part(tmp_path, written)
    batch = Batch.of(written)
    packs = batch.packs([[(0, 2), (1,)], [(3,), ()]])
    assert [pack.num_targets for share in packs for pack in share] == [4, 2, 4, 1]


def test_packs_of_an_update_are_slices_of_one_buffer_and_only_the_slice_is_sent() -> None:
    batch = Batch.of([a_sampled("p", index, length=1000) for index in range(8)])
    shares: Shares = [[(0, 1), (2,)], [(7,), (4, 5)]]
    packs = batch.packs(shares)
    buffers = {pack.tokens_N.untyped_storage().data_ptr() for share in packs for pack in share}
    assert len(buffers) == 1
    sent = pickle.dumps(packs[0][1], protocol=5)
    assert len(sent) < 4 * 1003 + 500
    assert [len(pack.tokens_N) for share in packs for pack in share] == [2003, 1003, 1003, 2003]
    assert torch.equal(pickle.loads(sent).to(torch.device("cpu")).tokens_N, batch.pack_of([2]).tokens_N)
    values = torch.arange(8.0)[:, None] + torch.zeros_like(batch.mask_BT)
    for found in (batch.in_packs(values, shares), batch.repeated(torch.arange(8.0), shares)):
        assert [[part.unique().tolist() for part in share] for share in found] == [[[0, 1], [2]], [[7], [4, 5]]]
        assert len({part.untyped_storage().data_ptr() for share in found for part in share}) == 1
    weights = batch.repeated(torch.ones(8), [[(1,), ()]])
    assert [part.tolist() for part in weights[0]] == [[1.0] * 1000, [0.0]]


@pytest.mark.parametrize("kind", [PolicyPack, CriticPack])
def test_a_sent_item_has_its_own_numbers_and_may_be_changed(kind: type[Any]) -> None:
    buffer = torch.arange(1000.0)
    names = [each.name for each in fields(kind) if each.name != "pack"]
    pack = Batch.of([a_sampled("p", 0, length=3)]).packs([[(0,)]])[0][0]
    item = kind(pack=pack, **{name: buffer[at : at + 3] for at, name in enumerate(names)})
    sent = pickle.dumps(item, protocol=5)
    assert len(sent) < 2000
    received = pickle.loads(sent)
    for at, name in enumerate(names):
        values = getattr(received, name)
        values += 1
        assert values.tolist() == [at + 1, at + 2, at + 3]
    assert buffer.tolist() == list(range(1000))
