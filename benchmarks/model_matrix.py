"""Ten architectures x number types x layouts under both local engines: each cell is right, or refused with a reason.

Right means: every log-probability that the engine reports, drawn or asked for, is that of a plain forward of the model
without a cache, up to rounding in that type, and greedy tokens are the best ones. vLLM runs in a process of its
own for each row, because it changes classes of transformers. Half an hour on two cores; Ctrl-C keeps what is done.
"""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from _record import HERE, keep

sys.path.insert(0, str(HERE.parent))

from orz_bench.environment import set_library_defaults
from tests.support.model_zoo import ARCHITECTURES, TOLERANCES, Cell, a_model, compared, reported


def main() -> None:
    """Run every cell, or those of the architectures that are named."""
    set_library_defaults()
    cells: dict[str, dict[str, str]] = {}
    processes = multiprocessing.get_context("spawn")
    with suppress(KeyboardInterrupt):
        for cell in _cells(sys.argv[1:] or ARCHITECTURES):
            with tempfile.TemporaryDirectory() as folder, processes.Pool(1) as with_vllm, processes.Pool(1) as without:
                pools = {"transformers": without, "vllm": with_vllm}
                without.apply(a_model, (Path(folder), cell))
                found = {
                    name: pool.apply(reported, (Path(folder), cell), {"engine": name}) for name, pool in pools.items()
                }
                cells[cell.name] = {
                    name: without.apply(compared, (said, Path(folder)), {"cell": cell}) for name, said in found.items()
                }
            print(cell.name, cells[cell.name], file=sys.stderr, flush=True)
    results = [result for row in cells.values() for result in row.values()]
    counts = {word: sum(result.startswith(word) for result in results) for word in ("right", "refused", "WRONG")}
    keep("model_matrix", {"tolerances": TOLERANCES, "counts": counts, "cells": cells})


def _cells(architectures: Sequence[str]) -> Iterator[Cell]:
    for name in architectures:
        yield Cell(architecture=name, dtype="float32")
    for name in architectures:
        yield Cell(architecture=name, dtype="bfloat16", is_tied=True, is_sharded=True, has_template=False)
    for name in architectures:
        yield Cell(architecture=name, dtype="float16")


if __name__ == "__main__":
    main()
