"""Near duplicates by their n-grams: MinHash signatures in bands find candidates (LSH), exact sets decide.

Of two questions that are similar, have the same numbers and equal golds, the later one is dropped. Pairs with other
numbers or another gold are mostly different problems made from one template: they are kept, and listed for a person.
Candidates are found on disk, one band at a time, so the memory needed is some bytes a row.

Sources: Broder 1997 (MinHash), Leskovec, Rajaraman, Ullman, Mining of Massive Datasets, section 3.4 (bands).
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from orz_rl.curation.settings import NearSettings
from orz_rl.curation.stages.similar import Candidate, DropsSimilar
from orz_rl.curation.stages.stage import Parts
from orz_rl.curation.texts import NGrams, hash_of, jaccard, ngrams, numbers, tokens_of

NUM_BANDS = 32
ROWS_PER_BAND = 4
"""Two texts of Jaccard similarity s share a band with probability 1 - (1 - s^4)^32: 0.9998 at 0.7, 0.87 at 0.5."""
_SEED = 42
_FULL_BUCKET = 64
"""In a larger bucket a row is compared with the first ones only, so that templates don't cost quadratic time."""
_FIRST_OF_BUCKET = 4

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Near(DropsSimilar):
    """The stage."""

    settings: NearSettings
    name = "near"
    method = "minhash"

    def candidates(self, incoming: Parts, scratch: Path) -> Iterable[Candidate]:
        """See DropsSimilar; looks at the n-grams of all rows."""
        index = written(incoming, scratch, n=self.settings.ngram)
        found = similar_pairs(index, threshold=self.settings.similarity)
        return [Candidate(int(index.rows[i]), int(index.rows[j]), s) for i, j, s in found]


@dataclass(frozen=True, slots=True)
class Index:
    """N-grams and band keys of all rows, on disk."""

    rows: Numbers
    """Row's number of each position."""
    numbers: npt.NDArray[np.uint64]
    """Hash of the numbers in each question."""
    offsets: Numbers
    """Where the n-grams of each row begin, and the end."""
    folder: Path

    def band(self, number: int) -> npt.NDArray[np.uint64]:
        """The keys of one band."""
        return np.fromfile(self.folder / f"band-{number}", dtype=np.uint64)

    def ngrams(self) -> npt.NDArray[np.uint32]:
        """N-grams of all rows, one row after the other."""
        if not self.offsets[-1]:
            return np.zeros(0, dtype=np.uint32)
        return np.memmap(self.folder / "ngrams", dtype=np.uint32, mode="r")


def written(incoming: Parts, folder: Path, *, n: int) -> Index:
    """Write the index of all rows to a folder."""
    rows: list[Numbers] = [np.zeros(0, dtype=np.int64)]
    of_numbers: list[npt.NDArray[np.uint64]] = [np.zeros(0, dtype=np.uint64)]
    sizes: list[Numbers] = [np.zeros(0, dtype=np.int64)]
    with ExitStack() as files:
        bands = [files.enter_context((folder / f"band-{number}").open("wb")) for number in range(NUM_BANDS)]
        sets = files.enter_context((folder / "ngrams").open("wb"))
        for part in incoming:
            rows.append(np.array([row.number for row in part], dtype=np.int64))
            texts = [tokens_of(row.question) for row in part]
            of_numbers.append(np.array([hash_of(numbers(words)) for words in texts], dtype=np.uint64))
            grams = ngrams(texts, n)
            sizes.append(grams.sizes)
            (grams.flat >> np.uint64(32)).astype(np.uint32).tofile(sets)
            for file, keys in zip(bands, band_keys(grams).T, strict=True):
                np.ascontiguousarray(keys).tofile(file)
    return Index(
        rows=np.concatenate(rows),
        numbers=np.concatenate(of_numbers),
        offsets=np.concatenate([[0], np.cumsum(np.concatenate(sizes))]),
        folder=folder,
    )


