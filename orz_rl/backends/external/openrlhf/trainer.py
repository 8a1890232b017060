"""Starts, resumes and reads OpenRLHF: its files in the run, its command, its checkpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from orz_bench.errors import ConfigError, RunDirError
from orz_bench.records.run_dir import to_json, write_text
from orz_rl.backends.external.mapping.table import Target
from orz_rl.backends.external.openrlhf.settings import arguments, final, keeps_logprobs, options
from orz_rl.backends.external.running.hooks import copy_hooks
from orz_rl.backends.external.running.interpreter import Requirement
from orz_rl.backends.external.scoring.prompts import num_tickets, write_tickets
from orz_rl.backends.following import openrlhf
from orz_rl.backends.following.feeds import EventsFeed
from orz_rl.backends.following.tool import Feed

_HOOK = Path(__file__).with_name("hook.py")
_TAG = "global_step"


class OpenRlhfTrainer:
    """See the module."""

    name = "openrlhf"
    requirement = Requirement(
        package="openrlhf",
        versions=("0.11",),
        also=("vllm", "deepspeed", "flash-attn"),
        variable="ORZ_OPENRLHF_PYTHON",
        install='"openrlhf[vllm]==0.11.2" tensorboard',
    )
    writes_in_pieces = True

    def write(self, target: Target) -> None:
        """tickets.parquet, code/."""
        code = copy_hooks(target, {"orz_openrlhf.py": _HOOK})
        config = target.config
        settings = {
            "service": str(target.service),
            "top_k": config.rollout.top_k,
            "keeps_logprobs": keeps_logprobs(config),
        }
        write_text(code / "orz_openrlhf.json", to_json(settings))
        if set(str(target.tickets)) & {",", "@"}:
            raise ConfigError(f"{target.folder}: OpenRLHF splits names at commas and @; choose another --out.")
        write_tickets(target.tickets, {"ticket": pa.array(range(num_tickets(config)), pa.int64()).cast(pa.string())})

    def command(self, target: Target, python: str) -> Sequence[str]:
        """It resumes from its newest checkpoint by itself."""
        return (python, "-m", "openrlhf.cli.train_ppo_ray", *arguments(options(target)))

    def environment(self, target: Target) -> Mapping[str, str]:
        """None of its own."""
        del target
        return {}

    def last_checkpoint(self, target: Target) -> int:
        """The final policy, or as DeepSpeed's own file says."""
        if (final(target) / "config.json").is_file():
            return target.config.num_steps
        latest = target.checkpoints / "_actor" / "latest"
        if not latest.exists():
            return 0
        tag = latest.read_text(encoding="utf-8").strip()
        step = tag.removeprefix(_TAG)
        if not step.isdigit() or not (latest.parent / tag).is_dir():
            raise RunDirError(
                f"{latest}: names the checkpoint {tag!r}, which is not beside it. Restore it, or write the name of "
                f"another one into this file to resume from that."
            )
        return int(step)

    def feed(self, target: Target) -> Feed | None:
        """TensorBoard's files of this start."""
        folder = target.logs / "orz"
        return EventsFeed(folder) if folder.is_dir() else None

    def metrics(self, target: Target) -> Mapping[str, str]:
        """As `orz-rl watch` names them."""
        del target
        return openrlhf.METRICS

    def convert(self, target: Target, step: int, *, model: str, out: Path, python: str) -> Sequence[str]:
        """The final policy is in the format; the weights of others are put together by DeepSpeed's own script."""
        if model == "policy" and step == target.config.num_steps and (final(target) / "config.json").is_file():
            return ("cp", "-r", str(final(target)), str(out))
        if model != "policy":
            raise RunDirError(
                f"{target.checkpoints / '_critic'}: OpenRLHF keeps its critic in a class of its own, which no other "
                f"program loads; only policies are exported."
            )
        saved = target.checkpoints / "_actor"
        if not (saved / f"{_TAG}{step}").is_dir():
            found = sorted(path.name.removeprefix(_TAG) for path in saved.glob(f"{_TAG}*"))
            raise RunDirError(
                f"{saved / _TAG}{step}: OpenRLHF has saved no {model} of this step; there are steps "
                f"{', '.join(found) or 'none'}."
            )
        script = str(saved / "zero_to_fp32.py")
        return (python, script, str(saved), str(out), "--safe_serialization", "--tag", f"{_TAG}{step}")


TRAINER = OpenRlhfTrainer()
