"""Pictures: of the expected size, within their edges, reproducible, distinct without colour."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from analysis.figures.colours import COLOURS, colour_of
from analysis.figures.drawing import plot, png_of, save
from analysis.figures.spec import FigureSpec, Panel, Reference, Series
from analysis.step_moment.breaks import Break


def _series(slot: int, *, num: int = 60, quantity: str = "") -> Series:
    x = np.arange(num, dtype=float)
    y = 0.5 + 0.3 * np.sin(x / 9 + slot)
    mark = Break(metric="reward/mean", step=30, low=28, high=33, kind="level", size=-0.2, p_value=0.01, rebound=False)
    return Series(
        label=f"experiment {slot}, <b>$x_1$ & a rather long label that goes on",
        slot=slot,
        x=x,
        y=y,
        smooth=y,
        low=y - 0.1,
        high=y + 0.1,
        quantity=quantity,
        marks=(mark,) if slot == 0 else (),
    )


def _spec(num_panels: int, num_series: int) -> FigureSpec:
    panels = tuple(
        Panel(
            title=f"Panel {number}",
            y_label="share of responses",
            series=tuple(_series(slot) for slot in range(num_series)),
            is_share=True,
            references=(Reference(label="published", y=0.9),),
        )
        for number in range(num_panels)
    )
    return FigureSpec(name="x", title="X", panels=panels, caption="c")


@pytest.mark.parametrize(("panels", "series"), [(1, 1), (2, 3), (3, 8), (5, 2)])
def test_nothing_touches_the_edge(panels: int, series: int) -> None:
    """A label that is cut reaches the border: the outermost pixels stay white."""
    picture = np.asarray(Image.open(io.BytesIO(png_of(plot(_spec(panels, series))))).convert("L"))
    for edge in (picture[0], picture[-1], picture[:, 0], picture[:, -1]):
        assert edge.min() == 255


def test_files(tmp_path: Path) -> None:
    paths = save(_spec(2, 2), tmp_path)
    assert [path.name for path in paths] == ["x.png", "x.pdf", "x.csv"]
    with Image.open(paths[0]) as picture:
        assert picture.info["dpi"] == pytest.approx((200, 200), abs=0.1)
    assert paths[1].read_bytes().startswith(b"%PDF")
    table = pd.read_csv(paths[2])
    assert len(table) == 2 * 2 * 60 + 2
    assert list(table) == ["panel", "series", "step", "value", "smoothed", "low", "high"]


def test_the_same_figure_is_the_same_bytes() -> None:
    assert png_of(plot(_spec(1, 2))) == png_of(plot(_spec(1, 2)))


def _grey(colour: str) -> float:
    red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return 0.299 * red + 0.587 * green + 0.114 * blue


def test_experiments_differ_without_colour() -> None:
    axes = plot(_spec(1, 7)).axes[0]
    lines = [line for line in axes.get_lines() if line.get_linewidth() > 1.5]
    shapes = {(str(line.get_marker()), str(line.get_linestyle())) for line in lines}
    assert len(lines) == len(shapes) == 7
    assert len({round(_grey(colour)) for colour in COLOURS}) == len(COLOURS)


def test_many_experiments_differ_in_colour_style_and_marker() -> None:
    axes = plot(_spec(1, 21)).axes[0]
    lines = [line for line in axes.get_lines() if line.get_linewidth() > 1.5]
    assert len({line.get_color() for line in lines}) == 21
    looks = {(str(line.get_marker()), str(line._dash_pattern)) for line in lines}  # type: ignore[attr-defined]  # not in the stubs
    assert len(looks) == 21
    assert len({colour_of(slot) for slot in range(21)}) == 21


def test_a_line_has_one_marker_at_its_end() -> None:
    axes = plot(_spec(1, 1)).axes[0]
    (line,) = [line for line in axes.get_lines() if line.get_linewidth() > 1.5]
    assert line.get_markevery() == [59]


def test_a_run_of_one_step_has_one_tick_and_quantities_of_their_own_look() -> None:
    series = tuple(
        Series(label="a", slot=0, x=np.array([3.0]), y=np.array([value]), quantity=quantity)
        for value, quantity in ((20.0, "median"), (40.0, "95th percentile"))
    )
    panel = Panel(title="t", y_label="tokens", series=series)
    axes = plot(FigureSpec(name="x", title="X", caption="", panels=(panel,))).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["3"]
    markers = {line.get_marker() for line in axes.get_lines()}
    assert len(markers) == 2
    legend = axes.get_legend()
    assert legend is not None
    assert {line.get_marker() for line in legend.get_lines()} == markers


def test_bars_stand_out_of_their_markers() -> None:
    x = np.arange(4.0)
    tight = Series(label="a", slot=0, x=x, y=0.5 + x / 10, low=0.4999 + x / 10, high=0.5001 + x / 10, role="points")
    axes = plot(
        FigureSpec(name="x", title="X", caption="", panels=(Panel(title="t", y_label="y", series=(tight,)),))
    ).axes[0]
    (container,) = axes.containers
    line, caps, (bars,) = container.lines  # type: ignore[attr-defined]  # an ErrorbarContainer
    assert line.get_markerfacecolor() == "white"
    assert caps[0].get_markersize() > line.get_markersize()
    assert bars.get_zorder() > line.get_zorder()


def test_values_that_are_all_zero_have_an_axis() -> None:
    zeros = Series(label="a", slot=0, x=np.arange(3.0), y=np.zeros(3))
    figure = plot(FigureSpec(name="x", title="X", caption="", panels=(Panel(title="t", y_label="y", series=(zeros,)),)))
    assert figure.axes[0].get_ylim() == (0.0, 1.0)


def test_quantities_have_styles_and_a_legend_in_the_panel() -> None:
    series = (_series(0, quantity="all"), _series(0, quantity="right"))
    spec = FigureSpec(name="x", title="X", caption="", panels=(Panel(title="t", y_label="y", series=series),))
    figure = plot(spec)
    legend = figure.axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["all", "right"]
    assert not figure.legends
