"""verl 0.9: reads the generated configuration, runs our agent loop for every ticket, writes logs and checkpoints.

The variable STAND_IN_FAILS_AFTER names a step after which it fails, as a trainer without memory does.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import os
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow.parquet as pq
import yaml

from tests.support.stand_ins.answers import Sampled, Sampler


class AgentLoopBase:
    """verl passes more arguments; the loop uses the client of the engines only."""

    def __init__(self, *, server_manager: Any, **kwargs: Any) -> None:
        self.server_manager = server_manager


@dataclass
class AgentLoopOutput:
    """As verl's, which is a pydantic model."""

    prompt_ids: list[int]
    response_ids: list[int]
    response_mask: list[int]
    metrics: dict[str, Any]
    response_logprobs: list[float] | None = None
    reward_score: float | None = None
    num_turns: int = 0
    extra_fields: dict[str, Any] = field(default_factory=dict)


class Engines:
    """verl's LLMServerClient."""

    def __init__(self, checkpoint: str, version: int) -> None:
        self._sampler, self._version = Sampler(checkpoint), version

    async def generate(self, request_id: str, *, prompt_ids: list[int], sampling_params: dict[str, Any]) -> Sampled:
        chosen = {name: sampling_params[name] for name in ("seed", "max_tokens", "stop")}
        assert sampling_params["include_stop_str_in_output"]
        found = self._sampler.sample(prompt_ids, **chosen)
        found.extra_fields = {"global_steps": self._version}
        return found


def loops(path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    return found


async def one_step(config: dict[str, Any], step: int) -> list[float]:
    size, rollout = config["data"]["train_batch_size"], config["actor_rollout_ref"]["rollout"]
    rows = pq.read_table(config["data"]["train_files"]).slice((step - 1) * size, size).to_pylist()
    (loop,) = loops(rollout["agent"]["agent_loop_config_path"])
    module, _, name = loop.pop("_target_").rpartition(".")
    engines = Engines(config["actor_rollout_ref"]["model"]["path"], step - 1)
    made = [
        getattr(importlib.import_module(module), name)(server_manager=engines, tokenizer=None, **loop).run(
            {"temperature": rollout["temperature"], "logprobs": True},
            extra_info=row["extra_info"],
            raw_prompt=row["prompt"],
            global_steps=step,
            session_id=session,
        )
        for row in rows
        for session in range(rollout["n"])
    ]
    outputs = await asyncio.gather(*made)
    assert all(len(output.response_mask) == len(output.response_ids) for output in outputs)
    return [output.reward_score for output in outputs]


def save(folder: Path, step: int, models: tuple[str, ...]) -> None:
    for model in models:
        (folder / f"global_step_{step}" / model).mkdir(parents=True)
        (folder / f"global_step_{step}" / model / "model_world_size_1_rank_0.pt").write_text(str(step))
    (folder / "latest_checkpointed_iteration.txt").write_text(str(step))


def train(words: list[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--config-path", required=True)
    parser.add_argument("--config-name", required=True)
    given = parser.parse_args(words)
    config = yaml.safe_load((Path(given.config_path) / f"{given.config_name}.yaml").read_text(encoding="utf-8"))
    trainer, folder = config["trainer"], Path(config["trainer"]["default_local_dir"])
    tracker = folder / "latest_checkpointed_iteration.txt"
    done, last = int(tracker.read_text(encoding="utf-8")) if tracker.exists() else 0, trainer["total_training_steps"]
    with Path(os.environ["VERL_FILE_LOGGER_PATH"]).open("wb", buffering=0) as log:
        for step in range(done + 1, last + 1):
            rewards = asyncio.run(one_step(config, step))
            data = {"critic/score/mean": sum(rewards) / len(rewards), "actor/entropy": 2.0, "actor/lr": 1e-6}
            if step % trainer["save_freq"] == 0 or step == last:
                save(folder, step, ("actor", "critic") if config["critic"]["enable"] else ("actor",))
            log.write(
                json.dumps({"step": step, "data": data | {"actor/pg_loss": -0.1, "perf/mfu/actor": 0.4}}).encode()
            )
            log.write(b"\n")
            if os.environ.get("STAND_IN_FAILS_AFTER") == str(step):
                raise MemoryError("CUDA out of memory")


def merge(words: list[str]) -> None:
    """Writes a folder where verl's merger writes one; the weights are those of the base model."""
    parser = argparse.ArgumentParser()
    parser.add_argument("operation", choices=["merge"])
    for name in ("--backend", "--local_dir", "--target_dir"):
        parser.add_argument(name, required=True)
    given = parser.parse_args(words)
    config = yaml.safe_load((Path(given.local_dir).parents[2] / "orz.yaml").read_text(encoding="utf-8"))
    assert Path(given.local_dir, "model_world_size_1_rank_0.pt").exists()
    shutil.copytree(config["actor_rollout_ref"]["model"]["path"], given.target_dir)


def main() -> None:
    """As `python -m verl. ...`."""
    sys.path.append(os.environ["PYTHONPATH"].split(os.pathsep)[0])
    module = ModuleType("verl.experimental.agent_loop.agent_loop")
    vars(module).update(AgentLoopBase=AgentLoopBase, AgentLoopOutput=AgentLoopOutput)
    for name in ("verl", "verl.experimental", "verl.experimental.agent_loop"):
        sys.modules[name] = ModuleType(name)
    sys.modules[module.__name__] = module
    {"verl.trainer.main_ppo": train, "verl.model_merger": merge}[sys.argv[2]](sys.argv[3:])


if __name__ == "__main__":
    main()
