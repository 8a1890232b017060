"""Checks what a run of another trainer needs from us, before its program is started: models, data, prompts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from orz_bench.engines.engine import EngineSpec
from orz_bench.engines.tokenizer import load_tokenizer
from orz_bench.errors import ConfigError
from orz_bench.installed.extras import require
from orz_bench.models.json_file import read_object
from orz_rl.assets.resolve import resolve_model
from orz_rl.config import TrainConfig
from orz_rl.rollout.problems import Prompts
from orz_rl.settings.names import names_settings
from orz_rl.training.health_hook import check_hook
from orz_rl.training.parts import parts_of
from orz_rl.training.preparation import prompts_for, require_context


@dataclass(frozen=True, slots=True)
class Material:
    """The models and prompts of a run."""

    policy: str
    critic: str
    prompts: Prompts
    parts: Mapping[str, Mapping[str, str]]
    """Setting -> identity of the code of other people that it names."""


@names_settings
def gather(config: TrainConfig, *, notice: Callable[[str], None]) -> Material:
    """Resolve and check them. Raises OrzError; starts nothing and writes nothing."""
    require("transformers", what="rendering prompts", but=("jinja2",))
    policy = _absolute(resolve_model(config.model.policy))
    critic = _absolute(resolve_model(config.model.critic, setting="model.critic")) if config.model.critic else policy
    _refuse_own_critic(critic)
    spec = EngineSpec(
        name="transformers", checkpoint=policy, dtype=config.model.dtype, max_model_len=config.max_sequence
    )
    require_context(spec)
    tokenizer = load_tokenizer(spec)
    assert tokenizer is not None
    prompts = prompts_for(config, tokenizer, notice=notice)
    check_hook(config.health.hook)
    return Material(policy, critic, prompts, parts_of(config, problem=prompts.prompts[0].problem))


def _absolute(path: str) -> str:
    """The trainer runs in another folder."""
    return str(Path(path).resolve()) if Path(path).exists() else path


def _refuse_own_critic(folder: str) -> None:
    from orz_rl.critic import MODEL_TYPE

    config = Path(folder) / "config.json"
    if config.is_file() and read_object(config).get("model_type") == MODEL_TYPE:
        raise ConfigError(
            f"model.critic={folder}: a critic that the backend native saved; only native loads it. Leave model.critic "
            f"out, so that the critic starts from the policy, or use --backend native."
        )
