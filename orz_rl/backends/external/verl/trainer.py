"""Starts, resumes and reads verl: its files in the run, its command, its checkpoints."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import pyarrow as pa
import yaml

from orz_bench.errors import RunDirError
from orz_bench.records.run_dir import write_text
from orz_rl.backends.external.mapping.table import Target
from orz_rl.backends.external.running.hooks import copy_hooks
from orz_rl.backends.external.running.interpreter import Requirement
from orz_rl.backends.external.scoring.prompts import num_tickets, write_tickets
from orz_rl.backends.external.verl.settings import configuration
from orz_rl.backends.following import verl
from orz_rl.backends.following.tool import Feed

_HOOK = Path(__file__).with_name("hook.py")
_NAME = "orz"
_FOLDERS = MappingProxyType({"policy": "actor", "critic": "critic"})


class VerlTrainer:
    """See the module."""

    name = "verl"
    requirement = Requirement(
        package="verl",
        versions=("0.9",),
        also=("vllm", "flash-attn", "TransferQueue"),
        variable="ORZ_VERL_PYTHON",
        install='"verl[verl-core]==0.9.1" vllm flash-attn',
    )
    writes_in_pieces = False

    def write(self, target: Target) -> None:
        """orz.yaml, agent_loops.yaml, tickets.parquet, code/."""
        code = copy_hooks(target, {"orz_verl.py": _HOOK})
        head = {
            "defaults": ["ppo_trainer", "_self_"],
            "hydra": {
                "searchpath": ["pkg://verl.trainer.config"],
                "run": {"dir": str(target.folder / f"attempt-{target.attempt:03d}")},
            },
            # Workers on other nodes of a Ray cluster do not inherit the environment.
            "ray_kwargs": {"ray_init": {"runtime_env": {"env_vars": {"PYTHONPATH": _path(code)}}}},
        }
        write_text(target.folder / f"{_NAME}.yaml", yaml.safe_dump(head | configuration(target), sort_keys=False))
        loop = {"name": _NAME, "_target_": "orz_verl.OrzAgentLoop", "service": str(target.service)}
        write_text(target.folder / "agent_loops.yaml", yaml.safe_dump([loop], sort_keys=False))
        write_tickets(target.tickets, _columns(num_tickets(target.config)))

    def command(self, target: Target, python: str) -> Sequence[str]:
        """verl resumes by itself from the newest checkpoint."""
        return (
            python,
            "-m",
            "verl.trainer.main_ppo",
            f"--config-path={target.folder}",
            f"--config-name={_NAME}",
        )

    def environment(self, target: Target) -> Mapping[str, str]:
        """Where its `file` logger, which truncates, and TensorBoard write."""
        return {
            "VERL_FILE_LOGGER_PATH": str(_log(target)),
            "TENSORBOARD_DIR": str(target.folder.parent / "tensorboard"),
            "PYTHONPATH": _path(target.folder / "code"),
            "HYDRA_FULL_ERROR": "1",
        }

    def last_checkpoint(self, target: Target) -> int:
        """As verl's own tracker says, which is written last."""
        tracker = target.checkpoints / "latest_checkpointed_iteration.txt"
        if not tracker.exists():
            return 0
        text = tracker.read_text(encoding="utf-8").strip()
        step = int(text) if text.isdigit() else 0
        if not (target.checkpoints / f"global_step_{step}").is_dir():
            raise RunDirError(
                f"{tracker}: names step {text!r}, but there is no folder global_step_{text} beside it. Restore it, or "
                f"write the step of another checkpoint into this file to resume from that."
            )
        return step

    def feed(self, target: Target) -> Feed | None:
        """The rows of its `file` logger."""
        return verl.TOOL.feed(_log(target), is_named=True) if _log(target).exists() else None

    def metrics(self, target: Target) -> Mapping[str, str]:
        """Its entropy is averaged as its loss is: over tokens, as ours, only in that case."""
        by_token = {"actor/entropy": "policy/entropy"} if target.config.loss.normalisation == "token" else {}
        return {**verl.METRICS, **by_token}

    def convert(self, target: Target, step: int, *, model: str, out: Path, python: str) -> Sequence[str]:
        """verl's own merger of sharded checkpoints."""
        saved = target.checkpoints / f"global_step_{step}" / _FOLDERS[model]
        if not saved.is_dir():
            steps = ", ".join(map(str, sorted(_saved(target)))) or "none"
            raise RunDirError(f"{saved}: verl has saved no {model} of this step; there are steps {steps}.")
        return (
            python,
            "-m",
            "verl.model_merger",
            "merge",
            "--backend",
            "fsdp",
            "--local_dir",
            str(saved),
            "--target_dir",
            str(out),
        )


def _log(target: Target) -> Path:
    return target.logs.with_suffix(".jsonl")


def _saved(target: Target) -> list[int]:
    names = (path.name.removeprefix("global_step_") for path in target.checkpoints.glob("global_step_*"))
    return [int(name) for name in names if name.isdigit()]


def _path(code: Path) -> str:
    return os.pathsep.join(filter(None, (str(code), os.environ.get("PYTHONPATH"))))


def _columns(count: int) -> dict[str, pa.Array]:
    """Rows as verl's dataset wants them; all that matters is their number."""
    numbers = pa.array(range(count), pa.int64())
    texts = numbers.cast(pa.string())
    message = pa.StructArray.from_arrays([pa.array(["user"] * count), texts], ["role", "content"])
    offsets = pa.array(range(count + 1), pa.int32())
    truth = pa.StructArray.from_arrays([pa.array(["rule"] * count), pa.array([""] * count)], ["style", "ground_truth"])
    return {
        "data_source": pa.array(["orz"] * count),
        "prompt": pa.ListArray.from_arrays(offsets, message),
        "reward_model": truth,
        "extra_info": pa.StructArray.from_arrays([numbers], ["index"]),
    }


TRAINER = VerlTrainer()
