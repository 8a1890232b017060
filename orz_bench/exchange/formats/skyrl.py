"""SkyRL: dumped_evals/global_step_{N}_evals/{set}.jsonl, and its metrics.

`score` is the sum of a sample's rewards, or a list with one for each token; it is a verdict only where every score
of the file is 0 or 1, and both occur.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

from orz_bench.errors import counted
from orz_bench.exchange.formats import cells
from orz_bench.exchange.formats.format import Contents, Format, Score
from orz_bench.exchange.formats.head import Head
from orz_bench.exchange.formats.sample import ForeignSample

_FOLDER = re.compile(r"global_step_(\d+)_evals\Z")
_USED = ("input_prompt", "output_response", "score", "stop_reason", "data_source")
_GOLDS = ("ground_truth", "answer", "solution")


def read(head: Head) -> Contents | None:
    """A dumped evaluation, or its aggregated results."""
    if head.container != "lines":
        return None
    if head.path.stem == "aggregated_results" and all("/" in name for name in head.row):
        scores = [
            Score(benchmark=name.split("/")[1], metric=name.rpartition("/")[2], value=number)
            for name, value in head.row.items()
            if (number := cells.number_of(value)) is not None
        ]
        return Contents(
            what="aggregated results of SkyRL",
            kind="scores",
            scores=tuple(scores),
            instead="the other .jsonl files of the folder",
        )
    if not head.has("input_prompt", "output_response", "score"):
        return None
    rows = list(head.all_rows())
    judges = {_total(row["score"]) for row in rows} == {0.0, 1.0}
    step = _FOLDER.search(head.path.parent.name)
    return Contents(
        what=f"a SkyRL evaluation of {counted(len(rows), 'sample')}",
        kind="samples",
        samples=partial(_samples, rows, judges=judges, step=int(step[1]) if step else None),
        notes=("every score is 0 or 1, so the score is taken as the verdict",)
        if judges
        else ("no verdict: scores other than 0 and 1, or only one of them",),
    )


def _samples(rows: list[dict[str, Any]], *, judges: bool, step: int | None) -> Iterator[ForeignSample]:
    for number, row in cells.numbered(rows):
        prompt, score = cells.text_of(row["input_prompt"]), _total(row["score"])
        extras = row.get("env_extras") or {}
        spec = extras.get("reward_spec") or extras.get("reward_model") or extras
        gold = next((spec[name] for name in _GOLDS if name in spec), None) if isinstance(spec, dict) else None
        yield ForeignSample(
            row=number,
            completion=cells.text_of(row["output_response"]),
            problem_id=cells.digest_of(prompt or ""),
            benchmark=cells.plain(row.get("data_source")),
            step=step,
            prompt=prompt,
            question=prompt,
            gold=cells.plain(gold),
            verdict=cells.verdict_of(score) if judges else None,
            judge="SkyRL: score" if judges else "",
            reward=score,
            stop_reason=cells.plain(row.get("stop_reason")),
            extra=cells.rest_of(row, _USED),
        )


def _total(score: Any) -> float | None:
    """A sum over tokens, or the number."""
    if isinstance(score, list):
        numbers = [cells.number_of(value) for value in score]
        return None if None in numbers else float(sum(filter(None, numbers)))
    return cells.number_of(score)


FORMAT = Format(name="skyrl", title="SkyRL", read=read)
