"""Where metrics go besides metrics.jsonl: TensorBoard, and Weights & Biases when asked."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from typing import Any

from orz_bench.errors import ConfigError
from orz_bench.extras import how_to_install
from orz_bench.records.metrics import METRICS
from orz_bench.records.run_dir import RunDir
from orz_bench.records.summary import EvalResult
from orz_rl.config import LoggingConfig


class Boards:
    """Both, or none."""

    def __init__(self, config: LoggingConfig, run: RunDir, *, resumes_at: int = 0) -> None:
        """A run that goes on after the step `resumes_at` stays one run: later steps are written again, not besides."""
        self._tensorboard: Any = None
        self._wandb: Any = None
        if config.tensorboard:
            from tensorboardX import SummaryWriter

            purge = resumes_at + 1 if resumes_at else 0  # the base model is evaluated again, too
            self._tensorboard = SummaryWriter(str(run.path / "tensorboard"), flush_secs=10, purge_step=purge)
        if config.wandb_project is not None:
            import wandb

            self._wandb = wandb.init(**wandb_settings(config.wandb_project, run))

    @staticmethod
    def check(config: LoggingConfig) -> None:
        """Raise ConfigError for a board whose package is missing."""
        for wanted, package in ((config.tensorboard, "tensorboardX"), (config.wandb_project is not None, "wandb")):
            if wanted and importlib.util.find_spec(package) is None:
                setting = "logging.tensorboard=false" if package == "tensorboardX" else "logging.wandb_project=null"
                extra = "train" if package == "tensorboardX" else "wandb"
                raise ConfigError(f"{package} is not installed; run: {how_to_install(extra)}. Or set {setting}.")

    def write(self, row: Mapping[str, float]) -> None:
        """One step; also under the names of Open-Reasoner-Zero's boards, where they differ."""
        values = dict(row) | {
            METRICS[name].reference_name: value for name, value in row.items() if METRICS[name].reference_name
        }
        self._scalars({str(name): value for name, value in values.items() if name != "step"}, int(row["step"]))

    def write_results(self, results: Sequence[EvalResult]) -> None:
        """Accuracies of an evaluation."""
        for result in results:
            self._scalars({f"evals/{result.benchmark}/accuracy": result.summary.avg_at_n}, result.step)

    def close(self) -> None:
        """Write what is buffered."""
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


def wandb_settings(project: str, run: RunDir) -> dict[str, Any]:
    """Under an id of its own a resumed run goes on; W&B keeps the first row of a step that is written again."""
    return {
        "project": project,
        "name": run.path.name,
        "id": run.info()["run_id"],
        "dir": str(run.path),
        "resume": "allow",
    }
