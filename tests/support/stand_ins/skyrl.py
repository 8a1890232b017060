"""SkyRL 0.4: runs the entry point that is named, and behaves as its experiment does towards it."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from tests.support.stand_ins.answers import Sampler


class SkyRLTrainConfig(SimpleNamespace):
    """Without SkyRL's defaults and checks."""

    @classmethod
    def from_cli_overrides(cls, words: list[str]) -> SkyRLTrainConfig:
        """Nested by the dots of the keys."""
        tree: dict[str, Any] = {}
        for word in words:
            name, _, text = word.partition("=")
            *sections, last = name.split(".")
            at = tree
            for section in sections:
                at = at.setdefault(section, {})
            at[last] = json.loads(text)
        return cls(**{name: _named(value) for name, value in tree.items()})


def _named(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return SimpleNamespace(**{name: _named(inner) for name, inner in value.items()}, tags=None)


class Engines:
    """SkyRL's client of the engines."""

    def __init__(self, checkpoint: str) -> None:
        self._sampler = Sampler(checkpoint)

    async def generate(self, batch: dict[str, Any]) -> dict[str, Any]:
        params, (prompt,) = batch["sampling_params"], batch["prompt_token_ids"]
        assert params["include_stop_str_in_output"]
        chosen = {name: params[name] for name in ("seed", "max_tokens", "stop")}
        found = self._sampler.sample(prompt, **chosen)
        reason = "length" if len(found.token_ids) == params["max_tokens"] else "stop"
        return {
            "response_ids": [found.token_ids],
            "response_logprobs": [found.log_probs],
            "stop_reasons": [reason],
        }


class BasePPOExp:
    """As SkyRL's, but nothing is trained."""

    def __init__(self, cfg: Any) -> None:
        self.cfg = cfg
        self.train_dataset = self.get_train_dataset()

    def get_train_dataset(self) -> Any:
        raise NotImplementedError

    def get_generator(self, *parts: Any) -> Any:
        raise NotImplementedError

    def get_tracker(self) -> Any:
        raise NotImplementedError

    def run(self) -> None:
        trainer, folder = self.cfg.trainer, Path(self.cfg.trainer.ckpt_path)
        latest = folder / "latest_ckpt_global_step.txt"
        done = int(latest.read_text(encoding="utf-8")) if latest.exists() else 0
        generator, tracker = self.get_generator(self.cfg, None, Engines(trainer.policy.model.path)), self.get_tracker()
        order = list(range(len(self.train_dataset)))
        random.Random(trainer.seed).shuffle(order)
        size, samples = trainer.train_batch_size, self.cfg.generator.n_samples_per_prompt
        for step in range(done + 1, trainer.max_training_steps + 1):
            rows = self.train_dataset.collate_fn(
                [self.train_dataset[number] for number in order[(step - 1) * size : step * size]]
            )
            batch = {
                "env_extras": [row["env_extras"] for row in rows for _ in range(samples)],
                "sampling_params": {"temperature": 1.0, "logprobs": 1},
                "batch_metadata": SimpleNamespace(global_step=step, training_phase="train"),
            }
            output = asyncio.run(generator.generate(batch))
            assert list(map(len, output["loss_masks"])) == list(map(len, output["response_ids"]))
            if step % trainer.ckpt_interval == 0 or step == trainer.max_training_steps:
                (folder / f"global_step_{step}" / "policy").mkdir(parents=True)
                exported = Path(trainer.export_path) / f"global_step_{step}" / "policy"
                shutil.copytree(trainer.policy.model.path, exported)
                latest.write_text(str(step))
            mean = sum(output["rewards"]) / len(output["rewards"])
            tracker.log({"reward/avg_raw_reward": mean, "policy/grad_norm": 0.7, "timing/step": 2.0}, step, commit=True)


class Tracking:
    """Reports to nobody."""

    def __init__(self, **where: Any) -> None:
        self.where = where

    def log(self, data: dict[str, Any], step: int, commit: bool = False) -> None:
        """Nothing."""


class GeneratorInterface:
    """Without its abstract method."""


def remote(**resources: Any) -> Callable[[Callable[..., Any]], Any]:
    """Ray in one process: a function whose `remote` runs it at once."""
    return lambda function: SimpleNamespace(remote=function)


def rollout_metrics(responses: list[list[int]], *others: Any) -> dict[str, float]:
    """One of SkyRL's."""
    return {"generate/max_num_tokens": max(map(len, responses))}


def nothing(cfg: object) -> None:
    """Its own checks are run by benchmarks/other_trainers.py."""


PARTS: dict[str, dict[str, Any]] = {
    "ray": {"remote": remote, "get": lambda found: found},
    "skyrl.train.config": {"SkyRLTrainConfig": SkyRLTrainConfig},
    "skyrl.train.entrypoints.main_base": {"BasePPOExp": BasePPOExp},
    "skyrl.train.generators.base": {"GeneratorInterface": GeneratorInterface},
    "skyrl.train.generators.utils": {"get_rollout_metrics": rollout_metrics},
    "skyrl.train.utils": {"validate_cfg": nothing},
    "skyrl.train.utils.tracking": {"Tracking": Tracking},
    "skyrl.train.utils.utils": {"initialize_ray": nothing},
}


def main() -> None:
    """As `python -m skyrl.train.entrypoints.main_base`."""
    sys.path.append(os.environ["PYTHONPATH"].split(os.pathsep)[0])
    for name, parts in PARTS.items():
        for package in (name.rpartition(".")[0], name):
            sys.modules.setdefault(package, ModuleType(package or "none"))
        vars(sys.modules[name]).update(parts)
    assert sys.argv[1:3] == ["-m", "skyrl.train.entrypoints.main_base"]
    (named,) = [word for word in sys.argv if word.startswith("trainer.override_entrypoint=")]
    sys.argv = sys.argv[2:]
    import_module(named.partition("=")[2]).main()


if __name__ == "__main__":
    main()
