"""The pairs of a blind comparison: for every question of two evaluations one response of each, read from their runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.judging.blind import BlindPair, chosen_sample, in_order
from app.queries.index import RunIndex
from app.queries.keys import RowKey, hash_text
from app.queries.rows import read_rows
from app.queries.sides import Side, side_text
from orz_bench.records.retention import hash_of_response


@dataclass(frozen=True, slots=True, kw_only=True)
class BlindPairs:
    """What there is to judge, and what was left out."""

    pairs: tuple[BlindPair, ...]
    """In the order in which they are judged."""
    num_same: int = 0
    """Questions with the same text on both sides."""
    num_alone: int = 0
    """Questions of one side only."""
    num_dropped: int = 0
    """Questions of which a text is not stored."""


@dataclass(frozen=True, slots=True)
class _Sample:
    key: RowKey
    hash: str | None
    """None: the text is not stored."""


def checkpoints(index: RunIndex, *, run: str) -> list[tuple[str, Side]]:
    """(benchmark, side) of the complete evaluations of a run, by benchmark and step."""
    rows = index.cursor().execute(
        "SELECT DISTINCT benchmark, step, fingerprint FROM rollouts WHERE kind = 'eval' "
        "AND folder NOT IN (FROM incomplete) ORDER BY ALL"
    ).fetchall()  # fmt: skip
    return [(benchmark, Side(run, step, fingerprint)) for benchmark, step, fingerprint in rows]


def blind_pairs(benchmark: str, *, a: tuple[RunIndex, Side], b: tuple[RunIndex, Side]) -> BlindPairs:
    """The pairs of two evaluations of a benchmark. DataError if a part has been deleted meanwhile."""
    ours, theirs = (_samples(index, benchmark, side=side) for index, side in (a, b))
    both = [name for name in ours if name in theirs]
    pairs: list[BlindPair] = []
    num_same = num_dropped = 0
    for name in both:
        hash_a, hash_b = ours[name].hash, theirs[name].hash
        if hash_a is None or hash_b is None:
            num_dropped += 1
        elif hash_a == hash_b:
            num_same += 1
        else:
            pairs.append(
                BlindPair(
                    benchmark=benchmark, problem_id=name, a=ours[name].key, b=theirs[name].key, hash_a=hash_a,
                    hash_b=hash_b,
                )
            )  # fmt: skip
    return BlindPairs(
        pairs=tuple(in_order(pairs)), num_same=num_same, num_alone=len(set(ours) ^ set(theirs)),
        num_dropped=num_dropped,
    )  # fmt: skip


def _samples(index: RunIndex, benchmark: str, *, side: Side) -> Mapping[str, _Sample]:
    """The sample of each question that is compared."""
    rows = index.cursor().execute(
        "SELECT problem_id, list(sample_index), list(id) FROM rollouts "
        "WHERE kind = 'eval' AND benchmark = ? AND step = ? AND fingerprint = ? GROUP BY problem_id",
        [benchmark, side.step, side.fingerprint],
    ).fetchall()  # fmt: skip
    chosen: dict[str, tuple[int, int]] = {}
    for problem, samples, ids in rows:
        number = chosen_sample(samples, checkpoint=side_text(side.at), problem_id=problem)
        chosen[problem] = number, ids[samples.index(number)]
    texts = read_rows(index, [at for _, at in chosen.values()], columns=["completion", "extra"])
    return {
        problem: _Sample(
            RowKey(benchmark, side.step, side.fingerprint, problem, number),
            None if text["completion"] is None
            else hash_text(hash_of_response(text["completion"], text["extra"])),
        )
        for (problem, (number, _)), text in zip(chosen.items(), texts, strict=True)
    }  # fmt: skip
