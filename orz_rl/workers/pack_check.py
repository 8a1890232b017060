"""Checks on the loaded checkpoint that a packed sequence gives the same outputs as the sequence alone.

Layers that carry a state from token to token (linear attention, Mamba) do not know where a sequence begins, and
attention may have terms that packing does not reproduce. The comparison finds both, whatever the model type.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

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


def check_packs(engine: Any, *, spec: ModelSpec, max_tokens: int, share_prompts: bool = True) -> None:
    """Raise ConfigError with the difference if packing changes the outputs of this model.

    `engine` is the model, or a DeepSpeed engine around it (then this is a collective); `max_tokens` is the longest
    sequence of the run. Packed forward passes run in training mode, so that active dropout is found as well.
    """
    fault = _fault(engine, spec=spec, texts=_texts(engine, max_tokens, share_prompts=share_prompts))
    if not fault:
        return
    alone = _fault(engine, spec=spec, texts=_texts(engine, max_tokens, share_prompts=False)) if share_prompts else fault
    name = f"{spec.checkpoint} ({spec.role}, {_model(engine).config.model_type})"
    if alone:
        raise ConfigError(f"{name}: {alone}. {_REMEDY}")
    raise ConfigError(
        f"{name}: where a pack holds a prompt once for several responses, {fault}. Set cluster.share_prompts=false: "
        "without shared prompts its packs are right."
    )


def _fault(engine: Any, *, spec: ModelSpec, texts: _Texts) -> str:
    """What is wrong with packs of these texts; empty if nothing is."""
    model = _model(engine)
    try:
        engine.train()
        packed, exchanged = (_outputs(engine, pack, spec=spec) for pack in (texts.pack, texts.with_other))
        engine.eval()
        alone = torch.cat(
            [
                _alone(engine, model, sequence=(prompt, response), spec=spec)
                for prompt, *responses in texts.pack
                for response in responses
            ]
        )
    except torch.OutOfMemoryError:
        raise
    except (TypeError, ValueError, KeyError, AttributeError, RuntimeError) as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        return f"cannot compute several sequences in one pack ({reason})"
    num_same = len(packed) - len(_compared(texts.pack[0][1]))
    leak = float((packed[-num_same:] - exchanged[-num_same:]).norm(dim=1).max())
    difference = float((packed - alone).norm(dim=1).mean())
    tolerance, unit = _TOLERANCE[spec.dtype], _UNITS[spec.role]
    if not leak <= tolerance:
        return (
            f"outputs of a sequence change by {leak:.2g} {unit} with the sequence before it in the pack (at most "
            f"{tolerance:g}): some layers carry a state from one to the next"
        )
    if not difference <= tolerance:
        return (
            f"outputs of packed sequences differ by {difference:.2g} {unit} from those of single sequences (at most "
            f"{tolerance:g}): packing does not reproduce its attention, positions or dropout"
        )
    return ""


_REMEDY = (
    "Training packs sequences, so this model cannot be trained here; use one whose layers know where each sequence "
    "begins, such as Llama, Mistral, Qwen2, Qwen3, Gemma or Phi."
)


class _Texts(NamedTuple):
    """(prompt, response, ...) of each prompt in a pack."""

    pack: list[tuple[list[int], ...]]
    with_other: list[tuple[list[int], ...]]
    """The same with another first response."""


def _model(engine: Any) -> Any:
    module = getattr(engine, "module", engine)
    return getattr(module, "classifier", module)


def _texts(engine: Any, max_tokens: int, *, share_prompts: bool) -> _Texts:
    """Two random sequences, the first of the greatest length needed; or three, two of them with one prompt."""
    config = _model(engine).config
    rope = getattr(config, "rope_parameters", None) or {}
    thresholds = [getattr(config, name, None) or rope.get(name) for name in _THRESHOLDS]
    wanted = [_LENGTH, *(value + _BEYOND for value in thresholds if isinstance(value, int) and value < max_tokens)]
    length = max(4, min(max_tokens, max(wanted)))
    generator = torch.Generator().manual_seed(0)
    shared = length // 2 if share_prompts else 1
    shorter = max(3, length // 2 + 4 if length > _LENGTH else length - 8)
    counts = [1, shorter, length - shared, length - shared, shared, max(1, length - shared - 7)]
    texts = [torch.randint(0, config.vocab_size, (count,), generator=generator).tolist() for count in counts]
    start, end, first, other, prompt, second = texts
    again = [second] if share_prompts else []
    return _Texts([(prompt, first, *again), (start, end)], [(prompt, other, *again), (start, end)])


def _compared(response: Sequence[int]) -> list[int]:
    """Tokens that are compared: the first, where a state would leak, and the last, beyond every threshold."""
    places = range(len(response))
    return sorted({*places[:_BEYOND], *places[-_BEYOND:]})


@torch.no_grad()  # type: ignore[untyped-decorator]  # torch is not followed
def _outputs(engine: Any, texts: Sequence[tuple[list[int], ...]], *, spec: ModelSpec) -> Tensor:
    """Log-probabilities of the compared tokens of a pack, (R, 1), or the critic's states over their length,
    (R, hidden).
    """
    whole, chosen, at = Pack.of(texts), [], 0
    for response in (response for _, *responses in texts for response in responses):
        chosen += [at + place for place in _compared(response)]
        at += len(response)
    pack = replace(whole, targets_R=whole.targets_R[chosen], sources_R=whole.sources_R[chosen])
    pack = pack.to(next(engine.parameters()).device)
    if spec.role == "critic":
        return _states(engine, lambda: response_values(engine, pack), sources_R=pack.sources_R)
    return response_logprobs(engine, pack)[:, None]


@torch.no_grad()  # type: ignore[untyped-decorator]  # torch is not followed
def _alone(engine: Any, model: Any, *, sequence: tuple[list[int], list[int]], spec: ModelSpec) -> Tensor:
    """The same outputs for one (prompt, response), with an attention implementation of transformers."""
    prompt, response = sequence
    has_softcap = getattr(model.config, "attn_logit_softcapping", None) is not None
    native = "eager" if len(prompt + response) <= _EAGER_LENGTH or has_softcap else "sdpa"
    tokens_N = torch.tensor(prompt + response, device=next(engine.parameters()).device)
    targets_R = torch.tensor(_compared(response), device=tokens_N.device) + len(prompt)
    inputs = {"input_ids": tokens_N[None], "use_cache": False}
    model.set_attn_implementation(native)
    try:
        if spec.role == "critic":
            return _states(engine, lambda: engine(**inputs), sources_R=targets_R - 1)
        logits_RV = engine(**inputs, logits_to_keep=targets_R - 1).logits[0]
        return token_logprobs(logits_RV, tokens_N[targets_R][:, None], temperature=1.0)
    finally:
        model.set_attn_implementation(spec.attention)


def _states(engine: Any, forward: Callable[[], Any], *, sources_R: Tensor) -> Tensor:
    """The inputs of the value head in a forward pass: a head of zeros would hide every difference."""
    seen: list[Tensor] = []
    head = getattr(engine, "module", engine).classifier.score
    hook = head.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    try:
        forward()
    finally:
        hook.remove()
    states_RD = seen[0][0, sources_R].float()
    return states_RD / states_RD.norm(dim=1, keepdim=True).clamp_min(1e-12)
