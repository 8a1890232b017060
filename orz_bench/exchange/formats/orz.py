"""Open-Reasoner-Zero's own dumps: iter{N}_generation_results.json and eval_output_iter{N}_{set}{accuracy}.jsonl."""

from __future__ import annotations

from functools import partial

from orz_bench.exchange.formats.format import Contents, Format
from orz_bench.exchange.formats.head import Head
from orz_bench.exchange.formats.table import samples_of
from orz_bench.records.foreign import dumped


def read(head: Head) -> Contents | None:
    """A dump, which is one by its name."""
    named = dumped(head.path)
    if named is None:
        return None
    trains = named.benchmark is None
    return Contents(
        what=f"a dump of Open-Reasoner-Zero ({'rollouts' if trains else named.benchmark}, step {named.step})",
        kind="samples",
        samples=partial(samples_of, head, step=named.step, benchmark=named.benchmark or "training"),
        trains=trains,
    )


FORMAT = Format(name="orz", title="Open-Reasoner-Zero", read=read)
