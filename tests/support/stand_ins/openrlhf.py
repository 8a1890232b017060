"""OpenRLHF 0.11: reads the generated options, runs our agent executor for every ticket, writes logs and checkpoints."""

from __future__ import annotations

import asyncio
import importlib.util
import random
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
from tensorboardX import SummaryWriter

from tests.support.stand_ins.answers import Sampler


def options(words: list[str]) -> dict[str, Any]:
    """Options without a value are True."""
    found: dict[str, Any] = {}
    name = ""
    for word in words:
        if word.startswith("--"):
            name, found[word[2:]] = word[2:], True
        else:
            found[name] = word if found[name] is True else [found[name], word]
    return found


class AgentExecutorBase:
    """Without its abstract method."""


@dataclass
class SamplingParams:
    """vllm's, as far as it is used."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = -1
    max_tokens: int = 0
    seed: int = 0
    stop: list[str] = field(default_factory=list)
    include_stop_str_in_output: bool = False
    logprobs: int | None = None


class Engine:
    """OpenRLHF's RolloutRayActor."""

    def __init__(self, checkpoint: str) -> None:
        self._sampler = Sampler(checkpoint)

    async def generate(self, prompt_ids: list[int], chosen: SamplingParams) -> Any:
        assert chosen.include_stop_str_in_output
        found = self._sampler.sample(prompt_ids, seed=chosen.seed, max_tokens=chosen.max_tokens, stop=chosen.stop)
        logprobs = [{token: SimpleNamespace(logprob=-0.5)} for token in found.token_ids]
        reason = "length" if len(found.token_ids) == chosen.max_tokens else "stop"
        output = SimpleNamespace(token_ids=found.token_ids, logprobs=logprobs, finish_reason=reason)
        return SimpleNamespace(outputs=[output])


async def sampled(executor: Any, engine: Engine, tickets: list[str], samples: int) -> list[dict[str, Any]]:
    made = [
        executor.execute(
            prompt=ticket, label=ticket, sampling_params=SamplingParams(), max_length=400, hf_tokenizer=None,
            llm_engine=engine, images=None,
        )
        for ticket in tickets
        for _ in range(samples)
    ]  # fmt: skip
    return list(await asyncio.gather(*made))


def train(words: list[str]) -> None:
    found = options(words)
    spec = importlib.util.spec_from_file_location("agent_module", found["train.agent_func_path"])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    executor, engine = module.AgentExecutor(), Engine(found["actor.model_name_or_path"])
    tickets = pq.read_table(found["data.prompt_dataset"])[found["data.input_key"]].to_pylist()
    random.Random(int(found["train.seed"])).shuffle(tickets)
    size, samples = int(found["rollout.batch_size"]), int(found["rollout.n_samples_per_prompt"])
    latest = Path(found["ckpt.path"]) / "_actor" / "latest"
    done = int(latest.read_text(encoding="utf-8").removeprefix("global_step")) if latest.exists() else 0
    writer = SummaryWriter(str(Path(found["logger.tensorboard_dir"]) / found["logger.wandb.run_name"]))
    for step in range(done + 1, len(tickets) // size + 1):
        outputs = asyncio.run(sampled(executor, engine, tickets[(step - 1) * size : step * size], samples))
        assert all(output["action_ranges"][0][1] == len(output["observation_tokens"]) for output in outputs)
        reward = sum(output["reward"] for output in outputs) / len(outputs)
        for name, value in {"rollout/reward_mean": reward, "policy_loss": -0.1, "actor_grad_norm": 0.7}.items():
            writer.add_scalar(f"train/{name}", value, step)
        if step % int(found["ckpt.save_steps"]) == 0:
            (latest.parent / f"global_step{step}").mkdir(parents=True)
            latest.write_text(f"global_step{step}")
    writer.close()
    shutil.copytree(found["actor.model_name_or_path"], found["ckpt.output_dir"])


def convert(words: list[str]) -> None:
    """DeepSpeed's script zero_to_fp32.py, which writes weights only."""
    saved, out, *rest = words
    assert rest[:2] == ["--safe_serialization", "--tag"], rest
    assert (Path(saved) / rest[2]).is_dir()
    Path(out).mkdir()
    (Path(out) / "model.safetensors").write_bytes(b"weights")


def main() -> None:
    """As `python -m openrlhf. ...`, or a script."""
    module = ModuleType("openrlhf.utils.agent")
    vars(module).update(AgentExecutorBase=AgentExecutorBase)
    for name in ("openrlhf", "openrlhf.utils"):
        sys.modules[name] = ModuleType(name)
    sys.modules[module.__name__] = module
    if sys.argv[1] == "-m":
        assert sys.argv[2] == "openrlhf.cli.train_ppo_ray"
        train(sys.argv[3:])
    else:
        convert(sys.argv[2:])


if __name__ == "__main__":
    main()
