"""evalscope: reviews and predictions, of 1.x and of the versions before, and reports.

In 1.x a review has the answer, its score and the gold; a prediction only the answer. `group_id` is the question, and
rows are in no order. Reviews of old versions hold the choices with a review each, and settings of the API, which are
dropped.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from orz_bench.errors import counted
from orz_bench.exchange.formats import cells
from orz_bench.exchange.formats.format import Contents, Format, Score
from orz_bench.exchange.formats.head import Head
from orz_bench.exchange.formats.sample import ForeignSample

_SECRET = ("api_url", "api_key", "eval_url")
_SPEAKER = re.compile(r"\A\*\*User\*\*: *\n?")


def read(head: Head) -> Contents | None:
    """Reviews, predictions, or a report."""
    if head.container == "object" and head.has("dataset_name", "model_name", "metrics"):
        return _report(head)
    if head.container != "lines" or "index" not in head.row:
        return None
    kinds = (("sample_score", "review", _review), ("model_output", "prediction", _prediction))
    for field, noun, make in kinds:
        if isinstance(head.row.get(field), dict):
            return _contents(head, noun, make=make)
    if "choices" in head.row and "raw_input" in head.row:
        return _contents(head, "review", make=_old_review)
    return None


def _contents(head: Head, noun: str, *, make: Any) -> Contents:
    rows = list(head.all_rows())
    model = next((cells.plain(row.get("model")) for row in rows if row.get("model")), None) or _model_by_folder(
        head.path
    )
    notes = () if noun == "review" else ("no verdict: predictions are judged in the file of reviews of the same name",)
    return Contents(
        what=f"{counted(len(rows), noun)} of evalscope",
        kind="samples",
        samples=partial(_samples, rows, make=make, benchmark=head.path.stem),
        notes=notes,
        facts={"model": model} if model else {},
    )


def _model_by_folder(path: Path) -> str | None:
    """Of reviews/MODEL/SET.jsonl."""
    return path.parent.name if path.parent.parent.name in ("reviews", "predictions") else None


def _samples(rows: list[dict[str, Any]], *, make: Any, benchmark: str) -> Iterator[ForeignSample]:
    seen: Counter[str] = Counter()
    made = [make(row) for row in rows]
    first_of = _repeated(made) if make is _prediction else {}
    for number, facts in cells.numbered(made):
        problem = facts.pop("problem_id")
        problem = first_of.get(facts["question"], problem)
        samples = facts.pop("samples")
        for place, sample in enumerate(samples):
            yield ForeignSample(
                row=number,
                place=place,
                problem_id=problem,
                sample_index=seen[problem],
                benchmark=benchmark,
                **facts | sample,
            )
            seen[problem] += 1


def _repeated(made: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """By question: its first index. With `repeats` (1.x) the index of a prediction is that of the sample, so each
    question has as many of them; otherwise nothing.
    """
    indices: dict[str, list[str]] = {}
    for facts in made:
        indices.setdefault(facts["question"] or "", []).append(facts["problem_id"])
    numbers = {len(found) for found in indices.values()}
    is_repeated = "" not in indices and len(numbers) == 1 and numbers != {1}
    return {question: found[0] for question, found in indices.items()} if is_repeated else {}


def _review(row: dict[str, Any]) -> dict[str, Any]:
    scored = row["sample_score"]
    score = scored.get("score") or {}
    values = score.get("value") or {}
    metric = score.get("main_score_name") or next(iter(values), "")
    group = scored.get("group_id")
    asked = row.get("input") if isinstance(row.get("input"), str) else cells.asked_in(row.get("messages") or ())
    return {
        "problem_id": str(group if group is not None else row["index"]),
        "question": _SPEAKER.sub("", asked) if asked else None,
        "gold": cells.plain(row.get("target")),
        "samples": [
            {
                "completion": cells.text_of(score.get("prediction")),
                "extracted": cells.plain(score.get("extracted_prediction")) or None,
                "verdict": cells.verdict_of(values.get(metric)),
                "judge": f"evalscope: {metric}" if metric else "",
                "extra": cells.rest_of(scored, ("score", "group_id"))
                | ({"scores": values} if len(values) > 1 or cells.verdict_of(values.get(metric)) is None else {}),
            }
        ],
    }


def _prediction(row: dict[str, Any]) -> dict[str, Any]:
    output = row["model_output"]
    usage = output.get("usage") or {}
    choices = output.get("choices") or [{}]
    turns = [turn for turn in row.get("messages") or () if turn.get("role") == "user"]
    return {
        "problem_id": str(row["index"]),
        "question": cells.text_of(turns[-1].get("content")) if turns else None,
        "num_tokens": cells.whole_of(usage.get("output_tokens")) if len(choices) == 1 else None,
        "extra": cells.rest_of(row, ("index", "model", "model_output", "messages")),
        "samples": [
            {
                "completion": cells.text_of((choice.get("message") or {}).get("content")),
                "stop_reason": "length" if choice.get("stop_reason") == "max_tokens" else choice.get("stop_reason"),
            }
            for choice in choices
        ],
    }


def _old_review(row: dict[str, Any]) -> dict[str, Any]:
    usage = row.get("usage") or {}
    raw = row.get("raw_input")
    question = (raw.get("question") or raw.get("problem")) if isinstance(raw, dict) else raw
    golds = [choice.get("review", {}).get("gold") for choice in row["choices"]]
    return {
        "problem_id": f"{row['subset_name']}/{row['index']}" if row.get("subset_name") else str(row["index"]),
        "question": cells.plain(question),
        "gold": cells.plain(next((gold for gold in golds if gold is not None), None)),
        "num_tokens": cells.whole_of(usage.get("completion_tokens")) if len(golds) == 1 else None,
        "extra": cells.rest_of(row, ("index", "choices", "usage", "raw_input", *_SECRET)),
        "samples": [
            {
                "completion": cells.text_of((choice.get("message") or {}).get("content")),
                "extracted": cells.plain(choice.get("review", {}).get("pred")),
                "verdict": cells.verdict_of(choice.get("review", {}).get("result")),
                "judge": "evalscope: result",
            }
            for choice in row["choices"]
        ],
    }


def _report(head: Head) -> Contents:
    found = head.object
    scores = [
        Score(
            benchmark=found["dataset_name"], metric=_metric(metric), value=value, num=cells.whole_of(metric.get("num"))
        )
        for metric in found["metrics"]
        if (value := cells.number_of(metric.get("score"))) is not None
    ]
    return Contents(
        what=f"an evalscope report of {found['dataset_name']}",
        kind="scores",
        scores=tuple(scores),
        instead="the .jsonl files under reviews/",
        facts={"model": found.get("model_name")},
    )


def _metric(metric: dict[str, Any]) -> str:
    """Its name; since schema 2 it is within `identity`."""
    identity = metric.get("identity")
    return str(metric.get("name") or (identity.get("name") if isinstance(identity, dict) else "score"))


FORMAT = Format(name="evalscope", title="evalscope", read=read)