def band_keys(grams: NGrams) -> npt.NDArray[np.uint64]:
    """For each text the keys of its bands."""
    from rensa import RMinHash

    num_hashes = NUM_BANDS * ROWS_PER_BAND
    if not len(grams):
        return np.zeros((0, NUM_BANDS), dtype=np.uint64)
    digests = RMinHash.digest_matrix_from_flat_token_hashes(
        grams.flat, grams.offsets.astype(np.uint64), num_hashes, _SEED
    )
    signatures = np.array(digests.to_rows(), dtype=np.uint64).reshape(len(grams), NUM_BANDS, ROWS_PER_BAND)
    keys = np.zeros((len(grams), NUM_BANDS), dtype=np.uint64)
    for place in range(ROWS_PER_BAND):
        keys = (keys ^ signatures[:, :, place]) * np.uint64(0x9E3779B97F4A7C15)
        keys ^= keys >> np.uint64(29)
    return keys


def similar_pairs(index: Index, *, threshold: float) -> list[tuple[int, int, float]]:
    """(position, earlier position, similarity) of all candidates whose Jaccard similarity reaches the threshold."""
    known = np.zeros(0, dtype=np.uint64)
    for number in range(NUM_BANDS):
        known = np.union1d(known, candidates_of(index.band(number), index.numbers))
    sets, offsets = index.ngrams(), index.offsets
    found = []
    for packed in known.tolist():
        later, earlier = packed >> 32, packed & 0xFFFFFFFF
        one, other = (sets[offsets[at] : offsets[at + 1]] for at in (later, earlier))
        smaller, larger = sorted((len(one), len(other)))
        if smaller < threshold * larger:
            continue
        similarity = jaccard(one, other)
        if similarity >= threshold:
            found.append((later, earlier, similarity))
    return found


def candidates_of(keys: npt.NDArray[np.uint64], numbers_of: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Pairs of positions with the same key, as later position * 2**32 + earlier position.

    In a large bucket only the first members are compared with all others, those of each set of numbers too.
    """
    order = np.argsort(keys, kind="stable")
    starts, sizes = _runs(keys[order])
    of_two = starts[sizes == 2]
    found = [_packed(order[of_two + 1], order[of_two])]
    for start, size in zip(starts[sizes > 2].tolist(), sizes[sizes > 2].tolist(), strict=True):
        bucket = order[start : start + size]
        if size <= _FULL_BUCKET:
            earlier, later = np.triu_indices(size, k=1)
            found.append(_packed(bucket[later], bucket[earlier]))
            continue
        found.append(_star(bucket))
        by_numbers = bucket[np.argsort(numbers_of[bucket], kind="stable")]
        runs = zip(*(each.tolist() for each in _runs(numbers_of[by_numbers])), strict=True)
        found += [_star(by_numbers[at : at + length]) for at, length in runs if length > 1]
    return np.concatenate(found)


def _runs(ordered: npt.NDArray[np.uint64]) -> tuple[Numbers, Numbers]:
    """(first positions, lengths) of equal values that stand together."""
    is_first = np.ones(len(ordered), dtype=bool)
    is_first[1:] = ordered[1:] != ordered[:-1]
    starts = np.flatnonzero(is_first)
    return starts, np.diff(starts, append=len(ordered))


def _star(positions: npt.NDArray[Any]) -> npt.NDArray[np.uint64]:
    """The first members of a bucket with all later ones."""
    first = min(_FIRST_OF_BUCKET, len(positions))
    earlier = np.tile(np.arange(first), len(positions))
    later = np.repeat(np.arange(len(positions)), first)
    is_pair = earlier < later
    return _packed(positions[later[is_pair]], positions[earlier[is_pair]])


def _packed(later: npt.NDArray[Any], earlier: npt.NDArray[Any]) -> npt.NDArray[np.uint64]:
    return (later.astype(np.uint64) << np.uint64(32)) | earlier.astype(np.uint64)
