"""The kinds of values that settings have, and what every section of settings refuses."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from orz_bench.errors import nearest
from orz_bench.installed.plugins import PluginGroup
from orz_bench.records.keep_rules import rule_text

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
Text = Annotated[str, Field(min_length=1)]
Rule = Annotated[str, AfterValidator(rule_text)]


def known(group: PluginGroup[Any], name: str) -> str:
    """The name, if it is one of ours or of another package."""
    if name in group.built_in or name in group.others():
        return name
    names = group.names()
    raise ValueError(f"wanted one of {', '.join(names)}{nearest(name, names)}")


class Section(BaseModel):
    """A frozen section; unknown keys, NaN and infinities are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)
