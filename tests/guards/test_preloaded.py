"""Commands are forked from a process that has the libraries loaded; a forkserver that could not load them is silent."""

from __future__ import annotations

import sys

from tests.support.preloaded import FORKED


def test_forked_processes_have_the_libraries() -> None:
    process = FORKED.Process(target=expect_libraries)
    process.start()
    process.join()
    assert process.exitcode == 0, "python -c 'import tests.support.heavy_libraries' shows why"


def expect_libraries() -> None:
    sys.exit("tests.support.heavy_libraries" not in sys.modules or "deepspeed" not in sys.modules)
