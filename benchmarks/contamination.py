"""Is a model that was trained on half of 200 generated problems caught, and one that was trained on none of them not?

A model of tiny's size (0.6 million parameters) learns the texts of 100 word problems from scratch; `orz-bench
contamination` holds these against 100 others of the same program, and two halves of unseen ones against each other.

    python benchmarks/contamination.py [--epochs 60] [--model FOLDER]

With `--model`, a folder with SmolLM2-135M (`orz-bench model fetch smollm2-135m`), it also completes 50 questions of
MATH500 ($ORZ_DATA or ../shared/data).
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from _record import data_folder, keep

ROOT = Path(__file__).resolve().parents[1]
TINY = ROOT / "orz_rl" / "assets" / "tiny"
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
FORMS = (
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
    loss = torch.tensor(0.0)
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


def answered(*arguments: str | Path) -> dict[str, Any]:
    """The JSON of the command."""
    command = [sys.executable, "-m", "orz_bench.cli", "contamination", *map(str, arguments), "--json"]
    found: dict[str, Any] = json.loads(
        subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
    )
    return found


def caught(folder: Path, *, num: int, epochs: int) -> dict[str, Any]:
    """Seen against unseen, and unseen against unseen."""
    rows = problems(3 * num)
    tables = {
        name: table(folder / f"{name}.jsonl", rows[at * num : (at + 1) * num])
        for at, name in enumerate(("seen", "unseen", "other"))
    }
    start = time.process_time()
    loss = trained(folder / "model", [f"{q}\n{a}" for q, a in rows[:num]], epochs=epochs)
    seconds = time.process_time() - start
    common = ("--ckpt", folder / "model", "--engine", "transformers", "--dtype", "float32", "--out", folder / "run")
    seen = answered(*common, "--bench", tables["seen"], "--fresh", tables["unseen"])
    clean = answered(*common, "--bench", tables["other"], "--fresh", tables["unseen"])
    return {
        "problems": num,
        "epochs": epochs,
        "last loss": round(loss, 4),
        "training, CPU seconds": round(seconds, 1),
        "seen": _figures(seen["benchmarks"][0]),
        "unseen": _figures(seen["benchmarks"][1]),
        "seen against unseen": _test(seen["against_fresh"][0]),
        "unseen against unseen": _test(clean["against_fresh"][0]),
    }


def _figures(found: dict[str, Any]) -> dict[str, Any]:
    by_share = {
        f"{100 * one['share']:g} %": {"exact": one["exact"], "rouge_l": one["rouge_l"]} for one in found["completions"]
    }
    return {"completions": by_share, "answers": {f"{100 * one['share']:g} %": one["right"] for one in found["answers"]}}


def _test(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name not in ("old", "fresh")}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--model", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        result = {"trained on 100": caught(Path(name), num=100, epochs=given.epochs)}
        if given.model is not None:
            arguments = ("--bench", "math500", "--limit", "50", "--data-dir", data_folder(), "--engine", "transformers")
            found = answered("--ckpt", given.model, *arguments, "--out", Path(name) / "smollm2")
            result["SmolLM2-135M on 50 of MATH500"] = _figures(found["benchmarks"][0])
    keep("contamination", result)


if __name__ == "__main__":
    main()
