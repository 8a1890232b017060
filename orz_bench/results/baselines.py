"""Published figures to show beside our own, each with its source and protocol: baselines.yaml."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from orz_bench.errors import ConfigError

_NOT_BENCHMARKS = {"model", "source", "plus_minus"}
_PUBLISHERS = ("open-reasoner-zero", "deepseek-ai", "qwen", "bytedtsinghua-sia")
"""Owners on the hub of the models whose figures are in the file."""


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
        return f"{self.figure} ({self.model})"

    @property
    def figure(self) -> str:
        """`19.7 ± 2.9`, with the spread that the source gives, where it gives one."""
        spread = f" ± {self.plus_minus:g}" if self.plus_minus is not None else ""
        return f"{self.percent:.1f}{spread}"


@cache
def all_baselines() -> tuple[Baseline, ...]:
    """Every figure of the file."""
    content: dict[str, Any] = yaml.safe_load(
        files("orz_bench.results").joinpath("baselines.yaml").read_text(encoding="utf-8")
    )
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


def published_on(benchmark: str, model: str) -> tuple[Baseline, ...]:
    """The figures of this very model, by every source: known by its hub id, or by its name alone.

    A model of the same name by another publisher, a checkpoint of your own run, or a variant has none.
    """
    wanted = _key(model)
    return tuple(baseline for baseline in baselines_for(benchmark) if wanted and _key(baseline.model) == wanted)


def require_known(model: str) -> str:
    """The model, of which figures were published. ConfigError for any other."""
    names = list(dict.fromkeys(baseline.model for baseline in all_baselines()))
    if not any(_key(name) == _key(model) for name in names):
        raise ConfigError(f"--baseline {model}: no figures of it are known; there are those of {', '.join(names)}.")
    return model


def _key(model: str) -> str:
    """`Open-Reasoner-Zero/Open-Reasoner-Zero-7B`, its folder in the hub's cache, and `ORZ-7B` are one model.

    Empty for a hub id of someone who published no figures.
    """
    cached = re.search(r"models--([^/]+)--([^/]+)", model)
    owner, _, name = ("/".join(cached.groups()) if cached else model.rstrip("/")).lower().rpartition("/")
    if owner and owner.count("/") == 0 and owner not in _PUBLISHERS:
        return ""
    return re.sub(r"[^a-z0-9.]", "", name.replace("open-reasoner-zero", "orz"))
