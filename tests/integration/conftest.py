"""What several integration tests share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.command_line import orz_bench
from tests.support.forked_workers import forked_workers


@pytest.fixture(scope="session")
def smollm2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packaged real model as a checkpoint; it is converted once, because that takes ten seconds."""
    folder = tmp_path_factory.mktemp("models") / "smollm2-135m"
    done = orz_bench("model", "fetch", "smollm2-135m", "--out", folder)
    assert f"checkpoint: {folder}" in done.stdout
    assert orz_bench("model", "fetch", "smollm2-135m", "--out", folder).stdout == done.stdout
    return folder


@pytest.fixture
def workers() -> Iterator[Mapping[str, str]]:
    """Variables for a command whose Ray workers are to be forked from a process that has the libraries loaded."""
    with forked_workers() as environment:
        yield environment
