"""inspect's evaluation logs, version 2, as JSON: one for each evaluation; `inspect view` shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from orz_bench.environment import VERSION
from orz_bench.exchange.export.selection import Exported, Row, kept
from orz_bench.exchange.formats.orz import KIND
from orz_bench.records.run_dir import to_json, write_text

_CREATED = "2000-01-01T00:00:00+00:00"
"""The same export is the same file."""
_VALUES = {"correct": "C", "wrong": "I", "no_answer": "N", "unparseable": "I", "timeout": "I", "error": "I"}
_STOPS = {"length": "max_tokens", "eos": "stop", "stop_string": "stop", "stop": "stop", "failed": "unknown"}


def write_inspect(exported: Sequence[Exported], out: Path) -> list[Path]:
    """One log for each evaluation."""
    written = []
    for one in exported:
        path = out / f"{one.name}.json"
        write_text(path, to_json(_log(one)))
        written.append(path)
    return written


def _log(one: Exported) -> dict[str, Any]:
    rows = one.rows()
    problems = list(dict.fromkeys(row["problem_id"] for row in rows))
    epochs = max(row["sample_index"] for row in rows) + 1
    model = str(one.card.get("model") or "unknown")
    sampling = one.card.get("sampling") or {}
    config = {name: sampling[name] for name in ("temperature", "top_p", "max_tokens") if name in sampling}
    return {
        "version": 2,
        "status": "success",
        "eval": {
            "eval_id": one.name,
            "run_id": one.name,
            "created": _CREATED,
            "task": one.benchmark,
            "task_id": one.name,
            "dataset": {"name": one.benchmark, "samples": len(problems), "sample_ids": problems},
            "model": model,
            "model_generate_config": config,
            "config": {"epochs": epochs},
            "packages": {"orz": VERSION},
            "metadata": {"step": one.step, "fingerprint": one.fingerprint, KIND: one.kind},
            "scorers": [{"name": "orz"}],
        },
        "plan": {"name": "plan", "steps": []},
        "results": _results(one, rows),
        "stats": {"started_at": _CREATED, "completed_at": _CREATED, "model_usage": {}},
        "samples": [_sample(row, model=model) for row in rows],
    }


def _sample(row: Row, *, model: str) -> dict[str, Any]:
    choice = {
        "message": {"role": "assistant", "content": row["completion"], "source": "generate", "model": model},
        "stop_reason": _STOPS.get(row["stop_reason"] or "", "unknown"),
    }
    usage = {"input_tokens": 0, "output_tokens": row["num_tokens"], "total_tokens": row["num_tokens"]}
    return {
        "id": row["problem_id"],
        "epoch": row["sample_index"] + 1,
        "input": row["question"] or row["prompt"] or "",
        "target": row["gold"] or "",
        "messages": [
            {"role": "user", "content": row["prompt"] or row["question"] or "", "source": "input"},
            choice["message"],
        ],
        "output": {
            "model": model,
            "choices": [choice],
            **({"usage": usage} if row["num_tokens"] is not None else {}),
        },
        "scores": _scores(row),
        "metadata": {**row["extra"], "orz": kept(row)},
    }


def _scores(row: Row) -> dict[str, Any]:
    """None for a row without a verdict."""
    if row["verdict"] is None:
        return {}
    return {"orz": {"value": _VALUES[row["verdict"]], "answer": row["extracted"], "explanation": row["why"]}}


def _results(one: Exported, rows: Sequence[Row]) -> Mapping[str, Any]:
    scored = sum(row["verdict"] is not None for row in rows)
    head = {"total_samples": len(rows), "completed_samples": len(rows)}
    if one.result is None:
        return head
    metrics = {
        "accuracy": {"name": "accuracy", "value": one.result.summary.avg_at_n},
        "stderr": {"name": "stderr", "value": one.result.summary.se_question or 0.0},
    }
    score = {"name": "orz", "scorer": "orz", "scored_samples": scored, "unscored_samples": len(rows) - scored}
    return head | {"scores": [score | {"metrics": metrics}]}
