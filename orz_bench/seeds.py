"""Seeds that depend on what is sampled, not on when: resuming, sharding and batch order change nothing."""

from __future__ import annotations

import hashlib

SEED_BITS = 48
"""Small enough for every engine and for JSON, large enough that n samples of one prompt practically never share one."""


def continued_seed(seed: int, num_drawn: int) -> int:
    """The seed with which a sample goes on after its first `num_drawn` tokens, where an engine can only begin anew."""
    return int.from_bytes(hashlib.sha256(f"{seed}\x1f{num_drawn}".encode()).digest()[: SEED_BITS // 8], "big")


def sample_seed(run_seed: int, *, step: int, benchmark: str, problem_id: str, sample_index: int) -> int:
    """The seed of one sample, in [0, 2**48)."""
    return _seed_of(f"{run_seed}\x1f{step}\x1f{benchmark}\x1f{problem_id}\x1f{sample_index}")


def stage_seed(seed: int, *, stage: int, branch: int = 0) -> int:
    """The seed of one continuation of a sample that has this seed, in [0, 2**48)."""
    return _seed_of(f"{seed}\x1fstage\x1f{stage}\x1f{branch}")


def text_seed(seed: int, *texts: str) -> int:
    """The seed of an answer to these texts, in [0, 2**48)."""
    return _seed_of("\x1f".join((str(seed), "texts", *texts)))


def _seed_of(what: str) -> int:
    return int.from_bytes(hashlib.sha256(what.encode()).digest()[: SEED_BITS // 8], "big")
