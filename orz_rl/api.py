"""The public Python functions of orz_rl: `configure` a recipe and `train` it, with the code of the commands.

    import orz_rl

    config = orz_rl.configure("tiny", "num_steps=5", "eval.benchmarks=")
    outcome = orz_rl.train(config, out="runs/five-steps")

Import them from `orz_rl`; docs/api.md lists what is public. They print nothing, and raise orz_bench.errors.OrzError.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orz_bench.environment import data_folders
from orz_bench.records.rollout import Rollout
from orz_rl.backends.backend import Job
from orz_rl.backends.registry import DEFAULT
from orz_rl.backends.start import start
from orz_rl.config import TrainConfig
from orz_rl.recipes.registry import resolve
from orz_rl.training.progress import Observer, Outcome

__all__ = ["Observer", "Outcome", "TrainConfig", "configure", "train"]


def configure(recipe: str, *overrides: str, variants: Sequence[str] = ()) -> TrainConfig:
    """A recipe, changed by variants in turn, then by overrides of the form `section.key=value`; checked as a whole.

    Raises one ConfigError that lists every fault. TrainConfig is a tree of pydantic models: `config.model_copy` and the
    classes of orz_rl.config work as well.
    """
    return resolve(recipe, variants=variants, overrides=overrides)


def train(
    config: TrainConfig,
    *,
    out: str | Path,
    backend: str = DEFAULT,
    observer: Observer | None = None,
    fresh: bool = False,
) -> Outcome:
    """What `orz-rl train` does: start the run in the folder `out`, or resume it, and train to its last step.

    Args:
        config: From `configure`, or built from the classes of orz_rl.config.
        out: The run directory.
        backend: A name listed by `orz-rl backends`.
        observer: Receives notices, warnings, rollouts and the metrics of each step; None: nobody does.
        fresh: Delete an existing run there and start over.

    Raises OrzError for whatever settings, files or a process that died cause; finished work is saved.
    """
    job = Job(config=config, out=Path(out), data=data_folders(None), command=("orz_rl.train(...)",), fresh=fresh)
    return start(backend, job, observer=observer or _Silent())


@dataclass(frozen=True, slots=True)
class _Silent:
    """Ignores everything."""

    def notice(self, text: str) -> None: ...

    def warn(self, text: str) -> None: ...

    def sampled(self, rollouts: Sequence[Rollout]) -> None: ...

    def stepped(self, row: Mapping[str, float], num_steps: int) -> None: ...
