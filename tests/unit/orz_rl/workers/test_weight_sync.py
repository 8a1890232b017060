"""Buckets return the tensors that were packed, whatever their size, also after a broadcast between processes."""

from __future__ import annotations

import pickle
from datetime import timedelta
from typing import Any

import pytest
import torch

from orz_rl.workers.weight_sync import (
    BroadcastWeights,
    HostWeights,
    bucket_handle,
    fill_buckets,
    plan_buckets,
    type_name,
    unpack_bucket,
)
from tests.support.preloaded import FORKED


def some_weights() -> list[tuple[str, torch.Tensor]]:
    generator = torch.Generator().manual_seed(0)
    shapes: list[tuple[tuple[int, ...], torch.dtype]] = [
        ((7, 3), torch.float32),
        ((5,), torch.bfloat16),
        ((), torch.float32),
        ((1,), torch.bfloat16),
        ((33, 9), torch.float32),
        ((2, 2, 2), torch.bfloat16),
    ]
    return [
        (f"w{index}", torch.randn(shape, generator=generator).to(dtype)) for index, (shape, dtype) in enumerate(shapes)
    ]


def layout(weights: list[tuple[str, torch.Tensor]], max_bytes: int) -> Any:
    return plan_buckets(((name, tuple(t.shape), type_name(t)) for name, t in weights), max_bytes=max_bytes)


def equal(found: list[tuple[str, torch.Tensor]], wanted: list[tuple[str, torch.Tensor]]) -> bool:
    return [name for name, _ in found] == [name for name, _ in wanted] and all(
        left.dtype == right.dtype and torch.equal(left, right)
        for (_, left), (_, right) in zip(found, wanted, strict=True)
    )


@pytest.mark.parametrize(("max_bytes", "num_buckets"), [(1, 6), (100, 4), (200, 3), (2**20, 1)])
def test_unpacking_gives_what_was_packed(max_bytes: int, num_buckets: int) -> None:
    weights = some_weights()
    buckets = layout(weights, max_bytes)
    buffers = list(fill_buckets(buckets, weights))
    found = [
        pair
        for entries, buffer in zip(buckets, buffers, strict=True)
        for pair in unpack_bucket(entries, buffer, device="cpu")
    ]
    assert equal(found, weights)
    assert all(
        len(entries) == 1 or buffer.numel() <= max_bytes for entries, buffer in zip(buckets, buffers, strict=True)
    )
    assert len(buckets) == num_buckets


def test_what_is_unpacked_does_not_change_with_the_buffer() -> None:
    weights = some_weights()
    (entries,) = layout(weights, 2**20)
    (buffer,) = fill_buckets((entries,), weights)
    found = list(unpack_bucket(entries, buffer, device="cpu"))
    buffer.zero_()
    assert equal(found, weights)


def test_a_tensor_that_is_not_contiguous_is_sent_right() -> None:
    weights = [("w", torch.arange(12.0).reshape(3, 4).T)]
    (entries,) = layout(weights, 2**20)
    (buffer,) = fill_buckets((entries,), weights)
    assert equal(list(unpack_bucket(entries, buffer, device="cpu")), weights)


def test_host_weights_survive_a_pickle() -> None:
    source = pickle.loads(pickle.dumps(HostWeights.of(some_weights())))
    assert equal(list(source.tensors("cpu")), some_weights())


def receive(source: BroadcastWeights, rounds: int, results: Any) -> None:
    for _ in range(rounds):
        found = list(source.tensors("cpu"))
        results.put([(name, tensor.float().sum().item()) for name, tensor in found])


def receive_handle(handle: bytes, results: Any) -> None:
    entries, buffer = pickle.loads(handle)
    results.put([(name, tensor.float().sum().item()) for name, tensor in unpack_bucket(entries, buffer, device="cpu")])


def test_a_broadcast_reaches_every_receiver_time_after_time() -> None:
    """Each bucket has to arrive whole, and the second sync to use the first one's group."""
    weights = some_weights()
    store = torch.distributed.TCPStore(
        "127.0.0.1", 0, is_master=True, timeout=timedelta(seconds=1000), wait_for_workers=False
    )
    sources = [
        BroadcastWeights("127.0.0.1", store.port, rank, num_ranks=3, buckets=layout(weights, 100)) for rank in range(3)
    ]
    results = FORKED.Queue()
    receivers = [FORKED.Process(target=receive, args=(source, 2, results)) for source in sources[1:]]
    for receiver in receivers:
        receiver.start()
    for factor in (1, 2):
        sources[0].send(fill_buckets(sources[0].buckets, ((name, tensor * factor) for name, tensor in weights)))
    found = [results.get(timeout=1000) for _ in range(4)]
    for receiver in receivers:
        receiver.join(1000)
        assert receiver.exitcode == 0
    wanted = [[(name, (tensor * factor).float().sum().item()) for name, tensor in weights] for factor in (1, 1, 2, 2)]
    assert sorted(found) == sorted(wanted)


def test_a_handle_maps_the_bucket_in_another_process() -> None:
    weights = some_weights()
    (entries,) = layout(weights, 2**20)
    (buffer,) = fill_buckets((entries,), weights)
    results = FORKED.Queue()
    process = FORKED.Process(target=receive_handle, args=(bucket_handle(entries, buffer), results))
    process.start()
    assert results.get(timeout=1000) == [(name, tensor.float().sum().item()) for name, tensor in weights]
    process.join(1000)
    assert process.exitcode == 0
