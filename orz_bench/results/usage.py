"""What a server said of an evaluation's samples: tokens of prompts, new tokens, thoughts, cost; where thoughts were."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from orz_bench.errors import counted


def usage_of(extras: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Sums over the rows that say what they used (`extra.usage`); a sum that some of them lack is left out.

    `cost` is that of the `num_priced` rows that have one. A prompt shared by several samples counts once.
    """
    rows = [extra for extra in extras if _count(extra.get("usage"), "new_tokens") is not None]
    if not rows:
        return {}
    sums: dict[str, float] = {"num_samples": len(rows)}
    for name in ("prompt_tokens", "new_tokens", "reasoning_tokens"):
        found = [
            (_count(extra["usage"], name), extra.get("choices", 1) if name == "prompt_tokens" else 1) for extra in rows
        ]
        if all(count is not None for count, _ in found):
            sums[name] = round(math.fsum((count or 0) / share for count, share in found))
    costs = [extra["usage"]["cost"] for extra in rows if extra["usage"].get("cost") is not None]
    return sums | ({"num_priced": len(costs), "cost": math.fsum(costs)} if costs else {})


def thoughts_of(extras: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """The number of rows by the field in which the server kept their thought (`extra.thought_field`)."""
    return dict(sorted(Counter(str(extra["thought_field"]) for extra in extras if "thought_field" in extra).items()))


def thoughts_note(thoughts: Mapping[str, int]) -> str | None:
    """Where thoughts were kept in more than one way: the server was started again with another reasoning parser."""
    if len(thoughts) < 2:
        return None
    kept = " and ".join(f"{num:,} in {name}" for name, num in thoughts.items())
    return (
        f"the server kept the thoughts of {kept}: its reasoning parser changed between the samples, and thoughts that "
        f"were cut are read differently; generate all of them again into another folder (--out)"
    )


def usage_note(usage: Mapping[str, float]) -> str | None:
    """`1,180 tokens of prompts and 902 new tokens (610 of thoughts) for 20 samples`, and what the cost leaves out."""
    if not usage:
        return None
    num, priced = int(usage["num_samples"]), int(usage.get("num_priced", 0))
    parts = [f"{counted(int(usage['new_tokens']), 'new token')}"]
    if "prompt_tokens" in usage:
        parts.insert(0, f"{counted(int(usage['prompt_tokens']), 'token')} of prompts")
    thoughts = f" ({int(usage['reasoning_tokens']):,} of thoughts)" if usage.get("reasoning_tokens") else ""
    cost = f", cost {shown_cost(usage)}" if priced else ""
    partly = f" for {priced:,} of them: the others were generated without prices" if 0 < priced < num else ""
    return f"the server counted {' and '.join(parts)}{thoughts} for {counted(num, 'sample')}{cost}{partly}"


def shown_cost(usage: Mapping[str, float]) -> str:
    """Three significant digits, at least two decimals: `0.00412`, `12.34`; a dash where nothing is priced."""
    cost = usage.get("cost")
    if cost is None:
        return "–"
    decimals = 2 if cost == 0 or cost >= 1 else max(2, 2 - math.floor(math.log10(cost)))
    return f"{cost:,.{decimals}f}"


def has_costs(usages: Sequence[Mapping[str, float]]) -> bool:
    """Whether any of them has a price."""
    return any("cost" in usage for usage in usages)


def _count(usage: Any, name: str) -> int | None:
    value = usage.get(name) if isinstance(usage, Mapping) else None
    return value if type(value) is int and value >= 0 else None
