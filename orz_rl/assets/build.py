"""Build the embedded base model: tokenizer, random weights, then supervised training on demonstrations.

About ten minutes on two cores. The same seed and thread count give the same weights on the same machine.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orz_bench.asking.templates import ORZ_CODE_PARTS, TEMPLATES
from orz_bench.benchmarks.arithmetic import generate_sums
from orz_bench.environment import set_library_defaults
from orz_bench.errors import counted
from orz_bench.records.rollout import Problem
from orz_rl.assets.demonstrations import demonstrate
from orz_rl.assets.programs import demonstrate_program, program_problems

END = "<|endoftext|>"
_TAGS = ("<think>", "</think>", "<answer>", "</answer>", "\\boxed")
_CONTEXT = 1024
_BATCH = 64
_PEAK_LR = 2e-3
_WARMUP = 0.05


@dataclass(frozen=True, slots=True)
class Shape:
    """Size of the model."""

    hidden: int = 128
    intermediate: int = 352
    layers: int = 3
    heads: int = 4
    kv_heads: int = 2


@dataclass(frozen=True, slots=True)
class Task:
    """What the model is trained on before reinforcement learning."""

    problems: Callable[[], list[Problem]]
    demonstrate: Callable[[Problem, random.Random], str]
    start: Path | None = None
    """The model it starts from; None: random weights."""
    peak_lr: float = _PEAK_LR
    batch: int = _BATCH
    num_updates: int = 1500


SUMS = Task(lambda: generate_sums(split="train"), demonstrate)
PROGRAMS = Task(
    lambda: program_problems()[0],
    demonstrate_program,
    start=Path(__file__).with_name("tiny"),
    peak_lr=1e-3,
    batch=16,
    num_updates=300,
)


def build_tiny(
    folder: Path,
    *,
    seed: int = 1,
    num_updates: int | None = None,
    shape: Shape | None = None,
    task: Task = SUMS,
    report: Callable[[str], None],
) -> None:
    """Train the model and write it to `folder` as an ordinary checkpoint. `report` gets progress messages."""
    num_updates = num_updates or task.num_updates
    set_library_defaults()
    import torch

    torch.manual_seed(seed)
    tokenizer = make_tokenizer(folder)
    model = _random_model(tokenizer, shape or Shape()) if task.start is None else _started_from(task.start)
    report(f"{sum(p.numel() for p in model.parameters()):,} parameters, {counted(len(tokenizer), 'token')}")
    optimiser = torch.optim.AdamW(model.parameters(), lr=task.peak_lr, betas=(0.9, 0.95), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=task.peak_lr, total_steps=num_updates, pct_start=_WARMUP
    )
    rng = random.Random(f"tiny {seed}")
    for update, batch in zip(range(num_updates), _batches(tokenizer, rng, task=task), strict=False):
        loss = model(**batch).loss
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if (update + 1) % 100 == 0:
            report(f"update {update + 1:,} of {num_updates:,}: loss {loss.item():.4f}")
    model.save_pretrained(folder)


def make_tokenizer(folder: Path) -> Any:
    """A byte-level tokenizer without merges; its added tokens are the two fixed texts of the ORZ template and the tags.

    So the template takes two tokens, and everything else one per byte. Writes its files to `folder`.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import AutoTokenizer

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {END: 0} | {char: index for index, char in enumerate(alphabet, start=1)}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(END, special=True, normalized=False)])
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in (*ORZ_CODE_PARTS, *_TAGS)])
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "Qwen2Tokenizer",
        "eos_token": END,
        "pad_token": END,
        "model_max_length": _CONTEXT,
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    return AutoTokenizer.from_pretrained(folder)


def _random_model(tokenizer: Any, shape: Shape) -> Any:
    from transformers import Qwen2Config, Qwen2ForCausalLM

    end = tokenizer.eos_token_id
    return Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=len(tokenizer),
            hidden_size=shape.hidden,
            intermediate_size=shape.intermediate,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            num_key_value_heads=shape.kv_heads,
            max_position_embeddings=_CONTEXT,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=end,
            pad_token_id=end,
        )
    )


def _started_from(checkpoint: Path) -> Any:
    from transformers import Qwen2ForCausalLM

    return Qwen2ForCausalLM.from_pretrained(checkpoint)


def _batches(tokenizer: Any, rng: random.Random, *, task: Task) -> Iterator[dict[str, Any]]:
    """Padded batches with labels on the responses and their end token only."""
    import torch

    problems = task.problems()
    prompts = {problem.problem_id: _encode(tokenizer, TEMPLATES["orz-code"](problem, None)) for problem in problems}
    while True:
        drawn = rng.choices(problems, k=task.batch)
        rows = [_row(prompts[one.problem_id], task.demonstrate(one, rng), tokenizer=tokenizer) for one in drawn]
        longest = max(len(tokens) for tokens, _ in rows)
        end = tokenizer.eos_token_id
        yield {
            "input_ids": torch.tensor([tokens + [end] * (longest - len(tokens)) for tokens, _ in rows]),
            "labels": torch.tensor([labels + [-100] * (longest - len(labels)) for _, labels in rows]),
        }


def _row(prompt: list[int], text: str, *, tokenizer: Any) -> tuple[list[int], list[int]]:
    response = [*_encode(tokenizer, text), tokenizer.eos_token_id]
    return prompt + response, [-100] * len(prompt) + response


def _encode(tokenizer: Any, text: str) -> list[int]:
    return tokenizer.encode(text, add_special_tokens=False)  # type: ignore[no-any-return]
