"""Filling packs: our packer against padding and against next-fit, on the lengths of 4,368 real rollouts.

Lengths are prompt and response in tokens of SmolLM2's tokenizer; packs hold what the published recipes give them.
Next-fit and padding depend on the order, so each figure is the mean over shuffled orders.
padding: batches of as many sequences as fit at the longest of the batch (in order, and sorted by length, which no
trainer with random mini-batches can do). next-fit: a pack is closed when the next sequence does not fit, as in the
reference implementation.
"""

from __future__ import annotations

import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from _record import data_folder, keep

from orz_rl.ppo.packing import efficiency, pack

FILES = ("orz_fork_eval_math500", "orz_fork_eval_aime2024", "orz_fork_eval_gpqa_diamond")
MODEL = Path("models/smollm2-135m")
CAPACITIES = (10_048, 16_384)
ORDERS = 5

Packs = list[list[int]]


def next_fit(lengths: Sequence[int], capacity: int) -> Packs:
    packs: Packs = [[]]
    room = capacity
    for index, length in enumerate(lengths):
        if length > room:
            packs.append([])
            room = capacity
        packs[-1].append(index)
        room -= length
    return packs


def padded_efficiency(lengths: Sequence[int], capacity: int) -> float:
    """Real tokens over slots, where a batch has as many rows as fit at the length of its longest."""
    slots, rows, longest = 0, 0, 0
    for length in lengths:
        if rows and (rows + 1) * max(longest, length) > capacity:
            slots, rows, longest = slots + rows * longest, 0, 0
        rows, longest = rows + 1, max(longest, length)
    return sum(lengths) / (slots + rows * longest)


def timed(packer: Callable[[Sequence[int], int], Packs], lengths: Sequence[int], capacity: int) -> tuple[Packs, float]:
    start = time.process_time()
    packs = packer(lengths, capacity)
    return packs, time.process_time() - start


def token_lengths() -> list[int]:
    if not MODEL.exists():
        sys.exit(f"run: orz-bench model fetch smollm2-135m --out {MODEL}")
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    texts = []
    for name in FILES:
        lines = (data_folder() / "rollouts" / f"{name}.jsonl").read_text("utf-8").split("\n")
        rows = [json.loads(line) for line in lines if line]
        texts += [row["prompt"] + row["raw_response"] for row in rows]
    return [len(ids) for ids in tokenizer(texts)["input_ids"]]


def main() -> None:
    lengths = token_lengths()
    result: dict[str, Any] = {"rollouts": len(lengths), "mean_tokens": round(statistics.fmean(lengths)), "packs_of": {}}
    for capacity in CAPACITIES:
        figures: dict[str, list[float]] = {}
        for order in range(ORDERS):
            shuffled = random.Random(order).sample(lengths, len(lengths))
            for name, packer in (("ours", pack), ("next_fit", next_fit)):
                packs, seconds = timed(packer, shuffled, capacity)
                figures.setdefault(name, []).append(
                    efficiency([sum(shuffled[i] for i in p) for p in packs], capacity=capacity)
                )
                figures.setdefault(f"{name}_cpu_ms", []).append(1000 * seconds)
            figures.setdefault("padding", []).append(padded_efficiency(shuffled, capacity))
            figures.setdefault("padding_sorted", []).append(padded_efficiency(sorted(shuffled), capacity))
        least = -(-sum(lengths) // capacity)
        best = sum(lengths) / (least * capacity)
        means = {name: round(statistics.fmean(values), 4) for name, values in figures.items()}
        result["packs_of"][str(capacity)] = means | {"no_packer_can_exceed": round(best, 4)}
    keep("packing", result)


if __name__ == "__main__":
    main()
