"""How often the 90 % intervals of `orz-analysis forecast` hold the end of a curve of which the first half is known.

The peer is one sigmoid fitted by least squares, with 1.64 standard errors of its end from the fit's covariance.

    python benchmarks/forecasts.py [--curves 300]
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from _record import keep
from scipy.optimize import OptimizeWarning, curve_fit

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import warnings

from analysis.forecast.forecast import forecast
from tests.support.saturating_curves import SaturatingCurve, a_saturating_curve


def naive(curve: SaturatingCurve) -> bool | None:
    """Whether the plain sigmoid's interval holds the end; None where the fit fails."""
    x, y = curve.steps[: curve.half], curve.values[: curve.half]
    scale = x[-1]

    def law(at: np.ndarray, start: float, end: float, middle: float, power: float) -> np.ndarray:
        return start + (end - start) / (1 + (np.abs(middle) * scale / at) ** power)

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OptimizeWarning)
            with np.errstate(all="ignore"):
                found, covariance = curve_fit(law, x, y, p0=(y[0], y[-1], 0.5, 1.5), maxfev=5_000)
    except RuntimeError:
        return None
    last = curve.steps[-max(1, len(curve.steps) // 10) :]
    with np.errstate(all="ignore"):
        value = float(law(last, *found).mean())
        steps = 1e-4 * np.maximum(np.abs(found), 1e-3)
        gradient = [(law(last, *(found + np.eye(4)[i] * steps[i])).mean() - value) / steps[i] for i in range(4)]
        error = float(np.sqrt(max(np.array(gradient) @ covariance @ np.array(gradient), 0)))
    return abs(curve.end - value) <= 1.64 * error if np.isfinite(error) else None


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--curves", type=int, default=300)
    number = parser.parse_args().curves
    rows: list[dict[str, Any]] = []
    for at in range(number):
        curve = a_saturating_curve(at)
        x, y = curve.steps[: curve.half], curve.values[: curve.half]
        found = forecast(x, y, metric="reward", at=float(curve.steps[-1]), breaks=())
        row = {"shape": curve.shape, "steps": len(curve.steps), "correlation": curve.correlation, "naive": naive(curve)}
        if found.end is not None:
            row |= {"holds": found.end.low <= curve.end <= found.end.high, "width": found.end.high - found.end.low}
        rows.append(row)
    given = [row for row in rows if "holds" in row]
    fitted = [row["naive"] for row in rows if row["naive"] is not None]
    by: dict[str, dict[str, float]] = {}
    for name in ("shape", "steps", "correlation"):
        groups = defaultdict(list)
        for row in given:
            groups[str(row[name])].append(row["holds"])
        by[name] = {key: round(float(np.mean(values)), 3) for key, values in sorted(groups.items())}
    keep(
        "forecasts",
        {
            "curves": number,
            "given": len(given),
            "holds": round(float(np.mean([row["holds"] for row in given])), 3),
            "median width": round(float(np.median([row["width"] for row in given])), 3),
            "plain sigmoid holds": round(float(np.mean(fitted)), 3),
            "holds by": by,
        },
    )


if __name__ == "__main__":
    main()
