"""Commands are forked from a process that has the libraries loaded; a forkserver that could not load them is silent."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

from tests.support.preloaded import FORKED


def test_forked_processes_have_the_libraries() -> None:
    process = FORKED.Process(target=expect_libraries)
    process.start()
    process.join()
    assert process.exitcode == 0, "python -c 'import tests.support.heavy_libraries' shows why"


def test_transformers_loads_nothing_that_is_not_used() -> None:
    """scikit-learn and pandas alone are a fifth of the CPU time of loading a model."""
    process = FORKED.Process(target=expect_no_sklearn)
    process.start()
    process.join()
    assert process.exitcode == 0


def test_threads_of_a_forked_process_share_one_pool() -> None:
    """Without `one_thread_pool` torch fails in about one of five children whose threads begin together."""
    process = FORKED.Process(target=compute_in_children)
    process.start()
    process.join()
    assert process.exitcode == 0


def compute_in_children() -> None:
    for _ in range(25):
        if (child := os.fork()) == 0:
            os._exit(compute_in_threads())
        _, status = os.waitpid(child, 0)
        if status != 0:
            sys.exit(1)


def compute_in_threads() -> int:
    import torch

    numbers = torch.ones(100_000)
    with ThreadPoolExecutor(4) as pool:
        converted = [pool.submit(numbers.to, torch.bfloat16) for _ in range(16)]
    return int(any(each.exception() for each in converted))


def expect_no_sklearn() -> None:
    from transformers import AutoModelForCausalLM
    from transformers.utils import import_utils

    assert AutoModelForCausalLM.__module__ in sys.modules
    sys.exit("sklearn" in sys.modules or import_utils.is_sklearn_available() or find_spec("sklearn") is None)


def expect_libraries() -> None:
    sys.exit("tests.support.heavy_libraries" not in sys.modules or "deepspeed" not in sys.modules)
