"""Load a policy or a critic from a Hugging Face checkpoint, with packed attention."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from orz_bench.engines.soundness import require_whole
from orz_bench.errors import ConfigError
from orz_rl.ppo.packed_forward import register_packed_sdpa
from orz_rl.workers.messages import ModelSpec


class ValueModel(torch.nn.Module):  # type: ignore[misc]
    """A decoder with one bias-free output a token. On disk it is a sequence classifier with one label."""

    def __init__(self, classifier: Any) -> None:
        super().__init__()
        self.classifier = classifier
        self.config = classifier.config

    def forward(self, **inputs: Any) -> Tensor:
        """The value at every token, shape (1, N, 1)."""
        hidden = self.classifier.base_model(**inputs).last_hidden_state
        return self.classifier.score(hidden)


def load_model(spec: ModelSpec) -> Any:
    """The policy, the reference (both language models) or the critic, on its device. ConfigError tells the cause."""
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification
    from transformers.utils import logging

    register_packed_sdpa()
    logging.disable_progress_bar()
    options: dict[str, Any] = {"dtype": getattr(torch, spec.dtype), "attn_implementation": spec.attention}
    options["use_safetensors"] = True  # the other kind of weight files are pickles: programs
    options |= {"output_loading_info": True, "ignore_mismatched_sizes": True}
    is_critic = spec.role == "critic"
    try:
        if is_critic:
            options["num_labels"] = 1
        kind: Any = AutoModelForSequenceClassification if is_critic else AutoModelForCausalLM
        model, loading = kind.from_pretrained(spec.checkpoint, **options)
    except Exception as error:  # whatever a library raises over a user's files, the user must know which file
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ConfigError(f"{spec.checkpoint}: the {spec.role} does not load ({reason}).") from error
    require_whole(
        loading, spec.checkpoint, new=("score.",) if is_critic else (), left=("lm_head.",) if is_critic else ()
    )
    if spec.attention != "eager" and getattr(model.config, "attn_logit_softcapping", None):
        raise ConfigError(
            f"{spec.checkpoint}: its attention scores are soft-capped (attn_logit_softcapping), which {spec.attention} "
            f"leaves out; this model cannot be trained here."
        )
    if is_critic:
        if any("score" in name for name in loading["missing_keys"]):
            _initialise_head(model.score.weight, spec)
        model = ValueModel(model)
    if spec.gradient_checkpointing:
        getattr(model, "classifier", model).gradient_checkpointing_enable({"use_reentrant": False})
    return model.to("cuda" if spec.device == "cuda" else "cpu")


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
