"""The flow from the sources through the stages to the training file, as an SVG picture in the manner of Sankey."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

from orz_bench.records.curated import StageCount

_HEIGHT, _TOP = 300.0, 40.0
_STEP, _FEWEST_STEPS, _LAST = 107.0, 9, 50.0
"""Room for the name of a stage, and for the last one."""
_BAR = 10.0
_COLOURS = ("#2f6fb2", "#3c9d5d", "#8b63b8", "#c29a1a", "#b8566b", "#3d9aa8", "#7d7d3c", "#6b7785")


def flow(stages: Sequence[StageCount], *, shown: Callable[[str], str] = escape, style: str = "") -> str:
    """Bands of the kept rows of each source from stage to stage; what leaves below a stage is dropped there.

    `shown` makes XML of a name. `style` is the CSS of a picture that is not part of a page: of `--gone` and `text`.
    """
    sources = list(stages[0].by_source)
    whole = max(1, stages[0].num_in)
    columns = [_entering(stages[0], sources), *(_kept(stage, sources) for stage in stages)]
    names = ["sources", *(stage.name for stage in stages)]
    width = _STEP * max(_FEWEST_STEPS, len(columns) - 1) + _LAST
    step = (width - _LAST) / max(1, len(columns) - 1)
    parts = []
    for number, counts in enumerate(columns):
        x = number * step
        parts.append(_bars(counts, x=x, whole=whole))
        parts.append(f'<text x="{x:.1f}" y="14">{shown(names[number])}</text>')
        parts.append(f'<text x="{x:.1f}" y="30">{sum(counts):,}</text>')
        if number:
            parts.append(_bands(columns[number - 1], counts, x=x - step + _BAR, end=x, whole=whole))
            parts.append(_leaving(sum(columns[number - 1]), sum(counts), x=x - step + _BAR, end=x, whole=whole))
    parts += [_legend(shown(source), number) for number, source in enumerate(sources)]
    height = _TOP + _HEIGHT + 30 + 18 * (1 + len(sources))
    css = f"<style>{style}</style>" if style else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'role="img" aria-label="rows kept by stage and source">{css}{"".join(parts)}</svg>'
    )


def _entering(stage: StageCount, sources: Sequence[str]) -> list[int]:
    return [stage.by_source[source].num_in for source in sources]


def _kept(stage: StageCount, sources: Sequence[str]) -> list[int]:
    return [stage.by_source[source].kept if source in stage.by_source else 0 for source in sources]


def _bars(counts: Sequence[int], *, x: float, whole: int) -> str:
    return "".join(
        f'<rect x="{x:.1f}" y="{top:.2f}" width="{_BAR}" height="{height:.2f}" fill="{_colour(number)}"/>'
        for number, (top, height) in enumerate(_places(counts, whole))
    )


def _bands(before: Sequence[int], after: Sequence[int], *, x: float, end: float, whole: int) -> str:
    """The rows of a source that go on: the upper part of what it had."""
    found = []
    for number, ((top, _), (target, height)) in enumerate(
        zip(_places(before, whole), _places(after, whole), strict=True)
    ):
        if height > 0:
            found.append(_band((top, target), height, x=x, end=end, style=f'fill="{_colour(number)}" opacity=".35"'))
    return "".join(found)


def _leaving(before: int, after: int, *, x: float, end: float, whole: int) -> str:
    height = _HEIGHT * (before - after) / whole
    if height <= 0:
        return ""
    start, bottom = _TOP + _HEIGHT * after / whole, _TOP + _HEIGHT + 8
    band = _band((start, bottom), height, x=x, end=end - 6, style='fill="var(--gone)" opacity=".3"', thin=True)
    return f'{band}<text x="{end - 4:.1f}" y="{bottom + 14:.1f}" text-anchor="end">−{before - after:,}</text>'


def _band(tops: Sequence[float], height: float, *, x: float, end: float, style: str, thin: bool = False) -> str:
    start, target = tops
    middle = (x + end) / 2
    last = min(height, 4.0) if thin else height
    return (
        f'<path {style} d="M{x:.1f} {start:.2f} '
        f"C{middle:.1f} {start:.2f} {middle:.1f} {target:.2f} {end:.1f} {target:.2f} "
        f"L{end:.1f} {target + last:.2f} C{middle:.1f} {target + last:.2f} {middle:.1f} {start + height:.2f} {x:.1f} "
        f'{start + height:.2f} Z"/>'
    )


def _places(counts: Sequence[int], whole: int) -> list[tuple[float, float]]:
    """(top, height) of each."""
    found = []
    top = _TOP
    for count in counts:
        height = _HEIGHT * count / whole
        found.append((top, height))
        top += height
    return found


def _legend(name: str, number: int) -> str:
    y = _TOP + _HEIGHT + 44 + 18 * number
    return (
        f'<rect x="0" y="{y - 10:.0f}" width="12" height="12" fill="{_colour(number)}"/>'
        f'<text x="18" y="{y:.0f}">{name}</text>'
    )


def _colour(number: int) -> str:
    return _COLOURS[number % len(_COLOURS)]
