"""The data card as data: counts by stage and source, histograms, examples, pairs, hashes. Written as card.json."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from heapq import heappush, heappushpop
from typing import Any

import pyarrow as pa

from orz_bench.benchmarks.own.columns import normal
from orz_bench.records.curated import CARD_SCHEMA, DECONTAMINATE, stage_count

EXAMPLES = 3
"""Of each reason, and of the kept rows of each source."""
MOST_PAIRS = {"contamination": 2000, "near_duplicates": 1000, "duplicates": 100}
"""Pairs of each kind in the card; all are in pairs.parquet."""
_KIND = {DECONTAMINATE: "contamination", "exact": "duplicates"}
_MOST_CHARS = 800
_LENGTHS = (25, 50, 100, 200, 400, 800, 1600, 3200)
_DIFFICULTY = ("difficulty", "difficulty_level", "level", "num_correct", "num_correct_of_4")
_MOST_VALUES = 24


class CardData:
    """Collects what the card shows while the results are written."""

    def __init__(self, *, plan: Mapping[str, Any], seed: int) -> None:
        self._plan, self._seed = plan, seed
        self._stages: list[dict[str, Any]] = []
        self._lengths: dict[str, Counter[int]] = {"all": Counter(), "kept": Counter()}
        self._values: dict[str, dict[str, Counter[str]]] = {}
        self._changes: Counter[str] = Counter()
        self._examples: dict[str, list[tuple[int, int, dict[str, str]]]] = defaultdict(list)
        self._pairs: dict[str, list[dict[str, Any]]] = {kind: [] for kind in MOST_PAIRS}
        self._num_pairs: dict[str, Counter[str]] = {name: Counter() for name in self._pairs}

    @property
    def num_kept(self) -> int:
        """Rows of the training file."""
        return sum(each["kept"] for each in self._stages[-1]["by_source"].values())

    def add_stage(self, name: str, by_source: Mapping[str, Mapping[str, int]]) -> None:
        """Counts of a stage: source -> reason -> rows, the empty reason for rows that are kept."""
        names = [each["name"] for each in self._plan["sources"]]
        self._stages.append(stage_count(name, {source: by_source[source] for source in names if source in by_source}))

    def add_fates(self, table: pa.Table) -> None:
        """A part of fates.parquet."""
        for row in table.to_pylist():
            is_kept = row["fate"] == "kept"
            length = next((n for n, most in enumerate(_LENGTHS) if len(row["question"]) <= most), len(_LENGTHS))
            for name in ("all", "kept") if is_kept else ("all",):
                self._lengths[name][length] += 1
            self._add_values(row["extra"], is_kept=is_kept)
            self._changes.update(json.loads(row["changes"]) if row["changes"] != "[]" else ())
            self._add_example(row, f"kept: {row['source']}" if is_kept else f"{row['stage']}: {row['reason']}")

    def add_pairs(self, table: pa.Table) -> None:
        """Some of pairs.parquet."""
        for pair in table.to_pylist():
            kind = _KIND.get(pair["stage"], "near_duplicates")
            self._num_pairs[kind][pair["verdict"]] += 1
            if len(self._pairs[kind]) < MOST_PAIRS[kind]:
                self._pairs[kind].append(pair)

    def finished(self, files: Mapping[str, str]) -> dict[str, Any]:
        """The card. `files`: name -> SHA-256."""
        return {
            "schema": CARD_SCHEMA,
            "num_rows": self._stages[0]["in"],
            "num_kept": self.num_kept,
            "seed": self._seed,
            "sources": [
                each
                | {
                    "rows": self._of_source(each["name"], 0, what="in"),
                    "kept": self._of_source(each["name"], -1, what="kept"),
                }
                for each in self._plan["sources"]
            ],
            "stages": self._stages,
            "changes": dict(sorted(self._changes.items())),
            "lengths": {
                "at_most_chars": [*_LENGTHS, None],
                **{name: [found[n] for n in range(len(_LENGTHS) + 1)] for name, found in self._lengths.items()},
            },
            "values": {
                column: {name: _sorted(counts) for name, counts in found.items()}
                for column, found in sorted(self._values.items())
            },
            "examples": {
                name: [example for _, _, example in sorted(found, key=lambda each: -each[0])]
                for name, found in sorted(self._examples.items())
            },
            **{kind: self._listed(kind) for kind in MOST_PAIRS},
            "files": dict(files),
            "plan": dict(self._plan),
        }

    def _of_source(self, source: str, stage: int, *, what: str) -> int:
        found: int = self._stages[stage]["by_source"].get(source, {}).get(what, 0)
        return found

    def _listed(self, kind: str) -> dict[str, Any]:
        counts = self._num_pairs[kind]
        return {"counts": dict(sorted(counts.items())), "num_pairs": sum(counts.values()), "pairs": self._pairs[kind]}

    def _add_values(self, extra: str, *, is_kept: bool) -> None:
        if extra == "{}":
            return
        for column, value in json.loads(extra).items():
            if normal(column) in _DIFFICULTY and isinstance(value, str | int | float):
                found = self._values.setdefault(column, {"all": Counter(), "kept": Counter()})
                text = _label(value)
                if text not in found["all"] and len(found["all"]) >= _MOST_VALUES:
                    text = "others"
                for name in ("all", "kept") if is_kept else ("all",):
                    found[name][text] += 1

    def _add_example(self, row: Mapping[str, Any], name: str) -> None:
        """Keep the rows with the smallest places in a random order that depends on the seed."""
        digest = hashlib.blake2b(f"{self._seed}\x1f{row['id']}".encode("utf-8", "replace"), digest_size=8).digest()
        place = -int.from_bytes(digest, "big")
        found = self._examples[name]
        if len(found) >= EXAMPLES and place < found[0][0]:
            return
        example = {key: row[key][:_MOST_CHARS] for key in ("id", "source", "row", "question", "answer", "evidence")}
        item = (place, row["number"], example)
        heappush(found, item) if len(found) < EXAMPLES else heappushpop(found, item)


def _label(value: str | float) -> str:
    """A value, or the bin of a number: the whole number below it, the tenth below it from -1 to 1."""
    if isinstance(value, str) or not math.isfinite(value):
        return str(value)[:40]
    return str(math.floor(value) if abs(value) > 1 or value == int(value) else math.floor(value * 10) / 10)


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    def key(name: str) -> tuple[int, float, str]:
        try:
            return 0, float(name), name
        except ValueError:
            return 1, 0.0, name

    return {name: counts[name] for name in sorted(counts, key=key)}
