"""The tables of docs/gpu.md are what the plan and the recorded simulation say."""

from __future__ import annotations

import importlib.util
from typing import Any

from tests.guards.tree import PROJECT


def test_its_tables_are_those_of_the_script() -> None:
    path = PROJECT / "benchmarks" / "gpu_tables.py"
    spec = importlib.util.spec_from_file_location("gpu_tables", path)
    assert spec is not None
    assert spec.loader is not None
    script: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    text = (PROJECT / "docs" / "gpu.md").read_text(encoding="utf-8")
    assert text == script.written(text), "docs/gpu.md is not what benchmarks/gpu_tables.py writes; run it"
