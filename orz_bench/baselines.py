"""Published figures to stand beside our own, each with its source and protocol: baselines.yaml."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

_NOT_BENCHMARKS = {"model", "source", "plus_minus"}
_REFERENCE_MODEL = "ORZ-32B"


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """One published score."""

    model: str
    benchmark: str
    percent: float
    plus_minus: float | None
    source: str
    protocol: str

    def __str__(self) -> str:
        spread = f" ± {self.plus_minus:g}" if self.plus_minus is not None else ""
        return f"{self.percent:.1f}{spread} ({self.model})"


@cache
def all_baselines() -> tuple[Baseline, ...]:
    """Every figure of the file."""
    content: dict[str, Any] = yaml.safe_load(files("orz_bench").joinpath("baselines.yaml").read_text(encoding="utf-8"))
    return tuple(
        Baseline(
            model=row["model"],
            benchmark=benchmark,
            percent=float(value),
            plus_minus=row.get("plus_minus", {}).get(benchmark),
            source=content["sources"][row["source"]]["title"],
            protocol=content["sources"][row["source"]]["protocol"],
        )
        for row in content["figures"]
        for benchmark, value in row.items()
        if benchmark not in _NOT_BENCHMARKS
    )


def baselines_for(benchmark: str) -> tuple[Baseline, ...]:
    """The published scores on one benchmark."""
    return tuple(baseline for baseline in all_baselines() if baseline.benchmark == benchmark)


def closest_baseline(benchmark: str, model: str) -> Baseline | None:
    """The figure of this very model where one was published, else ORZ-32B's, else none."""
    candidates = baselines_for(benchmark)
    wanted = _key(model)
    same = [baseline for baseline in candidates if _key(baseline.model) == wanted]
    reference = [baseline for baseline in candidates if baseline.model == _REFERENCE_MODEL]
    return next(iter(same or reference), None)


def _key(model: str) -> str:
    """`Open-Reasoner-Zero/Open-Reasoner-Zero-7B` and `ORZ-7B` are one model."""
    name = model.rstrip("/").rpartition("/")[2].lower().replace("open-reasoner-zero", "orz")
    return re.sub(r"[^a-z0-9]", "", name)
