"""LiveCodeBench's own runner: generations ({scenario}_{n}_{temperature}.json), with verdicts in *_eval_all.json.

`graded_list` is the verdict on each of `code_list`. *_eval.json holds scores by position only, without texts or ids.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from orz_bench.errors import DataError, counted
from orz_bench.exchange.formats import cells
from orz_bench.exchange.formats.format import Contents, Format, Score
from orz_bench.exchange.formats.head import Head
from orz_bench.exchange.formats.sample import ForeignSample

_LISTS = ("output_list", "code_list", "graded_list", "metadata")
_USED = ("question_id", "question_content", "pass@1", *_LISTS)


def read(head: Head) -> Contents | None:
    """Generations, with or without verdicts, or scores alone."""
    if head.container != "list":
        return None
    if head.has("pass@1", "detail") and "question_id" not in head.row:
        num = len(head.row["detail"].get("pass@1", {})) if isinstance(head.row["detail"], dict) else None
        score = cells.number_of(head.row["pass@1"])
        scores = () if score is None else (Score(benchmark="livecodebench", metric="pass@1", value=score, num=num),)
        return Contents(
            what="LiveCodeBench scores by position, without texts",
            kind="scores",
            scores=scores,
            instead="the file of the same name that ends in _eval_all.json",
        )
    if not head.has("question_id") or not isinstance(head.row.get("output_list", head.row.get("code_list")), list):
        return None
    rows = list(head.all_rows())
    num = sum(len(row.get("output_list") or row.get("code_list") or ()) for row in rows)
    is_judged = "graded_list" in head.row
    return Contents(
        what=f"{counted(num, 'program')} for {counted(len(rows), 'question')} of LiveCodeBench",
        kind="samples",
        samples=partial(_samples, head, rows),
        notes=() if is_judged else ("no verdict: the file that ends in _eval_all.json has them",),
    )


def _samples(head: Head, rows: list[dict[str, Any]]) -> Iterator[ForeignSample]:
    for number, row in cells.numbered(rows):
        lists = {name: row[name] for name in _LISTS if isinstance(row.get(name), list)}
        if len({len(values) for values in lists.values()}) > 1:
            sizes = ", ".join(f"{name} {len(values)}" for name, values in lists.items())
            raise DataError(f"{head.path}, row {number}: lists of different lengths ({sizes}); restore the row.")
        for place in range(len(next(iter(lists.values()), ()))):
            each = {name: values[place] for name, values in lists.items()}
            code = cells.plain(each.get("code_list"))
            yield ForeignSample(
                row=number,
                place=place,
                completion=cells.text_of(each.get("output_list", code)),
                problem_id=str(row["question_id"]),
                sample_index=place,
                benchmark="livecodebench",
                question=cells.plain(row.get("question_content")),
                extracted=code or None,
                verdict=cells.verdict_of(each.get("graded_list")),
                judge="LiveCodeBench: graded_list" if "graded_list" in each else "",
                extra=cells.rest_of(row, _USED) | ({"metadata": each["metadata"]} if "metadata" in each else {}),
            )


FORMAT = Format(name="livecodebench", title="LiveCodeBench", read=read)
