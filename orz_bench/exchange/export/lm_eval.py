"""lm-eval's samples_{task}_{time}.jsonl and results_{time}.json.

lm-eval has one row for a document, with its responses as repeats, and one figure of a metric for all of them: with more
than one sample a question, the mean of the verdicts. What it has no field for is in `doc`, which is free: our importer
reads it there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from statistics import fmean
from typing import Any

from orz_bench.exchange.export.selection import Exported, Row, kept
from orz_bench.exchange.formats.orz import KIND
from orz_bench.records.run_dir import to_json, write_text

_TIME = "2000-01-01T00-00-00.000000"
"""Part of the names; the same export is the same files."""


def write_lm_eval(exported: Sequence[Exported], out: Path) -> list[Path]:
    """One file of samples for each evaluation, and one of results for all of them."""
    written = []
    tasks = _tasks(exported)
    for one, task in zip(exported, tasks, strict=True):
        path = out / f"samples_{task}_{_TIME}.jsonl"
        by_problem = groupby(one.rows(), key=lambda row: row["problem_id"])
        rows = [_document(list(group), task=task, kind=one.kind) for _, group in by_problem]
        write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
        written.append(path)
    path = out / f"results_{_TIME}.json"
    write_text(path, to_json(_results(exported, tasks)))
    return [*written, path]


def _tasks(exported: Sequence[Exported]) -> list[str]:
    """The benchmark's name, with step and fingerprint where it occurs more than once."""
    names = [one.benchmark for one in exported]
    return [one.benchmark if names.count(one.benchmark) == 1 else one.name for one in exported]


def _document(samples: Sequence[Row], *, task: str, kind: str) -> dict[str, Any]:
    first = samples[0]
    scores = [float(row["verdict"] == "correct") for row in samples]
    is_known = all(row["verdict"] is not None for row in samples)
    ours = {KIND: kind, "samples": [kept(row) | {"sample_index": row["sample_index"]} for row in samples]}
    doc = {"question": first["question"], "answer": first["gold"], "id": first["problem_id"], "benchmark": task}
    return {
        "doc_id": first["problem_id"],
        "doc": doc | {"orz": ours},
        "target": first["gold"] or "",
        "arguments": {"gen_args_0": {"arg_0": first["prompt"] or first["question"] or "", "arg_1": {}}},
        "resps": [[row["completion"] for row in samples]],
        "filtered_resps": [first["extracted"] if first["extracted"] is not None else "[invalid]"],
        "filter": "none",
        "metrics": ["exact_match"],
        "doc_hash": _hash(json.dumps(doc, ensure_ascii=False)),
        "prompt_hash": _hash(first["prompt"] or ""),
        "target_hash": _hash(first["gold"] or ""),
        "exact_match": fmean(scores) if is_known else None,
    }


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _results(exported: Sequence[Exported], tasks: Sequence[str]) -> dict[str, Any]:
    scored = [(task, one.result.summary) for one, task in zip(exported, tasks, strict=True) if one.result is not None]
    return {
        "results": {
            task: {"alias": task, "exact_match,none": summary.avg_at_n, "exact_match_stderr,none": summary.se_question}
            for task, summary in scored
        },
        "configs": {task: {"task": task, "repeats": summary.n} for task, summary in scored},
        "versions": {task: 0 for task, _ in scored},
        "n-shot": {task: 0 for task, _ in scored},
        "n-samples": {task: {"original": s.num_problems, "effective": s.num_problems} for task, s in scored},
        "model_name": next((str(one.card.get("model")) for one in exported if one.card.get("model")), "unknown"),
    }
