"""Starts, resumes and reads SkyRL: its files in the run, its command, its checkpoints."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from orz_bench.errors import RunDirError
from orz_bench.records.foreign_metrics import same_metrics
from orz_bench.records.run_dir import to_json, write_text
from orz_rl.backends.external.mapping.table import Target
from orz_rl.backends.external.running.hooks import copy_hooks
from orz_rl.backends.external.running.interpreter import Requirement
from orz_rl.backends.external.scoring.prompts import num_tickets
from orz_rl.backends.external.skyrl.settings import keys_of, tickets
from orz_rl.backends.following import verl
from orz_rl.backends.following.tool import Feed

_HOOK = Path(__file__).with_name("hook.py")
_SAMPLED = ("reward/", "generate/")
"""Of what our rollouts say too."""
_METRICS = {name: ours for name, ours in same_metrics("skyrl").items() if not name.startswith(_SAMPLED)}


class SkyRlTrainer:
    """See the module."""

    name = "skyrl"
    requirement = Requirement(
        package="skyrl",
        versions=("0.4",),
        also=("vllm", "flash-attn"),
        variable="ORZ_SKYRL_PYTHON",
        install='"skyrl[skyrl-train,fsdp]==0.4.0" (Python 3.12 or newer)',
    )
    writes_in_pieces = False

    def write(self, target: Target) -> None:
        """The number of tickets, code/."""
        copy_hooks(target, {"orz_skyrl.py": _HOOK})
        write_text(tickets(target), to_json({"count": num_tickets(target.config)}))

    def command(self, target: Target, python: str) -> Sequence[str]:
        """It resumes from its latest checkpoint by itself."""
        entry = ("trainer.override_entrypoint=orz_skyrl",)
        return (python, "-m", "skyrl.train.entrypoints.main_base", *entry, *arguments(keys_of(target)))

    def environment(self, target: Target) -> Mapping[str, str]:
        """What our entry point reads."""
        return {
            "PYTHONPATH": os.pathsep.join(filter(None, (str(target.folder / "code"), os.environ.get("PYTHONPATH")))),
            "ORZ_SERVICE": str(target.service),
            "ORZ_METRICS": str(_log(target)),
            "TENSORBOARD_DIR": str(target.folder.parent / "tensorboard"),
        }

    def last_checkpoint(self, target: Target) -> int:
        """As SkyRL's own tracker says, which is written last."""
        tracker = target.checkpoints / "latest_ckpt_global_step.txt"
        if not tracker.exists():
            return 0
        text = tracker.read_text(encoding="utf-8").strip()
        if not text.isdigit() or not (target.checkpoints / f"global_step_{text}").is_dir():
            raise RunDirError(
                f"{tracker}: names step {text!r}, but there is no folder global_step_{text} beside it. Restore it, or "
                f"write the step of another checkpoint into this file to resume from that."
            )
        return int(text)

    def feed(self, target: Target) -> Feed | None:
        """Rows of the same shape as those of verl's `file` logger."""
        return verl.TOOL.feed(_log(target), is_named=True) if _log(target).exists() else None

    def metrics(self, target: Target) -> Mapping[str, str]:
        """See _METRICS."""
        del target
        return _METRICS

    def convert(self, target: Target, step: int, *, model: str, out: Path, python: str) -> Sequence[str]:
        """SkyRL writes the format itself beside its checkpoints."""
        del python
        exports = target.folder / "exports"
        saved = exports / f"global_step_{step}" / "policy"
        if model != "policy":
            raise RunDirError(
                f"{saved.parent / 'critic'}: SkyRL keeps its critic in a class of its own, which no other program "
                f"loads; only policies are exported."
            )
        if not (saved / "config.json").is_file():
            found = sorted(
                path.parents[1].name.removeprefix("global_step_") for path in exports.glob("*/policy/*.json")
            )
            raise RunDirError(
                f"{saved}: SkyRL has saved no policy of this step; there are steps {', '.join(found) or 'none'}."
            )
        return ("cp", "-r", str(saved), str(out))


def arguments(found: Mapping[str, Any]) -> list[str]:
    """`key=value` with values as JSON, which its parser reads as YAML."""
    return [f"{name}={json.dumps(value)}" for name, value in found.items()]


def _log(target: Target) -> Path:
    return target.logs.with_suffix(".jsonl")


TRAINER = SkyRlTrainer()
