"""What the libraries hold is left out of the search for garbage, in a process of its own: it changes the process."""

from __future__ import annotations

import subprocess
import sys

_SCRIPT = """
import gc, sys, types
import pandas
from app.views.libraries import leave_libraries_out

leave_libraries_out()
held = gc.get_freeze_count()
assert held > 50_000, held
assert len(gc.get_objects()) < held / 10
leave_libraries_out()
assert gc.get_freeze_count() == held, "nothing was loaded"
for number in range(100):
    sys.modules[f"loaded_{number}"] = types.ModuleType("loaded")
leave_libraries_out()
assert gc.get_freeze_count() > held

class Ring:
    def __init__(self):
        self.own = self

import weakref
ring = weakref.ref(Ring())
gc.collect()
assert ring() is None, "garbage is found as before"
"""


def test_objects_that_stay_are_not_searched() -> None:
    found = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert "leaked" not in found.stderr
