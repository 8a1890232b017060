"""Until when the training data of known models go (model_data.yaml, with sources), or a date that the user gives."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

_CACHED = re.compile(r"models--([^/]+?)--([^/]+)")
"""A model's folder in the hub's cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelData:
    """What is known of a model's training data."""

    until: date | None
    """The last day that they can be from, as stated; None: not stated."""
    released: date | None
    """A day on which the model was public: its data cannot be later."""
    source: str

    @property
    def shown(self) -> str:
        """`until 2023-12-31 (model card)`, or `not stated; released 2024-09-19 (blog)`."""
        if self.until is not None:
            return f"until {self.until} ({self.source})"
        return f"not stated; released {self.released} ({self.source})"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownModels:
    """Models of one entry of the file."""

    owner: str
    names: re.Pattern[str]
    """For the whole name behind the owner."""
    data: ModelData


@cache
def known_models() -> tuple[KnownModels, ...]:
    """Every entry of the file."""
    content: dict[str, Any] = yaml.safe_load(
        files("orz_bench.results").joinpath("model_data.yaml").read_text(encoding="utf-8")
    )
    return tuple(
        KnownModels(
            owner=row["owner"],
            names=re.compile(row["names"], re.IGNORECASE),
            data=ModelData(until=row["until"], released=row["released"], source=row["source"]),
        )
        for row in content["models"]
    )


def data_of(model: str) -> ModelData | None:
    """What is known of a model, by its hub id, its folder in the hub's cache, or its name alone; None: nothing.

    A model of the same name by another owner, and one that was made from a known model, are others.
    """
    cached = _CACHED.search(model)
    owner, _, name = ("/".join(cached.groups()) if cached else model.rstrip("/")).rpartition("/")
    is_hub_id = bool(owner) and "/" not in owner and not owner.startswith((".", "~"))
    for one in known_models():
        if one.names.fullmatch(name) and (not is_hub_id or one.owner.lower() == owner.lower()):
            return one.data
    return None


def given_data(until: date) -> ModelData:
    """Data that end on a day that the user gives."""
    return ModelData(until=until, released=None, source="--data-until")
