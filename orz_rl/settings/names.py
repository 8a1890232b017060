"""Rewords errors of orz_bench for training: options of `orz-bench` become the settings that correspond to them.

The functions that check and run a training are decorated with `names_settings`, wherever the error is raised.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import ParamSpec, TypeVar

from orz_bench.errors import OrzError

P = ParamSpec("P")
R = TypeVar("R")

SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "--ckpt": "model.policy",
        "--dtype": "model.dtype",
        "--engine": "rollout.engine",
        "--num-engines": "rollout.num_engines",
        "--tensor-parallel": "rollout.tensor_parallel",
        "--gpu-memory-share": "rollout.gpu_memory_share",
        "--batch-size": "rollout.batch_size",
        "--max-model-len": "rollout.max_model_len",
        "--max-tokens": "rollout.max_tokens",
        "--temperature": "rollout.temperature",
        "--top-p": "rollout.top_p",
        "--top-k": "rollout.top_k",
        "--stop": "rollout.stop",
        "--template": "data.template",
        "--extractor": "reward.extractor",
        "--bench": "eval.benchmarks",
        "--limit": "eval.limit",
        "--n": "eval.n",
        "--seed": "seed",
    }
)
"""The setting for each option that evaluation and training share; --out and --data-dir are options of both."""
_NO_CHOICE_IN_TRAINING = (
    (r" Or use a server: --engine openai --base-url URL\.", ""),
    (r"use --protocol \S+, or another", "use another"),
    (r"Leave --protocol and --extractor out, or use", "Use"),
    (r" A protocol that shows no examples, such as --protocol \S+, does without\.", ""),
    (r", or another --step", ""),
    (r"--max-model-len is ", "rollout.max_model_len (without it, data.max_prompt_tokens + rollout.max_tokens) is "),
)
"""Phrases about options that training does not have, and what replaces them."""
_VALUE = re.compile(
    r"(--(?:engine|dtype|template|ckpt|num-engines|bench)) (?=\d|vllm|transformers|few-shot|chat\b|lcb\b|plain|orz-|"
    r"mmlu|(?<=--ckpt )\S|(?<=--dtype )\S)"
)
_OPTION = re.compile(r"--[a-z][a-z-]*[a-z]|--n\b")


def reworded(text: str, *, policy: str = "model.policy") -> str:
    """The text with settings instead of options; `policy` is the setting that names the model."""
    for phrase, instead in _NO_CHOICE_IN_TRAINING:
        text = re.sub(phrase, instead, text)
    names = {**SETTINGS, "--ckpt": policy}
    text = _VALUE.sub(lambda match: f"{names[match[1]]}=", text)
    return _OPTION.sub(lambda match: names.get(match[0], match[0]), text)


def names_settings(function: Callable[P, R]) -> Callable[P, R]:
    """Decorator: every OrzError raised inside names settings instead of options. The error object stays the same."""

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except OrzError as error:
            error.args = tuple(reworded(part) if isinstance(part, str) else part for part in error.args)
            raise

    return wrapped
