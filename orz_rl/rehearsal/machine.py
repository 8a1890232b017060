"""Rows about the devices themselves: driver, free memory, peer access, collectives."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from orz_bench.errors import counted
from orz_rl.rehearsal.rows import Check, Device, ImpossibleError, MismatchError
from orz_rl.workers.ports import free_port

_ELEMENTS = 2**20
_NEEDED_GIB = 4.0
"""What the rows need of a GPU, or of a CPU's memory."""


def checks(device: Device, _folder: Path) -> Iterator[Check]:
    """In the order of the table."""
    is_gpu = device == "cuda"
    yield Check("driver", _driver if is_gpu else _cpu, "install a driver that supports the CUDA version of torch")
    yield Check(
        "free memory",
        _gpu_memory if is_gpu else _cpu_memory,
        "end other programs, or choose free GPUs with CUDA_VISIBLE_DEVICES",
    )
    yield Check(
        "peer access",
        _peers if is_gpu else _no_peers,
        "cluster.weight_sync=host, and NCCL_P2P_DISABLE=1 if NCCL stalls",
    )
    yield Check(
        "collectives (NCCL)" if is_gpu else "collectives (gloo)",
        lambda: _collectives(device),
        "run with NCCL_DEBUG=INFO and see its first error; a container needs --shm-size=8g or more",
    )


def _driver() -> str:
    import torch

    from orz_rl.rehearsal.gpus import list_gpus

    if not torch.cuda.is_available():
        raise MismatchError(f"torch {torch.__version__} sees no GPU; a build with CUDA is wanted")
    gpus, (major, minor) = list_gpus(), torch.cuda.get_device_capability()
    names = ", ".join(sorted({gpu.name for gpu in gpus})) or torch.cuda.get_device_name()
    if major < 8:
        raise MismatchError(f"{names}: compute capability {major}.{minor}; bfloat16 needs 8.0 or more")
    nccl = ".".join(map(str, torch.cuda.nccl.version()))
    driver = gpus[0].driver if gpus else "unknown"
    return f"{torch.cuda.device_count()} x {names}, driver {driver}, CUDA {torch.version.cuda}, NCCL {nccl}"


def _cpu() -> str:
    import torch

    return f"no GPU: {counted(len(os.sched_getaffinity(0)), 'core')}, torch {torch.__version__}"


def _gpu_memory() -> str:
    import torch

    free = [torch.cuda.mem_get_info(index)[0] / 2**30 for index in range(torch.cuda.device_count())]
    if min(free) < _NEEDED_GIB:
        raise MismatchError(f"{min(free):.1f} GiB free on the fullest GPU, {_NEEDED_GIB:g} are needed")
    return f"{min(free):.1f} GiB or more free on each GPU"


def _cpu_memory() -> str:
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    shared = os.statvfs("/dev/shm").f_bavail * os.statvfs("/dev/shm").f_frsize / 2**30  # noqa: S108 - asked, not used
    if shared < 0.5:
        raise MismatchError(f"{shared:.2f} GiB free in /dev/shm, 0.5 are needed")
    return f"{free:.1f} GiB free, {shared:.1f} GiB in /dev/shm"


def _peers() -> str:
    import torch

    count = torch.cuda.device_count()
    if count < 2:
        raise ImpossibleError("one GPU has no peer")
    pairs = [(a, b) for a in range(count) for b in range(count) if a != b]
    without = [pair for pair in pairs if not torch.cuda.can_device_access_peer(*pair)]
    if without:
        raise MismatchError(f"{len(without)} of {counted(len(pairs), 'pair')} without, such as {without[0]}")
    return f"all {counted(len(pairs), 'pair')}"


def _no_peers() -> str:
    raise ImpossibleError("a CPU has no peers")


def _collectives(device: Device) -> str:
    """Sums over ranks in processes of their own: one a GPU, or two on a CPU."""
    import torch

    ranks = torch.cuda.device_count() if device == "cuda" else 2
    if ranks < 2:
        raise ImpossibleError("one GPU has nobody to talk to")
    port = free_port()
    torch.multiprocessing.spawn(_rank, args=(_World(ranks, f"tcp://127.0.0.1:{port}", device),), nprocs=ranks)
    return f"{ranks} ranks: all_reduce, all_gather and broadcast of {_ELEMENTS:,} numbers are exact"


class _World(NamedTuple):
    ranks: int
    rendezvous: str
    device: Device


def _rank(rank: int, world: _World) -> None:
    import torch
    import torch.distributed as dist

    ranks, is_gpu = world.ranks, world.device == "cuda"
    place: Any = torch.device("cuda", rank) if is_gpu else torch.device("cpu")
    if is_gpu:
        torch.cuda.set_device(place)
    dist.init_process_group(
        "nccl" if is_gpu else "gloo",
        init_method=world.rendezvous,
        rank=rank,
        world_size=ranks,
    )
    own = torch.arange(_ELEMENTS, device=place) + rank
    total = own.clone()
    dist.all_reduce(total)
    base = torch.arange(_ELEMENTS, device=place)
    assert torch.equal(total, base * ranks + sum(range(ranks))), "all_reduce"
    gathered = [torch.empty_like(own) for _ in range(ranks)]
    dist.all_gather(gathered, own)
    assert all(torch.equal(found, base + number) for number, found in enumerate(gathered)), "all_gather"
    dist.broadcast(own, 0)
    assert torch.equal(own, base), "broadcast"
    dist.destroy_process_group()
