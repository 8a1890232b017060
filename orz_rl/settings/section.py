"""What sections of settings are made of: a frozen base class, and bounded kinds of values."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from orz_bench.errors import nearest
from orz_bench.installed.plugins import PluginGroup
from orz_bench.records.keep_rules import rule_text


def _rising(band: tuple[float, float]) -> tuple[float, float]:
    low, high = band
    if not low < 1 < high:
        raise ValueError("wanted [low, high] with low below 1 and high above it")
    return band


MANY = 10**9
"""Upper bound of every count."""
Positive = Annotated[int, Field(ge=1, le=MANY)]
Count = Annotated[int, Field(ge=0, le=MANY)]
Share = Annotated[float, Field(ge=0, le=1)]
PositiveShare = Annotated[float, Field(gt=0, le=1)]
Decay = Annotated[float, Field(ge=0, lt=1)]
Rate = Annotated[float, Field(gt=0)]
"""A learning rate, without an upper bound: an update that is not finite is stopped and reported."""
Coefficient = Annotated[float, Field(ge=0, le=1000)]
Bound = Annotated[float, Field(gt=0, le=1e6)]
Band = Annotated[tuple[Bound, Bound], AfterValidator(_rising)]
"""(low, high) of a ratio."""
Text = Annotated[str, Field(min_length=1)]
Rule = Annotated[str, AfterValidator(rule_text)]


def known(group: PluginGroup[Any], name: str) -> str:
    """The name, if it is one of ours or of another package."""
    if name in group.built_in or name in group.others():
        return name
    names = group.names()
    raise ValueError(f"wanted one of {', '.join(names)}{nearest(name, names)}")


CONTROLS = ("none", "random", "inverted", "format")


@cache
def parsed_control(name: str) -> tuple[str, float]:
    """(kind, share) of a control: flip:0.1 is ("flip", 0.1), the others have share 0. ValueError if unknown."""
    if name in CONTROLS:
        return name, 0.0
    kind, _, given = name.partition(":")
    try:
        share = float(given)
    except ValueError:
        share = 0.0
    if kind != "flip" or not 0 < share <= 1:
        raise ValueError(f"wanted {', '.join(CONTROLS)} or flip:P with a share P above 0 and at most 1")
    return kind, share


def _control(name: str) -> str:
    parsed_control(name)
    return name


Control = Annotated[str, AfterValidator(_control)]
"""A reward.control."""


class Section(BaseModel):
    """A frozen section; unknown keys, NaN and infinities are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)
