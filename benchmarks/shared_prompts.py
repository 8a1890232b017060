"""CPU seconds of forward and backward of a pack that holds each prompt once, over one with a prompt for every response.

The embedded model in float32 on one thread; both take turns, and medians are compared. Responses of other lengths are
lognormal. few_shot: long prompts with short responses; paper: a prompt of 230 tokens, responses of about a thousand.
"""

from __future__ import annotations

import os
import statistics
import time
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import torch
from _record import keep

from orz_rl.assets.resolve import TINY
from orz_rl.ppo.packed_forward import Pack, response_scores
from orz_rl.workers.messages import ModelSpec
from orz_rl.workers.model_loading import load_model

SHAPES = {
    "demo": (25, 25, 8, 8),
    "equal_lengths": (25, None, 8, 8),
    "few_shot": (384, 80, 8, 2),
    "paper": (230, 1000, 4, 1),
}
"""(tokens of a prompt, median tokens of a response or None for 32 each, responses a prompt, prompts)."""
REPEATS = 5


def groups(shape: str) -> list[tuple[list[int], ...]]:
    """Prompts with their responses, of random tokens."""
    prompt, median, samples, count = SHAPES[shape]
    rng = np.random.default_rng(0)

    def some(length: int) -> list[int]:
        found: list[int] = rng.integers(0, 200, length).tolist()
        return found

    def response() -> list[int]:
        return some(32 if median is None else max(1, int(median * rng.lognormal(0, 0.4))))

    return [(some(prompt), *(response() for _ in range(samples))) for _ in range(count)]


def cpu_s(model: Any, texts: list[tuple[list[int], ...]]) -> float:
    """Of one forward and backward pass."""
    pack = Pack.of(texts)
    model.zero_grad()
    start = time.process_time()
    response_scores(model, pack, with_entropy=True).logprobs_R.sum().backward()
    return time.process_time() - start


def main() -> None:
    torch.set_num_threads(1)
    spec = ModelSpec.plain(TINY)
    model = load_model(spec)
    result: dict[str, Any] = {"repeats": REPEATS}
    for shape in SHAPES:
        shared = groups(shape)
        sides = {"shared": shared, "repeated": [(prompt, one) for prompt, *of in shared for one in of]}
        seconds: dict[str, list[float]] = {side: [] for side in sides}
        for _ in range(REPEATS):
            for side, texts in sides.items():
                seconds[side].append(cpu_s(model, texts))
        medians = {f"{side}_cpu_s": round(statistics.median(found), 4) for side, found in seconds.items()}
        tokens = {
            f"{side}_tokens": sum(map(len, (text for of in texts for text in of))) for side, texts in sides.items()
        }
        ratio = round(medians["shared_cpu_s"] / medians["repeated_cpu_s"], 3)
        result[shape] = {"ratio": ratio, **medians, **tokens}
    keep("shared_prompts", result)


if __name__ == "__main__":
    main()
