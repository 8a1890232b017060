"""Values that a critic gives to the tokens of stored rollouts, in a folder beside them: one folder for each critic.

    evals/<benchmark>/step=000120/<fingerprint>/values/<critic>/part-*.parquet, critic.json
    rollouts/step=000120/values/<critic>/part-*.parquet, critic.json

Values of different critics are in different folders, and never in one table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from orz_bench.errors import ConfigError, RunDirError, counted
from orz_bench.records.arrays import LOGPROBS, TOKEN_IDS, Numbers, from_column, to_column
from orz_bench.records.parquet import part_files, write_parquet
from orz_bench.records.regular import require_regular
from orz_bench.records.run_dir import EvaluationDir, RolloutsDir, read_json, to_json, write_text

VALUES_SCHEMA_VERSION = 1
_SCHEMA_KEY = b"orz_values_schema"
_FOLDER, _CARD = "values", "critic.json"

VALUES_SCHEMA = pa.schema(
    [
        ("problem_id", pa.string()),
        ("sample_index", pa.int32()),
        ("values", pa.list_(pa.float32())),
        ("char_ends", pa.list_(pa.int32())),
        ("token_ids", pa.list_(pa.int32())),
    ],
    metadata={_SCHEMA_KEY: str(VALUES_SCHEMA_VERSION)},
)

Assessment = Literal["final", "minimum", "mean"]
"""Which number of a response's values stands for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueSummary:
    """A response's values in three numbers."""

    final: float
    """Before the last token."""
    minimum: float
    mean: float

    @classmethod
    def of(cls, values: Numbers[float]) -> ValueSummary:
        """All are 0 for a response without tokens."""
        if not len(values):
            return cls(final=0.0, minimum=0.0, mean=0.0)
        array = values.array.astype(np.float64)
        return cls(final=float(array[-1]), minimum=float(array.min()), mean=float(array.mean()))


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenValues:
    """The values of one response."""

    problem_id: str
    sample_index: int
    values: Numbers[float]
    """One per token: the expected reward before that token, given the prompt and all tokens before it."""
    char_ends: Numbers[int]
    """One per token: the number of the completion's characters up to its end."""
    token_ids: Numbers[int] | None = None
    """Only if the rollout has none, and its text was tokenised again."""

    @property
    def key(self) -> tuple[str, int]:
        """(problem id, sample index): unique within one folder of rollouts."""
        return (self.problem_id, self.sample_index)


@dataclass(frozen=True, slots=True, kw_only=True)
class CriticCard:
    """Which critic gave values, and how: what can move one of them."""

    digest: str
    """Of all weights, the configuration and the tokenizer."""
    dtype: str
    format: str
    """Name of the critic's file format."""
    path: str
    """Where it was; not part of its identity."""

    @property
    def identity(self) -> Mapping[str, str]:
        """What two cards of one critic have in common."""
        return {name: value for name, value in asdict(self).items() if name != "path"}


@dataclass(frozen=True, slots=True)
class ValuesDir:
    """The values that one critic gave to the rollouts of one folder."""

    path: Path

    @classmethod
    def beside(cls, rollouts: RolloutsDir, digest: str) -> ValuesDir:
        """The folder for the critic with this digest."""
        return cls(rollouts.path / _FOLDER / digest)

    def card(self) -> CriticCard:
        """The critic. RunDirError for a file that is not such a card."""
        path = self.path / _CARD
        content = read_json(path)
        names = [each.name for each in fields(CriticCard)]
        if not all(isinstance(content.get(name), str) for name in names):
            raise RunDirError(f"{path}: not the card of a critic (wanted {', '.join(names)}); delete its folder.")
        return CriticCard(**{name: content[name] for name in names})

    def open(self, card: CriticCard) -> None:
        """Create the folder, or join it. ConfigError if its values are of another computation."""
        self.path.mkdir(parents=True, exist_ok=True)
        if not (self.path / _CARD).exists():
            write_text(self.path / _CARD, to_json(asdict(card)))
            return
        found = self.card().identity
        differing = [
            f"{name} {found[name]}, now {value}" for name, value in card.identity.items() if found[name] != value
        ]
        if differing:
            raise ConfigError(
                f"{self.path}: holds values computed otherwise ({'; '.join(differing)}), which are never mixed; use "
                f"the same settings, or delete this folder."
            )

    def append(self, rows: Sequence[TokenValues]) -> None:
        """Commit these rows as one part."""
        ids = [row.token_ids for row in rows]
        columns = {
            "problem_id": pa.array([row.problem_id for row in rows], pa.string()),
            "sample_index": pa.array([row.sample_index for row in rows], pa.int32()),
            "values": to_column([row.values for row in rows], VALUES_SCHEMA.field("values").type),
            "char_ends": to_column([row.char_ends for row in rows], VALUES_SCHEMA.field("char_ends").type),
            "token_ids": to_column(ids, VALUES_SCHEMA.field("token_ids").type),
        }
        write_parquet(self.path, pa.table(columns, schema=VALUES_SCHEMA), floats=("values.list.element",))

    def paths(self) -> list[Path]:
        """The finished parts."""
        return part_files(self.path)

    def keys(self) -> set[tuple[str, int]]:
        """(problem id, sample index) of every row."""
        tables = [_read(path, ["problem_id", "sample_index"]) for path in self.paths()]
        return {
            key
            for table in tables
            for key in zip(table["problem_id"].to_pylist(), table["sample_index"].to_pylist(), strict=True)
        }

    def read(self) -> dict[tuple[str, int], TokenValues]:
        """Every row by its key. RunDirError for a part that cannot be read, and for a row that is there twice."""
        found: dict[tuple[str, int], TokenValues] = {}
        for path in self.paths():
            for row in _rows(_read(path, VALUES_SCHEMA.names)):
                if row.key in found:
                    raise RunDirError(f"{path}: sample {row.sample_index} of {row.problem_id} is there twice; {_AGAIN}")
                found[row.key] = row
        return found


