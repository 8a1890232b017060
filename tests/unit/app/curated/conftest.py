"""One curated set for the tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.curated_sets import curated


@pytest.fixture(scope="session")
def mix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return curated(tmp_path_factory.mktemp("curated") / "mix")
