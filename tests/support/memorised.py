"""Word problems of one program, and a small model that has read some of them: what tests of contamination need."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from orz_rl.assets.resolve import TINY

NAMES = (
    "Ann",
    "Bob",
    "Cleo",
    "Dan",
    "Eve",
    "Finn",
    "Gil",
    "Hal",
    "Ida",
    "Jo",
    "Kim",
    "Lea",
    "Mia",
    "Ned",
    "Olga",
    "Pia",
)
THINGS = ("pears", "coins", "books", "stamps", "shells", "cards", "nuts", "pens")
FORMS: tuple[tuple[str, Callable[[int, int], int]], ...] = (
    ("{a} has {x} {t} and buys {y} more from {b}. How many {t} has {a} now?", lambda x, y: x + y),
    ("{a} had {x} {t} and gave {y} of them to {b}. How many {t} are left for {a}?", lambda x, y: x - y),
    ("{a} and {b} each have {y} {t}, and {x} are on the table. How many {t} are there?", lambda x, y: x + 2 * y),
)


def problems(num: int, *, seed: int = 0) -> list[tuple[str, str]]:
    """Different (question, answer) of one program."""
    draw = random.Random(seed)
    found: dict[str, str] = {}
    while len(found) < num:
        form, answer = draw.choice(FORMS)
        a, b = draw.sample(NAMES, 2)
        x, y = draw.randrange(50, 100), draw.randrange(3, 50)
        found[form.format(a=a, b=b, x=x, y=y, t=draw.choice(THINGS))] = str(answer(x, y))
    return list(found.items())


def trained(folder: Path, texts: Sequence[str], *, epochs: int, seed: int = 0) -> float:
    """A checkpoint of tiny's shape that has read these texts so often; its last loss, in nats a token."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    torch.manual_seed(seed)
    shutil.copytree(TINY, folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder), dtype=torch.float32)
    ids = [torch.tensor([*tokenizer.encode(text), tokenizer.eos_token_id]) for text in texts]
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.0)
    steps = epochs * -(-len(ids) // 20)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=steps)
    generator = torch.Generator().manual_seed(seed)
    loss: Any = torch.tensor(0.0)
    for _ in range(epochs):
        order = torch.randperm(len(ids), generator=generator).tolist()
        for start in range(0, len(ids), 20):
            rows = [ids[at] for at in order[start : start + 20]]
            padded = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
            mask = torch.nn.utils.rnn.pad_sequence([torch.ones_like(row) for row in rows], batch_first=True)
            labels = padded.masked_fill(mask == 0, -100)
            loss = model(input_ids=padded, attention_mask=mask, labels=labels).loss
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    model.save_pretrained(folder)
    return float(loss.detach())


def table(path: Path, rows: Sequence[tuple[str, str]]) -> Path:
    path.write_text("".join(json.dumps({"question": q, "answer": a}) + "\n" for q, a in rows), encoding="utf-8")
    return path
