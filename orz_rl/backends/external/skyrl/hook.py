"""The entry point that SkyRL runs: our prompts, responses with our stop strings, our reward, metrics as JSON lines.

It is copied into the run as `orz_skyrl.py`, beside `orz_client.py`, and named by `trainer.override_entrypoint`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import ray
from orz_client import Client
from skyrl.train.config import SkyRLTrainConfig
from skyrl.train.entrypoints.main_base import BasePPOExp
from skyrl.train.generators.base import GeneratorInterface
from skyrl.train.generators.utils import get_rollout_metrics
from skyrl.train.utils import validate_cfg
from skyrl.train.utils.tracking import Tracking
from skyrl.train.utils.utils import initialize_ray

_SERVICE, _METRICS = "ORZ_SERVICE", "ORZ_METRICS"


class Tickets:
    """As many prompts as the run takes: SkyRL's own dataset wants messages and a chat template."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> dict[str, Any]:
        return {"prompt": [], "env_class": "orz", "env_extras": {"ticket": str(number)}, "uid": str(number)}

    def collate_fn(self, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The items of a batch."""
        return items


class OrzGenerator(GeneratorInterface):  # type: ignore[misc]  # skyrl is not followed
    """One response for each row of a batch."""

    def __init__(self, engines: Any, service: str) -> None:
        self._engines, self._client = engines, Client(service)

    async def generate(self, input_batch: Any, **others: Any) -> dict[str, Any]:
        """In the order of the batch."""
        step = input_batch["batch_metadata"].global_step
        tickets = [extras["ticket"] for extras in input_batch["env_extras"]]
        chosen = input_batch["sampling_params"]
        found = await asyncio.gather(*(self._one(ticket, step=step, chosen=chosen) for ticket in tickets))
        responses, rewards = [each["response_ids"] for each in found], [each["reward"] for each in found]
        masks = [[1] * len(response) for response in responses]
        return {
            "prompt_token_ids": [each["prompt_token_ids"] for each in found],
            "response_ids": responses,
            "rewards": rewards,
            "loss_masks": masks,
            "stop_reasons": [each["stop_reason"] for each in found],
            "rollout_metrics": get_rollout_metrics(responses, rewards, None, None, masks),
            "rollout_logprobs": [each["logprobs"] for each in found],
            "trajectory_ids": None,
            "trajectory_generation_times": None,
            "trajectory_time_splits": None,
            "rollout_expert_indices": None,
            "rollout_sample_support": None,
            "is_last_step": None,
            "env_metrics": None,
        }

    async def _one(self, ticket: str, *, step: int, chosen: dict[str, Any]) -> dict[str, Any]:
        sample = await asyncio.to_thread(self._client.sample, ticket, step=step)
        own = {
            "max_tokens": sample["max_tokens"],
            "seed": sample["seed"],
            "stop": sample["stop"],
            "include_stop_str_in_output": True,
        }
        output = await self._engines.generate(
            {
                "prompts": None,
                "prompt_token_ids": [sample["token_ids"]],
                "sampling_params": chosen | own,
                "session_ids": [sample["id"]],
            }
        )
        token_ids, logprobs = list(output["response_ids"][0]), list(output["response_logprobs"][0])
        scored = await asyncio.to_thread(
            self._client.score,
            sample["id"],
            token_ids,
            logprobs=logprobs,
            is_truncated=output["stop_reasons"][0] == "length",
            policy_version=step - 1,  # its synchronous trainer updates the engines after every step
        )
        return {
            "prompt_token_ids": sample["token_ids"],
            "response_ids": token_ids,
            "logprobs": logprobs,
            "reward": scored["reward"],
            "stop_reason": "length" if scored["is_truncated"] else "stop",
        }


class JsonTracking(Tracking):  # type: ignore[misc]  # skyrl is not followed
    """Reports as SkyRL does, and writes rows {"step", "data"} to a file."""

    def log(self, data: dict[str, Any], step: int, *others: Any, **named: Any) -> None:
        """A row of the numbers among them."""
        numbers = {name: float(value) for name, value in data.items() if isinstance(value, int | float)}
        with Path(os.environ[_METRICS]).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, "data": numbers}) + "\n")
        super().log(data, step, *others, **named)


class OrzExp(BasePPOExp):  # type: ignore[misc]  # skyrl is not followed
    """SkyRL's experiment with these parts."""

    def get_train_dataset(self) -> Tickets:
        """One row for each prompt of the run."""
        (path,) = self.cfg.data.train_data
        return Tickets(json.loads(Path(path).read_text(encoding="utf-8"))["count"])

    def get_generator(self, *parts: Any) -> OrzGenerator:
        """Ours, on the engines: the last of its configuration, tokenizer and engines."""
        return OrzGenerator(parts[-1], os.environ[_SERVICE])

    def get_tracker(self) -> JsonTracking:
        """SkyRL's with our file."""
        trainer = self.cfg.trainer
        return JsonTracking(
            project_name=trainer.project_name,
            experiment_name=trainer.run_name,
            backend=trainer.logger,
            config=self.cfg,
            tags=trainer.tags,
        )


def run(cfg: SkyRLTrainConfig, variables: dict[str, str]) -> None:
    """In the process that owns the training loop, which may be on another node."""
    os.environ.update(variables)
    OrzExp(cfg).run()


def main() -> None:
    """As SkyRL's own, with our experiment."""
    own = [argument for argument in sys.argv[1:] if not argument.startswith("trainer.override_entrypoint=")]
    cfg = SkyRLTrainConfig.from_cli_overrides(own)
    validate_cfg(cfg)
    initialize_ray(cfg)
    variables = {name: os.environ[name] for name in (_SERVICE, _METRICS, "TENSORBOARD_DIR")}
    ray.get(ray.remote(num_cpus=1)(run).remote(cfg, variables))
