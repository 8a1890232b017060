"""Load a policy or a critic from a Hugging Face checkpoint, with packed attention."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from orz_bench.engines.soundness import require_whole
from orz_bench.errors import ConfigError, OrzError
from orz_bench.models.transformers_imports import leave_out_unused
from orz_rl.critic import ValueModel, load_classifier
from orz_rl.ppo.packed_attention import register_packed_attention
from orz_rl.ppo.token_head import with_token_head
from orz_rl.workers.messages import ModelSpec


def load_model(spec: ModelSpec) -> Any:
    """Load a policy, a reference (both language models) or a critic. ConfigError gives the cause.

    On its device, but for ZeRO stage 3, which takes only its share there: a whole model beside an engine may not fit.
    """
    leave_out_unused()
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    register_packed_attention()
    logging.disable_progress_bar()
    options: dict[str, Any] = {"dtype": getattr(torch, spec.dtype), "attn_implementation": spec.attention}
    options["use_safetensors"] = True  # the other format is pickle, which can execute code
    options |= {"output_loading_info": True, "ignore_mismatched_sizes": True}
    is_critic = spec.role == "critic"
    try:
        if is_critic:
            classifier, missing = load_classifier(spec.checkpoint, dtype=spec.dtype, attention=spec.attention)
            if missing:
                _initialise_head(classifier.score.weight, spec)
            model: Any = ValueModel(classifier)
        else:
            model, loading = AutoModelForCausalLM.from_pretrained(spec.checkpoint, **options)
            require_whole(loading, spec.checkpoint)
            with_token_head(model, in_float32=spec.head_float32)
    except OrzError:
        raise
    except Exception as error:  # whatever a library raises for the user's files, the user must learn which file
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ConfigError(
            f"{spec.checkpoint}: the {spec.role} cannot be loaded ({reason}). Use another model, or restore this one."
        ) from error
    _disable_randomness(model)
    if spec.gradient_checkpointing:
        getattr(model, "classifier", model).gradient_checkpointing_enable({"use_reentrant": False})
    return model if spec.zero_stage == 3 else model.to(spec.device)


def _disable_randomness(model: Any) -> None:
    """Turn dropout off, so that training computes the same as generation, and drop the checkpoint's sampling settings.

    The configuration keeps its dropout rates. The run has its own sampling settings; those of the checkpoint, which
    transformers may refuse to write, are copied unchanged (orz_rl.training.checkpoint).
    """
    for module in model.modules():
        rates = [name for name, rate in vars(module).items() if "drop" in name and isinstance(rate, float)]
        for name in [*rates, *(["p"] if isinstance(module, torch.nn.Dropout) else [])]:
            setattr(module, name, 0.0)
    generation = getattr(model, "generation_config", None)
    if generation is not None:
        ids = {name: getattr(generation, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
        model.generation_config = type(generation)(**ids)


def _initialise_head(weight: Tensor, spec: ModelSpec) -> None:
    """Initialise a new value head from the run's seed."""
    generator = torch.Generator().manual_seed(spec.seed)
    values = torch.zeros(weight.shape)
    if spec.value_head_init == "code":
        values.normal_(0.0, 1.0 / (weight.shape[1] + 1), generator=generator)
    elif spec.value_head_init == "paper":
        values.uniform_(-math.sqrt(5.0), math.sqrt(5.0), generator=generator)
    with torch.no_grad():
        weight.copy_(values)
