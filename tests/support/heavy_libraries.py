"""Imports what takes long, once; the commands of preloaded.py are forked from a process that has done so.

A model is loaded too, because transformers imports most of itself only then. No thread may be left: a fork has one.
"""

from __future__ import annotations

import gc
import os
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from orz_bench.environment import set_library_defaults
from orz_bench.models.transformers_imports import leave_out_unused

os.environ.setdefault("OMP_NUM_THREADS", "1")
set_library_defaults()

MODULES = (
    "blake3",
    "deepspeed.module_inject.auto_ep_layer",
    "deepspeed.moe.ep_router",
    "deepspeed.ops.op_builder.all_ops",
    "duckdb",
    "matplotlib.pyplot",
    "ruptures",
    "scipy.stats",
    "setuptools",
    "tensorboardX",
    "torch.utils.serialization",
    "analysis.cli",
    "analysis.report.build",
    "orz_bench.cli",
    "orz_bench.engines.transformers.engine",
    "orz_bench.evaluation.run_evaluation",
    "orz_bench.grading.grader",
    "orz_rl.cli",
    "orz_rl.training.loop",
    "orz_rl.workers.model_rank",
    "orz_rl.backends.trl.run",
)


def one_thread_pool() -> None:
    """In a forked child, before it has threads: torch replaces its parent's pool, and in two threads at once it fails.

    `ParallelOpenMP.cpp: Invalid thread pool!` is what a thread reads that loads weights while another one replaces it.
    """
    import torch

    torch.set_num_threads(1)


def load() -> None:
    leave_out_unused()
    import torch
    from transformers import AutoModelForCausalLM, AutoModelForTokenClassification, AutoTokenizer

    from orz_rl.assets.resolve import TINY

    for name in MODULES:
        import_module(name)
    torch.set_num_threads(1)
    os.register_at_fork(after_in_child=one_thread_pool)
    import_module("tqdm").tqdm.monitor_interval = 0  # a thread that looks after progress bars
    AutoTokenizer.from_pretrained(TINY)
    model = AutoModelForCausalLM.from_pretrained(TINY)
    AutoModelForTokenClassification.from_config(model.config)
    for thread in threading.enumerate():
        if thread is not threading.main_thread():
            thread.join(60)  # those that loaded the weights may still be ending
    assert threading.active_count() == 1, threading.enumerate()


@contextmanager
def silence() -> Iterator[None]:
    """What libraries print while they are loaded, also past sys.stdout, goes nowhere."""
    kept = [os.dup(number) for number in (1, 2)]
    with Path(os.devnull).open("wb") as nowhere:
        for number in (1, 2):
            os.dup2(nowhere.fileno(), number)
        try:
            yield
        finally:
            for number, file in enumerate(kept, start=1):
                os.dup2(file, number)
                os.close(file)


try:
    with silence():
        load()
except ImportError:
    traceback.print_exc()  # multiprocessing goes on without a word, and every command would load its libraries itself
    raise
gc.freeze()  # what is loaded stays shared memory, and is not looked through by collections of the children
