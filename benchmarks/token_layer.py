"""How much larger the rollouts of a step are with the entropy of every token, and what the token layer says of `tiny`.

A tool: `--run` names a finished run of `orz-rl train --recipe tiny`. With `--model`, a folder with SmolLM2-135M
(`orz-bench model fetch smollm2-135m`), 64 of its responses to MATH500 are sampled at temperature 1 with vllm
($ORZ_DATA or ../shared/data), and their entropies are computed as training does.

    python benchmarks/token_layer.py --run runs/demo [--model FOLDER]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from _record import data_folder, keep

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from orz_bench.records import parquet
from orz_bench.records.arrays import entropies
from orz_bench.records.rollout import Rollout
from orz_bench.records.run_dir import RunDir

ROOT = Path(__file__).resolve().parents[1]


def sizes(rows: Sequence[Rollout]) -> dict[str, Any]:
    """Bytes of the file with and without entropies."""
    found = []
    for given in (rows, [replace(row, entropies=None) for row in rows]):
        with tempfile.TemporaryDirectory() as name:
            found.append(parquet.write_part(Path(name), given).stat().st_size)
    tokens = sum(row.num_tokens for row in rows)
    return {
        "responses": len(rows),
        "tokens": tokens,
        "bytes with": found[0],
        "bytes without": found[1],
        "larger by": round(found[0] / found[1] - 1, 4),
        "bytes a token": round((found[0] - found[1]) / tokens, 3),
    }


def of_model(model: Path) -> list[Rollout]:
    """Sampled responses with their entropies."""
    import torch
    from transformers import AutoModelForCausalLM

    with tempfile.TemporaryDirectory() as name:
        options = ("--bench", "math500", "--limit", "32", "--n", "2", "--max-tokens", "384", "--keep-tokens")
        where = ("--data-dir", str(data_folder()), "--out", name, "--engine", "vllm", "--template", "plain")
        command = [sys.executable, "-m", "orz_bench.cli", "eval", "--ckpt", str(model), *options, *where]
        subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
        rows = RunDir(Path(name)).evaluations()[0].rows()
    network: Any = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval()
    found = []
    for row in rows:
        prompt, response = list(row.prompt_token_ids or ()), list(row.token_ids or ())
        with torch.no_grad():
            logits = network(input_ids=torch.tensor([prompt + response])).logits[0, len(prompt) - 1 : -1]
        logprobs = logits.log_softmax(dim=-1)
        values = -(logprobs.exp() * logprobs).sum(dim=-1)
        found.append(replace(row, entropies=entropies(values.numpy()), advantage=0.1, reward=0.0, value=0.1))
    return found


def layer(run: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "analysis.cli", "tokens", str(run), "--json"]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout)
    words = [
        {name: word[name] for name in ("word", "num", "entropy", "tokens", "update")} for word in found["words"][:12]
    ]
    kept = ("steps", "num_responses", "num_tokens", "normalisation", "top_fifth")
    lengths = {name: found["lengths"][at] for name, at in (("shortest tenth", 0), ("longest tenth", -1))}
    top = {"advantage of the top fifth": sum(one["advantage"]["value"] for one in found["entropies"][-2:])}
    return {name: found[name] for name in kept} | top | lengths | {"words": words}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--run", type=Path)
    parser.add_argument("--model", type=Path)
    given = parser.parse_args()
    if given.run is None:
        sys.exit("name a finished run of `orz-rl train --recipe tiny` with --run")
    steps = dict(RunDir(given.run).sampled_steps())
    chosen = [step for step in (1, 20, 40) if step in steps]
    result: dict[str, Any] = {"tiny": {f"step {step}": sizes(steps[step].rows()) for step in chosen}}
    if given.model is not None:
        result["SmolLM2-135M at temperature 1"] = sizes(of_model(given.model))
    keep("token_layer", result | {"largest": _largest(result), "layer of tiny": layer(given.run)})


def _largest(found: dict[str, Any]) -> float:
    tiny = [one["larger by"] for one in found["tiny"].values()]
    return max([*tiny, *(one["larger by"] for name, one in found.items() if name != "tiny")])


if __name__ == "__main__":
    main()
