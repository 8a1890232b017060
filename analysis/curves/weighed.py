"""Add to a study how far its weights moved between its first and its last kept checkpoint."""

from __future__ import annotations

from dataclasses import replace

from analysis.curves.study import Study
from analysis.weights.moved import MovedWeights, moved_weights
from orz_bench.errors import DataError, OrzError, counted
from orz_bench.records.run_dir import RunDir

MOST_BYTES = 1 << 28
"""Of a checkpoint: larger ones take minutes."""


def with_weights(study: Study) -> Study:
    """The study of a training with the weights that moved; unchanged where kept_weights refuses."""
    if study.run.kind != "train":
        return study
    try:
        return replace(study, weights=kept_weights(study))
    except OrzError:
        return study


def kept_weights(study: Study) -> MovedWeights:
    """From the first kept checkpoint to the last one. DataError for fewer than two, and for more than 256 MiB."""
    kept = RunDir(study.run.path).checkpoints()
    if len(kept) < 2:
        found = counted(len(kept), "kept checkpoint")
        raise DataError(f"{study.run.path}: has {found}, wanted two; checkpoint.keep_last says how many are kept.")
    (first, a), (last, b) = kept[0], kept[-1]
    if sum(file.stat().st_size for file in a.glob("*.safetensors")) > MOST_BYTES:
        raise DataError(f"{a}: has more than {MOST_BYTES >> 20} MiB; orz-analysis weights compares it in minutes.")
    return moved_weights(a, b, names=(f"step {first}", f"step {last}"))
