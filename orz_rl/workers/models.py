"""Load a policy or a critic from a Hugging Face checkpoint, with packed attention."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from orz_bench.errors import ConfigError
from orz_rl.ppo.packed_forward import register_packed_sdpa
from orz_rl.workers.messages import ModelSpec


class ValueModel(torch.nn.Module):  # type: ignore[misc]
    """A decoder with one bias-free output a token. On disk it is a sequence classifier with one label."""

    def __init__(self, classifier: Any) -> None:
        super().__init__()
        self.classifier = classifier
        self.config = classifier.config

    def forward(self, *, wants_states: bool = False, **inputs: Any) -> Tensor:
        """The value at every token, shape (1, N, 1); or the states that it is computed from, (1, N, hidden)."""
        hidden = self.classifier.base_model(**inputs).last_hidden_state
        return hidden if wants_states else self.classifier.score(hidden)


def load_model(spec: ModelSpec) -> Any:
    """The policy, the reference (both language models) or the critic, on its device. ConfigError tells the cause."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification
    from transformers.utils import logging

    register_packed_sdpa()
    logging.disable_progress_bar()
    options: dict[str, Any] = {"dtype": getattr(torch, spec.dtype), "attn_implementation": spec.attention}
    options["use_safetensors"] = True  # the other kind of weight files are pickles: programs
    labels = {"num_labels": 1} if spec.role == "critic" else {}
    try:
        options["config"] = AutoConfig.from_pretrained(spec.checkpoint, **labels)
        dropout = _without_dropout(options["config"])
        if spec.role != "critic":
            model: Any = AutoModelForCausalLM.from_pretrained(spec.checkpoint, **options)
        else:
            model, loading = AutoModelForSequenceClassification.from_pretrained(
                spec.checkpoint, output_loading_info=True, **options
            )
            if any("score" in name for name in loading["missing_keys"]):
                _initialise_head(model.score.weight, spec)
            model = ValueModel(model)
        _restore(model.config, dropout)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ConfigError(f"{spec.checkpoint}: the {spec.role} does not load ({reason}).") from error
    if spec.gradient_checkpointing:
        getattr(model, "classifier", model).gradient_checkpointing_enable({"use_reentrant": False})
    return model.to("cuda" if spec.device == "cuda" else "cpu")


def _without_dropout(config: Any) -> dict[str, float]:
    """Set every rate of dropout to 0, so that a model learns from what it would have drawn with; the old rates."""
    rates = {
        name: value for name, value in vars(config).items() if "drop" in name and isinstance(value, float) and value > 0
    }
    _restore(config, dict.fromkeys(rates, 0.0))
    return rates


def _restore(config: Any, rates: dict[str, float]) -> None:
    """A checkpoint keeps the rates of its base model; its layers took theirs when they were made."""
    for name, rate in rates.items():
        setattr(config, name, rate)


def _initialise_head(weight: Tensor, spec: ModelSpec) -> None:
    """Fill a fresh value head from the run's seed."""
    generator = torch.Generator().manual_seed(spec.seed)
    values = torch.zeros(weight.shape)
    if spec.value_head_init == "code":
        values.normal_(0.0, 1.0 / (weight.shape[1] + 1), generator=generator)
    elif spec.value_head_init == "paper":
        values.uniform_(-math.sqrt(5.0), math.sqrt(5.0), generator=generator)
    with torch.no_grad():
        weight.copy_(values)
