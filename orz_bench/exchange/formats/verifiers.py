"""verifiers: results.jsonl of `vf-eval`, with metadata.json beside it.

`reward` is a weighted sum that may exceed 1, so it is no verdict; a reward function named after a correct or a
checked answer, or after a judge, is one where it gives 0 or 1. `example_id` numbers the example, and is repeated for
each of its rollouts. Older versions have `id`, which in some files numbers rows in groups that are not those of the
examples: there the prompt is what identifies one. An empty completion is a request that failed.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any

from orz_bench.errors import DataError, counted
from orz_bench.exchange.formats import cells
from orz_bench.exchange.formats.format import Contents, Format
from orz_bench.exchange.formats.head import Head
from orz_bench.exchange.formats.sample import ForeignSample
from orz_bench.records.tables import parse_json

_USED = ("id", "example_id", "prompt", "completion", "answer", "reward")
_JUDGES = re.compile(r"correct_answer|check_answer|judge_reward_func")


def read(head: Head) -> Contents | None:
    """The results of an evaluation, or its metadata."""
    if head.container == "object" and head.has("env_id", "rollouts_per_example", "avg_reward"):
        return Contents(
            what=f"verifiers metadata of {head.object['env_id']}", kind="nothing", instead="results.jsonl beside it"
        )
    if head.container != "lines" or not head.has("prompt", "completion", "reward"):
        return None
    if not any(name in head.row for name in ("task", "generation_ms", "example_id")):
        return None
    metadata = _metadata(head)
    rows = list(head.all_rows())
    judges = sorted({name for row in rows for name in row if _JUDGES.search(name)})
    judge = judges[0] if len(judges) == 1 else None
    id_column = "example_id" if "example_id" in head.row else "id" if _names_examples(rows) else None
    notes = [] if judge else ["no verdict: the reward is a weighted sum, and no single function judges the answer"]
    if id_column is None:
        notes.append("the ids are not those of the examples: samples of one prompt are one problem")
    name = metadata.get("env_id")
    return Contents(
        what=f"verifiers results of {counted(len(rows), 'rollout')}" + (f" of {name}" if name else ""),
        kind="samples",
        samples=partial(_samples, rows, judge=judge, id_column=id_column, benchmark=cells.plain(name)),
        notes=tuple(notes),
        facts={key: metadata[key] for key in ("model", "sampling_args") if key in metadata},
    )


def _names_examples(rows: list[dict[str, Any]]) -> bool:
    """Whether every id stands for one prompt."""
    prompts: dict[Any, Any] = {}
    return all(prompts.setdefault(row.get("id"), row["prompt"]) == row["prompt"] for row in rows)


def _samples(
    rows: list[dict[str, Any]], *, judge: str | None, id_column: str | None, benchmark: str | None
) -> Iterator[ForeignSample]:
    seen: Counter[str] = Counter()
    for number, row in cells.numbered(rows):
        prompt, completion = row.get("prompt"), row.get("completion")
        example = cells.plain(row.get(id_column)) if id_column else None
        example = cells.digest_of(json.dumps(prompt)) if example is None else example
        index = seen[example]
        seen[example] += 1
        messages = {"messages": completion} if cells.is_messages(completion) and len(completion) > 1 else {}
        yield ForeignSample(
            row=number,
            completion=cells.text_of(completion),
            problem_id=example,
            sample_index=index,
            benchmark=benchmark or _task(row),
            question=cells.asked_in(prompt) if cells.is_messages(prompt) else cells.text_of(prompt),
            prompt=prompt if isinstance(prompt, str) else None,
            gold=cells.plain(row.get("answer")) or None,
            verdict=cells.verdict_of(row.get(judge)) if judge and completion else None,
            judge=f"verifiers: {judge}" if judge else "",
            reward=cells.number_of(row.get("reward")),
            extra=cells.rest_of(row, _USED) | messages,
        )


def _task(row: dict[str, Any]) -> str | None:
    return None if row.get("task") in (None, "default") else cells.plain(row["task"])


def _metadata(head: Head) -> dict[str, Any]:
    path = head.path.with_name("metadata.json")
    try:
        found = parse_json(path.read_text(encoding="utf-8"), strict=False) if path.is_file() else {}
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not readable as JSON ({error}); restore it, or move it away.") from error
    return found if isinstance(found, dict) else {}


FORMAT = Format(name="verifiers", title="verifiers", read=read)
