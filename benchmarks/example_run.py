"""A small copy of a training run, to ship as an example: rollouts, verdicts, metrics and evaluations of every step.

    python benchmarks/example_run.py RUN examples/runs/smollm2

Left out are checkpoints, logs and what only resuming needs. The command and the settings name the model by the folder
that the documents use, and the kernel's version is not kept.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import yaml

from orz_bench.records import parquet
from orz_bench.records.run_dir import RunDir

MODEL = "models/smollm2-135m"
MOST_BYTES = 3 * 10**6
_FILES = ("config.yaml", "events.jsonl", "metrics.jsonl", "prompts.json", "run.json", "DONE")


def copy_run(source: Path, target: Path) -> int:
    """Write the copy, and return its bytes. Sys.exit where a copy is there already, or it is too large."""
    if target.exists():
        sys.exit(f"{target}: exists already; remove it first.")
    target.mkdir(parents=True)
    for name in _FILES:
        if (source / name).is_file():
            shutil.copy(source / name, target / name)
    without = shutil.ignore_patterns(".lock", "*.tmp")
    shutil.copytree(source / "rollouts", target / "rollouts", ignore=without)
    shutil.copytree(source / "evals", target / "evals", ignore=without)
    name_publicly(target, source)
    run = RunDir(target)
    rows, _ = run.metrics()
    for step, folder in run.sampled_steps():
        if step > len(rows):  # sampled by a process that was ended before it learned them
            shutil.rmtree(folder.path)
    for found in (*(folder for _, folder in run.sampled_steps()), *run.evaluations()):
        parquet.replace_table(found.path, found.read(parquet.all_columns(found.path)))
    for lock in target.rglob(".lock"):
        lock.unlink()
    size = sum(file.stat().st_size for file in target.rglob("*") if file.is_file())
    if size > MOST_BYTES:
        sys.exit(f"{target}: {size:,} bytes, wanted at most {MOST_BYTES:,}.")
    return size


def name_publicly(run: Path, source: Path) -> None:
    """No folder of the machine that trained it."""
    facts = json.loads((run / "run.json").read_text(encoding="utf-8"))
    facts["command"] = ["orz-rl", "train", "--recipe", "smollm2_cpu", "--out", "runs/smollm2", f"seed={facts['seed']}"]
    facts["hardware"]["system"] = facts["hardware"]["system"].partition("-")[0]
    (run / "run.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    model = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))["model"]["policy"]
    for file in run.rglob("*"):
        if file.suffix in (".json", ".jsonl", ".yaml"):
            text = file.read_text(encoding="utf-8")
            file.write_text(text.replace(str(source), "runs/smollm2").replace(model, MODEL), encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(f"{sys.argv[2]}: {copy_run(Path(sys.argv[1]), Path(sys.argv[2])):,} bytes")
