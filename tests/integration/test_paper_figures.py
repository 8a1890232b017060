"""Every figure of the paper on the paper's own curves: drawn, nothing cut, and the points are the paper's."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from analysis.figures.drawing import plot, png_of
from analysis.figures.registry import get_figure
from analysis.figures.spec import rows
from tests.support.paper_curves import paper_groups
from tests.support.shared_data import shared_data

FIGURES = {
    "benchmarks": ("feb2025_fig1", "mar2025_fig10"),
    "format": ("feb2025_fig4",),
    "training": ("feb2025_fig5",),
    "accuracy-length": ("feb2025_fig5",),
    "length": ("feb2025_fig10",),
    "reflection": ("feb2025_fig7",),
    "lambda": ("feb2025_fig8",),
    "kl": ("feb2025_fig9",),
    "data-scale": ("feb2025_fig10",),
    "curation": ("feb2025_fig12",),
    "batch": ("feb2025_fig13",),
    "lambda-kl": ("feb2025_fig14",),
    "sampling": ("feb2025_fig15",),
}
CASES = [(name, source) for name, sources in FIGURES.items() for source in sources]


@pytest.mark.parametrize(("name", "source"), CASES)
def test_a_figure_of_the_paper(name: str, source: str) -> None:
    folder = shared_data()
    spec = get_figure(name).make(paper_groups(folder, source))
    picture = np.asarray(Image.open(io.BytesIO(png_of(plot(spec)))).convert("L"))
    for edge in (picture[0], picture[-1], picture[:, 0], picture[:, -1]):
        assert edge.min() == 255
    assert (picture < 200).mean() > 0.01
    plotted = rows(spec).dropna(subset=["step"])
    assert set(plotted["value"].round(6)) <= _values(folder, source)


def _values(folder: Path, source: str) -> set[float]:
    table = pd.read_csv(folder / "curves" / f"{source}.csv")
    values = table["y"].astype(float)
    return {*values.round(6), *(values / 100).round(6)}


def test_the_reflection_figure_has_the_whole_run() -> None:
    spec = get_figure("reflection").make(paper_groups(shared_data(), "feb2025_fig7"))
    table = rows(spec)
    counts = table.groupby(["panel", "series"], sort=False).size().to_list()
    assert counts == [713, 706, 715]
    assert table["step"].max() == 730