_AGAIN = "delete the folder values/ there and run orz-bench value again."


def require_same_text(found: TokenValues, text: str, *, where: object) -> None:
    """RunDirError if values are of another text: the rollouts were replaced since."""
    end = found.char_ends[-1] if len(found.char_ends) else 0
    if end != len(text):
        raise RunDirError(
            f"{where}: the values of sample {found.sample_index} of {found.problem_id} are of a text with {end:,} "
            f"characters, but it has {len(text):,}: the rollouts were replaced since; {_AGAIN}"
        )


def values_beside(rollouts: RolloutsDir) -> list[ValuesDir]:
    """The values of every critic that has assessed these rollouts."""
    folder = rollouts.path / _FOLDER
    return [ValuesDir(path.parent) for path in sorted(folder.glob(f"*/{_CARD}"))] if folder.is_dir() else []


def assessed_folder(evaluation: EvaluationDir) -> EvaluationDir:
    """The folder beside whose samples the values are: of regraded samples, that of the same texts graded before."""
    seen = {evaluation.fingerprint}
    found = evaluation
    while not values_beside(found) and (origin := found.regraded_from) is not None and origin not in seen:
        seen.add(origin)
        found = found.under(origin)
    return found if values_beside(found) else evaluation


def values_of(rollouts: RolloutsDir, *, critic: str | None) -> ValuesDir | None:
    """The values of the critic with this digest (or start of one); of the only one for None, and None if there is none.

    ConfigError if several critics fit, or the wanted one has not assessed these rollouts.
    """
    found = values_beside(rollouts)
    fitting = [each for each in found if critic is None or each.path.name.startswith(critic)]
    if len(fitting) > 1:
        names = ", ".join(each.path.name for each in fitting)
        raise ConfigError(
            f"{rollouts.path}: has values of {counted(len(fitting), 'critic')} ({names}); choose one with --critic."
        )
    if not fitting and critic is not None:
        others = ", ".join(each.path.name for each in found) or "no critic"
        raise ConfigError(
            f"{rollouts.path}: has values of {others}, wanted those of {critic}; run orz-bench value with that critic."
        )
    return fitting[0] if fitting else None


def _read(path: Path, columns: Sequence[str]) -> pa.Table:
    schema = pa.schema([VALUES_SCHEMA.field(name) for name in columns])
    try:
        require_regular(path)
        with pq.ParquetFile(path) as file:
            version = int((file.schema_arrow.metadata or {}).get(_SCHEMA_KEY, b"0"))
            if not 1 <= version <= VALUES_SCHEMA_VERSION:
                raise RunDirError(
                    f"{path}: values of schema {version}, but this version reads up to {VALUES_SCHEMA_VERSION}; "
                    f"upgrade orz to read them."
                )
            return file.read(columns=schema.names).select(schema.names).cast(schema)
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise RunDirError(f"{path}: not a readable part of values ({error}); {_AGAIN}") from error


def _rows(table: pa.Table) -> list[TokenValues]:
    columns = (
        table["problem_id"].to_pylist(),
        table["sample_index"].to_pylist(),
        from_column(table["values"], LOGPROBS),
        from_column(table["char_ends"], TOKEN_IDS),
        from_column(table["token_ids"], TOKEN_IDS),
    )
    rows = []
    for problem_id, index, values, ends, ids in zip(*columns, strict=True):
        if values is None or ends is None or len(values) != len(ends):
            raise RunDirError(f"sample {index} of {problem_id} has no value for each of its tokens; {_AGAIN}")
        rows.append(
            TokenValues(problem_id=problem_id, sample_index=index, values=values, char_ends=ends, token_ids=ids)
        )
    return rows
