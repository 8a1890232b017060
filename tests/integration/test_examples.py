"""The notebook's cells run in order, by Python itself: what a reader sees is what happens."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.guards.tree import PROJECT
from tests.support.preloaded import FORKED

NOTEBOOK = PROJECT / "examples" / "from_python.ipynb"


@pytest.mark.slow
def test_the_notebook_goes_from_a_run_to_a_figure(tmp_path: Path) -> None:
    process = FORKED.Process(target=run_cells, args=(tmp_path,))
    process.start()
    process.join(600)
    assert process.exitcode == 0
    assert (tmp_path / "training.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "runs" / "notebook" / "DONE").exists()


def run_cells(folder: Path) -> None:
    import os

    os.chdir(folder)
    names: dict[str, object] = {}
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), cell["id"], "exec"), names)
    sys.exit(0)


def test_the_notebook_is_stored_without_outputs() -> None:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells if "outputs" in cell)
