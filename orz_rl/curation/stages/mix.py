"""Shares of the sources: which rows of each are in the training file. A row is never repeated.

Rows are chosen by a hash of the seed and their id, so a row that is added to one source changes nothing for another.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from orz_bench.errors import ConfigError, counted, nearest
from orz_rl.curation.rows import Fate, Outcome, Row
from orz_rl.curation.settings import MixSettings
from orz_rl.curation.stages.stage import Decide, Parts


@dataclass(frozen=True, slots=True)
class Mix:
    """The stage."""

    settings: MixSettings
    seed: int
    sources: tuple[str, ...]
    """Names of all sources."""
    name: str = "mix"
    is_local: bool = False

    def __post_init__(self) -> None:
        """ConfigError for a weight of a source that there is not."""
        unknown = next((name for name in self.settings.weights if name not in self.sources), None)
        if unknown is not None:
            raise ConfigError(
                f"mix.weights names {unknown!r}{nearest(unknown, self.sources)}; the sources are "
                f"{', '.join(self.sources)}."
            )

    @contextmanager
    def open(self, incoming: Parts, *, scratch: Path) -> Iterator[Decide]:
        """See Stage; counts the rows of each source."""
        del scratch
        keys: dict[str, list[int]] = {name: [] for name in self.sources}
        for rows in incoming:
            for row in rows:
                keys[row.source].append(order_of(row, self.seed))
        shares = wanted(Counter({name: len(found) for name, found in keys.items()}), self.settings)
        limits = {name: _limit(keys[name], count) for name, count in shares.items()}
        yield lambda rows: Outcome([self._fate(row, limits=limits, shares=shares) for row in rows])

    def _fate(self, row: Row, *, limits: Mapping[str, int], shares: Mapping[str, int]) -> Fate:
        if order_of(row, self.seed) < limits[row.source]:
            return Fate(row=row)
        return Fate(row=row, reason="not_in_mix", evidence={"rows_of_source": shares[row.source]})


def order_of(row: Row, seed: int) -> int:
    """A random place in [0, 2**63) that depends on the seed and the row's id alone."""
    digest = hashlib.blake2b(f"{seed}\x1f{row.id}".encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def wanted(available: Mapping[str, int], settings: MixSettings) -> dict[str, int]:
    """How many rows of each source: in proportion to the weights, as many as every source allows, at most the total."""
    if not settings.weights:
        weights = {name: float(count) for name, count in available.items()}
    else:
        weights = {name: settings.weights.get(name, 0.0) for name in available}
    whole = sum(weights.values())
    missing = next((name for name in settings.weights if not available[name]), None)
    if missing is not None:
        raise ConfigError(f"mix.weights: no row of {missing!r} is left; leave its weight out, or relax a stage.")
    if not whole:
        return dict.fromkeys(available, 0)
    most = min(available[name] * whole / weight for name, weight in weights.items() if weight > 0)
    if settings.total is not None and settings.total > most + 1e-9:
        raise ConfigError(
            f"mix.total is {settings.total:,}, but the sources allow {counted(math.floor(most), 'row')} with these "
            f"weights; lower it, or add rows. No row is repeated."
        )
    total = settings.total if settings.total is not None else math.floor(most + 1e-9)
    exact = {name: total * weight / whole for name, weight in weights.items()}
    counts = {name: math.floor(value + 1e-9) for name, value in exact.items()}
    by_rest = sorted(exact, key=lambda name: (counts[name] - exact[name], name))
    for name in by_rest[: total - sum(counts.values())]:
        counts[name] += 1
    return {name: min(count, available[name]) for name, count in counts.items()}


def _limit(keys: Sequence[int], count: int) -> int:
    """Rows whose place is below it are `count` rows."""
    if count >= len(keys):
        return 1 << 63
    return int(np.partition(np.array(keys, dtype=np.int64), count)[count])
