"""Experiment trackers that get the metrics besides metrics.jsonl: TensorBoard, and optionally Weights & Biases."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from typing import Any

from orz_bench.errors import ConfigError
from orz_bench.records.metrics import METRICS
from orz_bench.records.run_dir import RunDir
from orz_bench.records.summary import EvalResult
from orz_rl.settings.around import LoggingConfig


class Trackers:
    """Those that the configuration asks for, as one."""

    def __init__(self, config: LoggingConfig, run: RunDir, *, resumes_at: int = 0) -> None:
        """A run resumed after the step `resumes_at` stays one run: values of later steps are replaced, not added."""
        self._tensorboard: Any = None
        self._wandb: Any = None
        if config.tensorboard:
            from tensorboardX import SummaryWriter

            purge = resumes_at + 1 if resumes_at else 0  # the base model is evaluated again as well
            self._tensorboard = SummaryWriter(str(run.path / "tensorboard"), flush_secs=10, purge_step=purge)
        if config.wandb_project is not None:
            import wandb

            self._wandb = wandb.init(**wandb_settings(config.wandb_project, run))

    def write(self, row: Mapping[str, float]) -> None:
        """The row of a step, also under the names that Open-Reasoner-Zero uses where they differ."""
        values = dict(row) | {
            METRICS[name].reference_name: value for name, value in row.items() if METRICS[name].reference_name
        }
        self._scalars({str(name): value for name, value in values.items() if name != "step"}, int(row["step"]))

    def write_results(self, results: Sequence[EvalResult]) -> None:
        """The accuracies of an evaluation."""
        for result in results:
            self._scalars({f"evals/{result.benchmark}/accuracy": result.summary.avg_at_n}, result.step)

    def close(self) -> None:
        """Write buffered values."""
        if self._tensorboard is not None:
            self._tensorboard.close()
        if self._wandb is not None:
            self._wandb.finish()

    def _scalars(self, values: Mapping[str, float], step: int) -> None:
        if self._tensorboard is not None:
            for name, value in values.items():
                self._tensorboard.add_scalar(name, value, step)
        if self._wandb is not None:
            self._wandb.log(dict(values), step=step)


def check_trackers(config: LoggingConfig) -> None:
    """Raise ConfigError if the package of a tracker is missing."""
    for wanted, package in ((config.tensorboard, "tensorboardX"), (config.wandb_project is not None, "wandb")):
        if wanted and importlib.util.find_spec(package) is None:
            setting = "logging.tensorboard=false" if package == "tensorboardX" else "logging.wandb_project=null"
            raise ConfigError(f"{package} is not installed; run: pip install {package}. Or set {setting}.")


def wandb_settings(project: str, run: RunDir) -> dict[str, Any]:
    """Settings under which a resumed run stays one run; W&B keeps the first row of a step that is written again."""
    return {
        "project": project,
        "name": run.path.name,
        "id": run.info()["run_id"],
        "dir": str(run.path),
        "resume": "allow",
    }
