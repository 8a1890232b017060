"""Everything about a run that can be known and checked before a process is started."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from orz_bench.engines.engine import EngineSpec
from orz_bench.engines.open import choose_engine
from orz_bench.engines.tokenizer import load_tokenizer
from orz_bench.environment import describe_environment
from orz_bench.errors import ConfigError, RunDirError
from orz_bench.records.run_dir import RunDir
from orz_rl.config import TrainConfig
from orz_rl.evaluation import Evaluator
from orz_rl.health_hook import check_hook
from orz_rl.logs import Boards
from orz_rl.models import resolve_model
from orz_rl.problems import Prompts, make_prompts, read_problems, select_problems
from orz_rl.recipes.registry import as_yaml, differences
from orz_rl.setting_names import names_settings

_MAY_CHANGE = ("checkpoint.", "health.", "logging.", "eval.every")
"""Settings that may differ when a run goes on: they move no sample and no weight."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything that can be known and checked before a process is started."""

    config: TrainConfig
    run: RunDir
    prompts: Prompts
    spec: EngineSpec
    policy: str
    critic: str
    evaluator: Evaluator


@names_settings
def prepare(config: TrainConfig, *, out: Path, data: Sequence[Path], notice: Callable[[str], None]) -> Prepared:
    """Resolve and check models, data, prompts, benchmarks. Raises OrzError; starts nothing, writes nothing."""
    engine, reason = choose_engine(config.rollout.engine)
    notice(reason)
    policy = resolve_model(config.model.policy)
    critic = resolve_model(config.model.critic, setting="model.critic") if config.model.critic else policy
    spec = EngineSpec(
        name=engine,
        checkpoint=policy,
        dtype=config.model.dtype,
        max_model_len=config.max_sequence,
        num_engines=config.rollout.num_engines,
        tensor_parallel=config.rollout.tensor_parallel,
        gpu_memory_share=config.rollout.gpu_memory_share,
        batch_size=config.rollout.batch_size,
        keep_tokens=True,
        sleeps=config.cluster.colocate and config.cluster.device == "cuda",
    )
    tokenizer = load_tokenizer(spec)
    assert tokenizer is not None
    problems = select_problems(
        read_problems(config.data.source), limit=config.data.limit, language=config.data.language
    )
    prompts = make_prompts(problems, tokenizer, template=config.data.template, max_tokens=config.data.max_prompt_tokens)
    notice(f"{len(prompts.prompts):,} training problems from {', '.join(config.data.source)}")
    if prompts.too_long:
        notice(
            f"{len(prompts.too_long):,} problems refused: their prompts exceed data.max_prompt_tokens "
            f"{config.data.max_prompt_tokens:,} (the first: {prompts.too_long[0]})"
        )
    run = RunDir(out)
    evaluator = Evaluator(config, run=run, spec=spec, tokenizer=tokenizer, data=data)
    check_hook(config.health.hook)
    Boards.check(config.logging)
    return Prepared(config, run, prompts, spec, policy, critic, evaluator)


def check_fresh(out: Path) -> None:
    """Refuse to delete what is not a training run."""
    run = RunDir(out)
    if out.exists() and any(out.iterdir()) and (not run.exists() or run.info()["kind"] != "train"):
        raise ConfigError(f"--fresh would delete {out}, which is not a training run; choose another --out.")


def claim(run: RunDir, config: TrainConfig, *, command: Sequence[str]) -> None:
    """Start a run here, or check that the one that is here has this configuration."""
    wanted = yaml.safe_load(as_yaml(config))
    if run.exists():
        if run.info()["kind"] != "train":
            raise RunDirError(
                f"{run.path}: holds a run of {run.info()['kind']}, not of training; choose another --out."
            )
        found = yaml.safe_load(run.config_path.read_text(encoding="utf-8")) if run.config_path.exists() else wanted
        lines = [line for line in differences(found, wanted) if not _may_change(line, config)]
        if lines:
            shown = "\n".join(f"  {line}" for line in lines)
            raise RunDirError(
                f"{run.path}: a run of another configuration:\n{shown}\n"
                f"Give the same settings to go on, another --out to keep both, or --fresh to start over there."
            )
    run.create(
        kind="train",
        command=command,
        seed=config.seed,
        environment=describe_environment() | {"run_id": uuid.uuid4().hex},
    )
    run.write_config(as_yaml(config))


def _may_change(line: str, config: TrainConfig) -> bool:
    key = line.split(":", 1)[0]
    if key == "num_steps":
        return config.optim.final_lr is None
    return key.startswith(_MAY_CHANGE)
