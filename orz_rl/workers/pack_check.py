"""Checks on the loaded checkpoint that a packed sequence gives the same outputs as the sequence alone.

Layers that carry a state from token to token (linear attention, Mamba) do not know where a sequence begins, and
attention may have terms that packing does not reproduce. The comparison finds both, whatever the model type.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from orz_bench.errors import ConfigError
from orz_rl.ppo.packed_forward import Pack, response_logprobs, response_values, token_logprobs
from orz_rl.workers.messages import ModelSpec

_LENGTH = 48
"""Tokens of the longer sequence, unless the model changes its behaviour beyond that length."""
_BEYOND = 16
_THRESHOLDS = ("sliding_window", "attention_chunk_size", "original_max_position_embeddings")
"""Lengths in a model's configuration beyond which it works differently."""
_EAGER_LENGTH = 1024
"""The longest sequence compared with transformers' eager attention, which holds all scores in memory."""
_TOLERANCE = {"float32": 1e-3, "bfloat16": 0.25}
"""In nats (critic: relative to its states). In bfloat16, two correct computations differ by some hundredths."""
_UNITS = {"policy": "nats", "reference": "nats", "critic": "of its states' length"}


def check_packs(engine: Any, *, spec: ModelSpec, max_tokens: int) -> None:
    """Raise ConfigError with the difference if packing changes the outputs of this model.

    `engine` is the model, or a DeepSpeed engine around it (then this is a collective); `max_tokens` is the longest
    sequence of the run. Packed forward passes run in training mode, so that active dropout is found as well.
    """
    module = getattr(engine, "module", engine)
    model = getattr(module, "classifier", module)
    first, other, second = _sequences(model.config, max_tokens)
    try:
        engine.train()
        packed = _outputs(engine, [first, second], spec=spec)
        exchanged = _outputs(engine, [other, second], spec=spec)
        engine.eval()
        alone = torch.cat([_alone(engine, model, sequence=sequence, spec=spec) for sequence in (first, second)])
    except torch.OutOfMemoryError:
        raise
    except (TypeError, ValueError, KeyError, AttributeError, RuntimeError) as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ConfigError(
            f"{_name(spec, model)}: cannot compute several sequences in one pack ({reason}). {_REMEDY}"
        ) from error
    num_second = len(_targets(second))
    leak = float((packed[-num_second:] - exchanged[-num_second:]).norm(dim=1).max())
    difference = float((packed - alone).norm(dim=1).mean())
    tolerance, unit = _TOLERANCE[spec.dtype], _UNITS[spec.role]
    if not leak <= tolerance:
        raise ConfigError(
            f"{_name(spec, model)}: outputs of a sequence change by {leak:.2g} {unit} with the sequence before it in "
            "the "
            f"pack (at most {tolerance:g}): some layers carry a state from one to the next. {_REMEDY}"
        )
    if not difference <= tolerance:
        raise ConfigError(
            f"{_name(spec, model)}: outputs of packed sequences differ by {difference:.2g} {unit} from those of single "
            f"sequences (at most {tolerance:g}): packing does not reproduce its attention, positions or dropout. "
            f"{_REMEDY}"
        )


_REMEDY = (
    "Training packs sequences, so this model cannot be trained here; use one whose layers know where each sequence "
    "begins, such as Llama, Mistral, Qwen2, Qwen3, Gemma or Phi."
)


def _name(spec: ModelSpec, model: Any) -> str:
    return f"{spec.checkpoint} ({spec.role}, {model.config.model_type})"


def _sequences(config: Any, max_tokens: int) -> tuple[list[int], list[int], list[int]]:
    """Two sequences of the greatest length needed and a shorter one, of random tokens."""
    rope = getattr(config, "rope_parameters", None) or {}
    thresholds = [getattr(config, name, None) or rope.get(name) for name in _THRESHOLDS]
    wanted = [_LENGTH, *(value + _BEYOND for value in thresholds if isinstance(value, int) and value < max_tokens)]
    length = max(4, min(max_tokens, max(wanted)))
    generator = torch.Generator().manual_seed(0)
    lengths = (length, length, max(4, length // 2 + 5 if length > _LENGTH else length - 7))
    first, other, second = (
        torch.randint(0, config.vocab_size, (count,), generator=generator).tolist() for count in lengths
    )
    return first, other, second


def _targets(sequence: Sequence[int]) -> list[int]:
    """Positions that are compared: the first, where a state would leak, and the last, beyond every threshold."""
    places = range(1, len(sequence))
    return sorted({*places[:_BEYOND], *places[-_BEYOND:]})


@torch.no_grad()  # type: ignore[untyped-decorator]  # torch is not followed
def _outputs(engine: Any, sequences: Sequence[list[int]], *, spec: ModelSpec) -> Tensor:
    """Log-probabilities at the targets of a pack, (R, 1), or the critic's states over their length, (R, hidden)."""
    device = next(engine.parameters()).device
    starts = [sum(map(len, sequences[:index])) for index in range(len(sequences))]
    targets = [start + place for start, sequence in zip(starts, sequences, strict=True) for place in _targets(sequence)]
    whole = Pack.of([(sequence[:1], sequence[1:]) for sequence in sequences])
    pack = Pack(whole.tokens_N, whole.positions_N, torch.tensor(targets), whole.lengths).to(device)
    if spec.role == "critic":
        return _states(engine, lambda: response_values(engine, pack), targets_R=pack.targets_R)
    return response_logprobs(engine, pack)[:, None]


@torch.no_grad()  # type: ignore[untyped-decorator]  # torch is not followed
def _alone(engine: Any, model: Any, *, sequence: list[int], spec: ModelSpec) -> Tensor:
    """The same outputs for one sequence, with an attention implementation of transformers."""
    has_softcap = getattr(model.config, "attn_logit_softcapping", None) is not None
    native = "eager" if len(sequence) <= _EAGER_LENGTH or has_softcap else "sdpa"
    tokens_N = torch.tensor(sequence, device=next(engine.parameters()).device)
    targets_R = torch.tensor(_targets(sequence), device=tokens_N.device)
    inputs = {"input_ids": tokens_N[None], "use_cache": False}
    model.set_attn_implementation(native)
    try:
        if spec.role == "critic":
            return _states(engine, lambda: engine(**inputs), targets_R=targets_R)
        logits_RV = engine(**inputs, logits_to_keep=targets_R - 1).logits[0]
        return token_logprobs(logits_RV, tokens_N[targets_R], temperature=1.0)[:, None]
    finally:
        model.set_attn_implementation(spec.attention)


def _states(engine: Any, forward: Callable[[], Any], *, targets_R: Tensor) -> Tensor:
    """The inputs of the value head in a forward pass: a head of zeros would hide every difference."""
    seen: list[Tensor] = []
    head = getattr(engine, "module", engine).classifier.score
    hook = head.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    try:
        forward()
    finally:
        hook.remove()
    states_RD = seen[0][0, targets_R - 1].float()
    return states_RD / states_RD.norm(dim=1, keepdim=True).clamp_min(1e-12)
