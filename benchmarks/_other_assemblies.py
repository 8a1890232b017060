"""How TRL and verl make the rollouts of a step into batches for their trainers, in CPU seconds: their own functions.

verl needs a folder with verl 0.9.1, tensordict, codetiming, hydra-core, omegaconf, antlr4-python3-runtime 4.9.3,
pyvers, importlib_metadata, zipp and orjson, installed with pip's --no-deps and --target.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from _paper_step import MOST_TOKENS, PROMPT_TOKENS, Source
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast


def trl_assembly(num_rollouts: int, *, samples: int) -> float:
    """CPU seconds in which TRL's GRPOTrainer makes such rollouts into padded mini-batches."""
    from trl.trainer.utils import pad, shuffle_sequence_dict, split_tensor_dict

    prompts, responses, logprobs = _lists(num_rollouts, samples=samples)
    start = time.process_time()
    batch = {}
    for name, rows, side in (("prompt", prompts, "left"), ("completion", responses, "right")):
        ids = [torch.tensor(row) for row in rows]
        mask = [torch.ones_like(row, dtype=torch.long) for row in ids]
        batch[f"{name}_ids"] = pad(ids, padding_value=0, padding_side=side)
        batch[f"{name}_mask"] = pad(mask, padding_value=0, padding_side=side)
    unknown = float("nan")
    rows = [torch.tensor([unknown if each is None else each for each in row]) for row in logprobs]
    batch["sampling_per_token_logps"] = pad(rows, padding_value=0.0, padding_side="right")
    batch["advantages"] = torch.zeros(num_rollouts)
    split_tensor_dict(shuffle_sequence_dict(batch), num_rollouts // samples)
    return time.process_time() - start


def verl_assembly(num_rollouts: int, *, samples: int, capacity: int, libraries: Path) -> dict[str, float]:
    """CPU seconds in which one of verl's workers pads such rollouts, and its controller un-pads them three times.

    A step has one pass of values, one of the policy and one of the critic, each split into packs of `capacity` tokens.
    """
    sys.path.insert(0, str(libraries))
    from verl.utils.seqlen_balancing import rearrange_micro_batches
    from verl.workers.utils.padding import left_right_2_no_padding

    outputs = _verl_outputs(num_rollouts, samples=samples)
    worker = _verl_worker()
    start = time.process_time()
    batch = worker._postprocess([asyncio.run(_padded(worker, made)) for made in outputs])
    padded = time.process_time()
    for _ in range(3):
        rearrange_micro_batches(left_right_2_no_padding(batch.to_tensordict()), max_token_len=capacity)
    return {"workers": padded - start, "controller": time.process_time() - padded}


def _lists(num_rollouts: int, *, samples: int) -> tuple[list[list[int]], list[list[int]], list[list[float | None]]]:
    """(prompts, responses, log-probabilities), as these trainers get them from their engines."""
    source = Source()
    responses = [source.draw(length)[0].tolist() for length in source.lengths(num_rollouts)]
    prompts = [source.draw(PROMPT_TOKENS)[0].tolist() for _ in range(num_rollouts // samples)]
    return [ids for ids in prompts for _ in range(samples)], responses, [[-0.5] * len(ids) for ids in responses]


def _verl_outputs(num_rollouts: int, *, samples: int) -> list[Any]:
    prompts, responses, logprobs = _lists(num_rollouts, samples=samples)
    names = ("prompt_ids", "response_ids", "response_logprobs")
    return [dict(zip(names, row, strict=True)) for row in zip(prompts, responses, logprobs, strict=True)]


def _verl_worker() -> Any:
    """One that pads, and neither samples nor scores."""
    from verl.experimental.agent_loop.agent_loop import AgentLoopWorker

    worker = AgentLoopWorker.__new__(AgentLoopWorker)
    words = Tokenizer(WordLevel({"[PAD]": 0}, unk_token="[PAD]"))
    worker.tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="[PAD]")
    worker.rollout_config = SimpleNamespace(prompt_length=PROMPT_TOKENS, response_length=MOST_TOKENS)
    worker.processor, worker.reward_loop_worker_handles, worker.distillation_enabled = None, None, False
    worker.mm_processor_kwargs = {}
    return worker


async def _padded(worker: Any, made: dict[str, Any]) -> Any:
    from verl.experimental.agent_loop.agent_loop import AgentLoopMetrics, AgentLoopOutput

    mask = [1] * len(made["response_ids"])
    output = AgentLoopOutput(**made, response_mask=mask, metrics=AgentLoopMetrics())
    return await worker._agent_loop_postprocess(output, validate=False, raw_prompt="")
