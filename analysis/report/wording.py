"""Numbers formatted for readers."""

from __future__ import annotations

import math


def percent(share: float) -> str:
    """`28.2 %`."""
    return f"{100 * share:.1f} %"


def points(difference: float) -> str:
    """`+64.9`: a difference of shares in percentage points, signed."""
    return f"{100 * difference:+.1f}".replace("-", "−")


def number(value: float) -> str:
    """Three significant digits, with thousands separators: `0.91`, `24.9`, `1,234`."""
    if not math.isfinite(value):
        return "–"
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{min(digits, 6)}f}"


def p_value(value: float) -> str:
    """`p < 0.001`, or `p = 0.03`."""
    return "p < 0.001" if value < 0.001 else f"p = {value:.2g}"
