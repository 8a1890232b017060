"""The parts of a stage on Ray Data: at RAY_ADDRESS, or on this machine. Nodes need the same installation and files.

Stages whose decisions depend on one row are opened by every process; the others look at all rows in this process, and
the others apply what it found. Parts are written to the folder of the result, so the bytes are the same as without Ray.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol

from orz_bench.errors import OrzError
from orz_bench.installed.extras import require
from orz_rl.curation.parts import Incoming, StageFolder
from orz_rl.curation.stages.stage import Decide, Stage


class RunParts(Protocol):
    """Decides these parts of a stage and writes them."""

    def __call__(self, stage: Stage, incoming: Incoming, *, target: StageFolder, missing: Sequence[int]) -> None:
        """`missing`: the numbers of the parts."""
        ...


@contextmanager
def parts_on_ray() -> Iterator[RunParts]:
    """Start or join Ray; yields what decides the parts of a stage."""
    require("ray", what="--ray")
    from orz_bench.engines.ray.session import end_ray, start_ray

    start_ray()
    try:
        yield _run
    finally:
        end_ray()


def _run(stage: Stage, incoming: Incoming, *, target: StageFolder, missing: Sequence[int]) -> None:
    incoming = Incoming(StageFolder(incoming.folder.path.resolve()), incoming.num_parts)
    target = StageFolder(target.path.resolve())
    if stage.is_local:
        _map(_Opened, missing, arguments=(stage, incoming, target))
        return
    with stage.open(incoming, scratch=target.scratch) as decide:
        _map(_Deciding, missing, arguments=(decide, incoming, target))


class _Deciding:
    """Decides parts by a function that was made elsewhere."""

    def __init__(self, decide: Decide, incoming: Incoming, target: StageFolder) -> None:
        self._decide, self._incoming, self._target = decide, incoming, target

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        for number in batch["number"].tolist():
            self._target.write(number, self._decide(self._incoming.folder.kept(number)))
        return batch


class _Opened(_Deciding):
    """Decides parts by a stage that this process opens."""

    def __init__(self, stage: Stage, incoming: Incoming, target: StageFolder) -> None:
        self._open = ExitStack()
        decide = self._open.enter_context(stage.open(incoming, scratch=target.scratch))
        super().__init__(decide, incoming, target)

    def __del__(self) -> None:
        self._open.close()


def _map(worker: type[_Deciding], missing: Sequence[int], *, arguments: tuple[Any, ...]) -> None:
    import ray
    from ray.data import ActorPoolStrategy, DataContext, from_items

    DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    size = max(1, min(len(missing), int(ray.cluster_resources().get("CPU", 1))))
    parts = from_items([{"number": number} for number in missing], override_num_blocks=len(missing))
    decided = parts.map_batches(
        worker,
        batch_size=1,
        compute=ActorPoolStrategy(size=size),
        fn_constructor_args=arguments,
        num_cpus=1,
    )
    try:
        decided.materialize()
    except ray.exceptions.RayTaskError as error:
        cause = error.cause
        if isinstance(cause, OrzError):
            raise cause from error
        raise
