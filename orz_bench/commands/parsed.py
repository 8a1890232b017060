"""Lists of numbers on the command line."""

from __future__ import annotations

from orz_bench.errors import ConfigError


def parse_shares(text: str | None) -> tuple[float, ...]:
    """`0,50,100` as (0.0, 0.5, 1.0); nothing for nothing. ConfigError for what is no percentage."""
    if text is None:
        return ()
    shares = []
    for part in text.split(","):
        try:
            share = float(part) / 100
        except ValueError as error:
            raise ConfigError(f"{part!r} is no number; wanted percentages such as 0,50,100.") from error
        if not 0 <= share <= 1:
            raise ConfigError(f"{part} % is outside of 0 to 100; wanted percentages such as 0,50,100.")
        shares.append(share)
    return tuple(sorted(set(shares)))
