"""The policy of `orz-bench gate`, a YAML file.

error: 0.05                        # of a wrong GO, and of a wrong NO-GO; this is the default
looks: [4, 8, 16]                  # samples a question at which a decision may be made; [4] without it
benchmarks:
  math500: {margin: 2}             # points that the candidate may lose
  aime24: {margin: 5, tier: advisory}
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from orz_bench.errors import ConfigError
from orz_bench.records.regular import read_text
from orz_bench.results.gate import Rule

_LARGEST = 2**20
"""Characters of a policy's file that are read."""


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    margin: Annotated[float, Field(ge=0, le=100)]
    tier: Literal["required", "advisory"] = "required"


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    error: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    looks: Annotated[list[Annotated[int, Field(ge=1, le=10**6)]], Field(min_length=1, max_length=20)] = [4]
    benchmarks: Annotated[dict[str, _Asked], Field(min_length=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a candidate has to fulfil."""

    error: float
    """Of a wrong GO and of a wrong NO-GO, each, over all looks."""
    looks: tuple[int, ...]
    """Samples per question at which a decision may be made, rising."""
    rules: tuple[Rule, ...]


def load_policy(path: Path) -> Policy:
    """Read it. ConfigError with the place of a fault."""
    try:
        found = _File.model_validate(yaml.safe_load(read_text(path)[:_LARGEST]))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: {_fault(error)}") from error
    if any(one >= other for one, other in pairwise(found.looks)):
        raise ConfigError(f"{path}: looks is {found.looks}; wanted rising numbers of samples, such as [4, 8, 16].")
    rules = tuple(
        Rule(benchmark=name, margin=asked.margin / 100, tier=asked.tier) for name, asked in found.benchmarks.items()
    )
    if all(rule.tier == "advisory" for rule in rules):
        raise ConfigError(f"{path}: every benchmark is advisory, so nothing would decide; make one required.")
    return Policy(error=found.error, looks=tuple(found.looks), rules=rules)


def _fault(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return f"not readable as a policy in YAML ({error})."
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"])) or "the file"
    message = str(first["msg"])
    return (
        f"{where}: {message[:1].lower()}{message[1:]}; wanted error, looks, benchmarks: {{NAME: {{margin: POINTS}}}}."
    )
