"""Measures of rollouts in separate files: one per part, written atomically, deletable at any time.

They are in the side folder of the runs folder (app.judging.side_folder), never in a run. A file's name contains the
size and time of its part, so a replaced part is measured again and the old file is removed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from app.queries.measures import VERSION, measure_part
from app.queries.parts import Folder, Part

Progress = Callable[[int, int], None]
"""(parts done, total parts)."""


@dataclass(frozen=True, slots=True)
class MeasureFiles:
    """The measures of one run, in `root`."""

    run: Path
    root: Path

    @classmethod
    def of(cls, run: Path, *, name: str, side: Path) -> MeasureFiles:
        """The measures of the run with that name (its path below the runs folder), in the side folder."""
        return cls(run, side / f"measures-v{VERSION}" / name)

    def path(self, part: Part) -> Path:
        """Where the measures of this part are, or will be."""
        return self._folder(part) / f"{part.stamp}.parquet"

    def measured(self, parts: Sequence[Part]) -> dict[Part, Path]:
        """The parts whose measures exist."""
        there: set[Path] = set()
        for folder in {self._folder(part) for part in parts}:
            there |= {folder / name for name in _names(folder)}
        return {part: path for part in parts if (path := self.path(part)) in there}

    def write(self, part: Part) -> bool:
        """Compute and store the measures of a part; False if it is damaged or missing. OSError for a full disk."""
        try:
            table = measure_part(part.path)
        except (pa.ArrowException, OSError, ValueError):
            return False
        target = self.path(part)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        try:
            pq.write_table(table, temporary, compression="zstd")
            temporary.replace(target)
            return True
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def update(self, folders: Sequence[Folder], *, progress: Progress | None = None) -> int:
        """Measure the parts without measures; return the number of measured parts. Damaged parts are skipped.

        Files of parts that no longer exist are deleted.
        """
        parts = [part for folder in folders for part in folder.parts]
        missing = [part for part in parts if part not in self.measured(parts)]
        for number, part in enumerate(missing, start=1):
            self.write(part)
            if progress is not None:
                progress(len(parts) - len(missing) + number, len(parts))
        self._remove_stale(parts)
        return len(self.measured(parts))

    def _remove_stale(self, parts: Sequence[Part]) -> None:
        wanted = {self.path(part) for part in parts}
        for folder in {path.parent for path in wanted}:
            for name in _names(folder):
                if name.endswith(".parquet") and folder / name not in wanted:
                    (folder / name).unlink(missing_ok=True)

    def _folder(self, part: Part) -> Path:
        return self.root / part.path.parent.relative_to(self.run)


def _names(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir()]
    except OSError:
        return []
