"""Panels of lines over a logarithmic axis as one SVG: no script, no library, readable in print and on dark pages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_COLOURS = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
    "#7a5195",
    "#8c6d1f",
    "#5b6570",
    "#c23b5a",
)
_DASHES = ("", "6 3", "2 2", "8 3 2 3")
_WIDTH, _HEIGHT = 520, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 14, 46
_LEGEND_ROW = 18
_LEGEND_COLUMN = 190


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line with its band."""

    label: str
    x: Sequence[float]
    """Above 0."""
    y: Sequence[float]
    """Shares."""
    low: Sequence[float]
    high: Sequence[float]
    is_dashed: bool = False


@dataclass(frozen=True, slots=True)
class _Axes:
    """From data to pixels of one panel."""

    left: float
    x_range: tuple[float, float]
    y_range: tuple[float, float]

    def x(self, value: float) -> float:
        low, high = (math.log(end) for end in self.x_range)
        share = (math.log(value) - low) / (high - low) if high > low else 0.5
        return self.left + _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        low, high = self.y_range
        return _HEIGHT - _BOTTOM - (value - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)


def chart(panels: Sequence[tuple[str, Sequence[Line]]]) -> str:
    """The SVG; each panel has the label of its axis and its lines, which have the same order in all panels."""
    labels = [line.label for line in panels[0][1]]
    width = _WIDTH * len(panels)
    columns = max(1, (width - _LEFT) // _LEGEND_COLUMN)
    height = _HEIGHT + _LEGEND_ROW * -(-len(labels) // columns) + 6
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'style="max-width:100%;height:auto" font-family="system-ui, sans-serif" font-size="12" fill="currentColor" '
        f'role="img"><title>Accuracy of rules that choose one of k answers</title>'
    ]
    for at, (x_label, lines) in enumerate(panels):
        parts += _panel(lines, x_label=x_label, left=at * _WIDTH)
    for at, label in enumerate(labels):
        x, y = _LEFT + at % columns * _LEGEND_COLUMN, _HEIGHT + at // columns * _LEGEND_ROW + 4
        parts.append(f'<path d="M{x} {y}h28" {_stroke(at, is_dashed=panels[0][1][at].is_dashed)}/>')
        parts.append(f'<text x="{x + 34}" y="{y + 4}">{escape(label)}</text>')
    return "".join(parts) + "</svg>"


def _panel(lines: Sequence[Line], *, x_label: str, left: float) -> list[str]:
    xs = [x for line in lines for x in line.x]
    ends = [y for line in lines for y in (*line.low, *line.high)]
    low, high = math.floor(10 * min(ends)) / 10, math.ceil(10 * max(ends)) / 10
    axes = _Axes(left, (min(xs), max(xs)), (low, high if high > low else low + 0.1))
    parts = [*_y_ticks(axes), *_x_ticks(axes)]
    middle = left + (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{_HEIGHT - 8}" text-anchor="middle">{escape(x_label)}</text>')
    for at, line in enumerate(lines):
        there = [f"{axes.x(x):.1f} {axes.y(y):.1f}" for x, y in zip(line.x, line.high, strict=True)]
        back = [f"{axes.x(x):.1f} {axes.y(y):.1f}" for x, y in zip(line.x, line.low, strict=True)][::-1]
        parts.append(f'<path d="M{"L".join([*there, *back])}Z" fill="{_colour(at)}" opacity="0.07"/>')
    for at, line in enumerate(lines):
        points = [f"{axes.x(x):.1f} {axes.y(y):.1f}" for x, y in zip(line.x, line.y, strict=True)]
        parts.append(f'<path d="M{"L".join(points)}" {_stroke(at, is_dashed=line.is_dashed)}/>')
        parts += [
            f'<circle cx="{axes.x(x):.1f}" cy="{axes.y(y):.1f}" r="2.6" fill="{_colour(at)}">'
            f"<title>{escape(line.label)}: {100 * y:.1f} % at {x:,.0f}</title></circle>"
            for x, y in zip(line.x, line.y, strict=True)
        ]
    return parts


def _y_ticks(axes: _Axes) -> list[str]:
    low, high = axes.y_range
    step = 0.1 if high - low <= 0.6 else 0.2
    ticks = [low + step * at for at in range(int((high - low) / step + 1e-9) + 1)]
    right = axes.left + _WIDTH - _RIGHT
    return [
        f'<path d="M{axes.left + _LEFT} {axes.y(tick):.1f}H{right}" stroke="currentColor" opacity="0.15"/>'
        f'<text x="{axes.left + _LEFT - 6}" y="{axes.y(tick) + 4:.1f}" text-anchor="end">{100 * tick:.0f} %</text>'
        for tick in ticks
    ]


def _x_ticks(axes: _Axes) -> list[str]:
    low, high = axes.x_range
    powers = range(math.floor(math.log2(low)), math.ceil(math.log2(high)) + 1)
    every = -(-len(powers) // 9)
    ticks = [2.0**power for power in powers if power % every == 0 and low * 0.99 <= 2.0**power <= high * 1.01]
    return [
        f'<text x="{axes.x(min(max(tick, low), high)):.1f}" y="{_HEIGHT - _BOTTOM + 17}" text-anchor="middle">'
        f"{tick:,.0f}</text>"
        for tick in ticks
    ]


def _colour(at: int) -> str:
    return _COLOURS[at % len(_COLOURS)]


def _stroke(at: int, *, is_dashed: bool) -> str:
    dash = "3 4" if is_dashed else _DASHES[at % len(_DASHES)]
    return f'fill="none" stroke="{_colour(at)}" stroke-width="1.8" stroke-dasharray="{dash or "none"}"'
