"""Where the real data for tests lie: $ORZ_DATA, else ../shared/data beside the project. They are not part of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]


def shared_data() -> Path:
    """The folder with eval/, rollouts/ and conformance/; skips the calling test where there is none."""
    folder = Path(os.environ.get("ORZ_DATA") or PROJECT.parent / "shared" / "data")
    if not (folder / "eval").is_dir():
        pytest.skip(
            f"no real data for tests: neither $ORZ_DATA nor {folder} holds an eval folder; name one in $ORZ_DATA"
        )
    return folder
