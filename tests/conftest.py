"""What holds for every test: fixed random examples, and real models one at a time."""

from __future__ import annotations

import pytest
from hypothesis import settings

# No deadline: a busy machine is not a bug. The same examples in every run: a failure of CI is a failure here.
settings.register_profile("orz", deadline=None, derandomize=True)
settings.load_profile("orz")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that load a real model go to one worker, so that two engines never compete for the cores."""
    for item in items:
        if item.get_closest_marker("real_model"):
            item.add_marker(pytest.mark.xdist_group("real_model"))
