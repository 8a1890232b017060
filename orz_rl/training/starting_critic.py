"""The critic that a run starts from: critic.from is checked against the policy, before anything is started."""

from __future__ import annotations

from pathlib import Path

from orz_bench.errors import ConfigError
from orz_bench.models.json_file import read_object
from orz_bench.models.weights import stored_tensors
from orz_rl.assets.resolve import resolve_model
from orz_rl.config import TrainConfig
from orz_rl.curation.answers.tokens import vocabulary_difference

_WIDTHS = ("hidden_size", "n_embd", "d_model")
_PARTS = ("body", "text_config", "llm_config", "language_config")
_REMEDY = "give what orz-rl export --critic, or orz-rl fit-critic, wrote for a run of this policy"


def critic_checkpoint(config: TrainConfig, *, policy: str) -> str:
    """The checkpoint that the critic starts from: critic.from, model.critic, or the policy's. Raises ConfigError."""
    if config.critic.source is not None:
        folder = resolve_model(config.critic.source, setting="critic.from")
        require_critic_of(folder, policy=policy, setting="critic.from")
        return folder
    return resolve_model(config.model.critic, setting="model.critic") if config.model.critic else policy


def require_critic_of(folder: str, *, policy: str, setting: str) -> None:
    """Raise ConfigError unless the folder is a whole critic with this policy's width and tokenizer."""
    from orz_rl.critic import HEAD, MODEL_TYPE

    path = Path(folder)
    if not (path / "config.json").is_file() or read_object(path / "config.json").get("model_type") != MODEL_TYPE:
        raise ConfigError(
            f"{setting}={folder}: not a critic of orz (its config.json is not of the type {MODEL_TYPE}), so it has no "
            f"value head to start from; {_REMEDY}. A language model is a start for model.critic."
        )
    if HEAD not in stored_tensors(path):
        raise ConfigError(f"{setting}={folder}: its value head ({HEAD}) is missing; export it again, or {_REMEDY}.")
    found, wanted = _width(path), _width(Path(policy))
    if None not in (found, wanted) and found != wanted:
        raise ConfigError(
            f"{setting}={folder}: a critic of width {found} (hidden_size), but the policy {policy} has {wanted}, so it "
            f"is of another model; {_REMEDY}. A critic with another body is a start for model.critic."
        )
    difference = vocabulary_difference(policy, folder)
    if difference is not None:
        raise ConfigError(
            f"{setting}={folder}: a critic with another tokenizer than the policy {policy}: {difference} It reads the "
            f"policy's token ids: {_REMEDY}."
        )


def _width(folder: Path) -> int | None:
    """None if it is not said."""
    path = folder / "config.json"
    config = read_object(path) if path.is_file() else {}
    parts = [config, *(part for name in _PARTS if isinstance(part := config.get(name), dict))]
    found = [part[name] for part in parts for name in _WIDTHS if isinstance(part.get(name), int)]
    return int(found[0]) if found else None
