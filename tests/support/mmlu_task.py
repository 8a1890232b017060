"""lm-eval's own MMLU task, on local rows."""

from __future__ import annotations

import json
from pathlib import Path

import yaml


def write_task(folder: Path, data: Path, *, subject: str) -> None:
    """lm-eval's `mmlu` for one subject, from local rows."""
    files = {}
    for split in ("test", "dev"):
        text = (data / "eval" / f"mmlu_{split}.jsonl").read_text(encoding="utf-8").rstrip("\n")
        rows = [row for row in map(json.loads, text.split("\n")) if row["subject"] == subject]
        lines = [
            {"question": r["question"], "choices": r["choices"], "answer": "ABCD".index(r["answer"])} for r in rows
        ]
        files[split] = str(folder / f"{subject}-{split}.jsonl")
        Path(files[split]).write_text("\n".join(map(json.dumps, lines)) + "\n", encoding="utf-8")
    options = "\n".join(f"{letter}. {{{{choices[{at}]}}}}" for at, letter in enumerate("ABCD"))
    topic = subject.replace("_", " ")
    task = {
        "task": f"local_{subject}",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": files},
        "test_split": "test",
        "fewshot_split": "dev",
        "fewshot_config": {"sampler": "first_n"},
        "output_type": "multiple_choice",
        "description": f"The following are multiple choice questions (with answers) about {topic}.\n\n",
        "doc_to_text": "{{question.strip()}}\n" + options + "\nAnswer:",
        "doc_to_choice": list("ABCD"),
        "doc_to_target": "answer",
        "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
    }
    (folder / f"{subject}.yaml").write_text(yaml.safe_dump(task, sort_keys=False), encoding="utf-8")
