"""The reader of event files against the library that writes them."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest
from tensorboardX import SummaryWriter

from orz_bench.exchange.logs.event_files import Scalar, scalars

WRITTEN = [("train/policy_loss", 0.25, 1), ("train/rollout/reward_mean", -3.5, 1), ("eval/x", math.inf, 12345678)]


def _written(folder: Path) -> bytes:
    with SummaryWriter(str(folder)) as writer:
        writer.add_text("train/generated_samples", "Sample: ä\n" * 50, 1)
        for tag, value, step in WRITTEN:
            writer.add_scalar(tag, value, step)
    (path,) = folder.glob("events.out.tfevents.*")
    return path.read_bytes()


def test_what_was_written_is_read(tmp_path: Path) -> None:
    assert list(scalars(bytearray(_written(tmp_path)))) == [Scalar(step, tag, value) for tag, value, step in WRITTEN]


@pytest.mark.parametrize("seed", range(5))
def test_records_come_once_and_whole_however_they_arrive(tmp_path: Path, seed: int) -> None:
    content, rng, rest, found = _written(tmp_path), random.Random(seed), bytearray(), []
    while content:
        size = rng.randrange(1, min(len(content), 200) + 1)
        rest += content[:size]
        content = content[size:]
        found += list(scalars(rest))
    assert [one.tag for one in found] == [tag for tag, _, _ in WRITTEN]
    assert not rest


@pytest.mark.parametrize("seed", range(30))
def test_damaged_bytes_end_it_without_a_wrong_number(tmp_path: Path, seed: int) -> None:
    content, rng = bytearray(_written(tmp_path)), random.Random(seed)
    at = rng.randrange(len(content))
    content[at] ^= 1 << rng.randrange(8)
    found = list(scalars(content))
    assert found == [Scalar(step, tag, value) for tag, value, step in WRITTEN][: len(found)]
    assert len(found) < len(WRITTEN) or at < 40


def test_tensors_of_one_number_are_scalars(tmp_path: Path) -> None:
    """As TensorFlow 2's writers store them."""
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.proto.summary_pb2 import Summary
    from tensorboardX.proto.tensor_pb2 import TensorProto
    from tensorboardX.record_writer import RecordWriter

    tensor = TensorProto(dtype="DT_FLOAT", float_val=[0.5])
    event = Event(step=3, summary=Summary(value=[Summary.Value(tag="train/kl", tensor=tensor)]))
    writer = RecordWriter(str(tmp_path / "events"))
    writer.write(event.SerializeToString())
    writer.close()
    assert list(scalars(bytearray((tmp_path / "events").read_bytes()))) == [Scalar(3, "train/kl", 0.5)]
