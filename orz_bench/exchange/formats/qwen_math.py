"""The output of Qwen2.5-Math's evaluation and its relatives (ToRA, math-evaluation-harness, SimpleRL, limit-of-RLVR).

`{split}_{prompt type}_{num}_seed{s}_t{temperature}_s{start}_e{end}.jsonl` in a folder named after the set. `code`
holds the n responses, with the parallel lists `pred` and `score`. `answer` is the gold; `gt` is a normalised form of
it (units and spaces removed) and never used. Minerva and OlympiadBench have no `answer`, but a `final_answer` in
some versions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

from orz_bench.errors import DataError, counted
from orz_bench.exchange.formats import cells
from orz_bench.exchange.formats.format import Contents, Format, Score
from orz_bench.exchange.formats.head import Head
from orz_bench.exchange.formats.sample import ForeignSample

_NAME = re.compile(r".+?_(?P<prompt_type>.+)_(?P<num>-?\d+)_seed(?P<seed>\d+)_t(?P<temperature>[\d.]+?)(?:_.*)?\Z")
_LISTS = ("code", "pred", "report", "score", "pred_score", "response")
_USED = ("idx", "question", "answer", "final_answer", *_LISTS)


def read(head: Head) -> Contents | None:
    """Responses, or the metrics beside them."""
    if head.container == "object" and head.has("num_samples", "num_scores", "acc"):
        name = head.path.stem.removesuffix("_metrics")
        score = Score(benchmark=name, metric="acc", value=head.object["acc"] / 100, num=head.object["num_samples"])
        return Contents(
            what="metrics of Qwen2.5-Math's evaluation",
            kind="scores",
            scores=(score,),
            instead="the .jsonl file of the same name",
        )
    if head.container != "lines" or not head.has("idx", "question", "gt") or not isinstance(head.row.get("code"), list):
        return None
    rows = list(head.all_rows())
    num = sum(len(row.get("code") or ()) for row in rows)
    notes = []
    if not any("score" in row for row in rows):
        notes.append("no verdict: the rows have no score")
    if not any("answer" in row or "final_answer" in row for row in rows):
        notes.append("no gold: the rows have only gt, a normalised form of it, which is kept in extra")
    named = _NAME.fullmatch(head.path.stem)
    return Contents(
        what=f"{counted(num, 'response')} to {counted(len(rows), 'question')} in Qwen2.5-Math's format",
        kind="samples",
        samples=partial(_samples, head, rows, benchmark=head.path.parent.name if named else None),
        notes=tuple(notes),
        facts=named.groupdict() if named else {},
    )


def _samples(head: Head, rows: list[dict[str, Any]], *, benchmark: str | None) -> Iterator[ForeignSample]:
    for number, row in cells.numbered(rows):
        texts = row.get("code") or [None]
        lists = {name: row[name] for name in _LISTS if isinstance(row.get(name), list) and name != "code"}
        wrong = [name for name, values in lists.items() if name in ("pred", "score") and len(values) != len(texts)]
        if wrong:
            raise DataError(
                f"{head.path}, row {number}: {counted(len(texts), 'response')} in code, but "
                f"{counted(len(lists[wrong[0]]), 'value')} in {wrong[0]}; restore the row: the lists belong together."
            )
        gold = cells.plain(row.get("answer"))
        for place, text in enumerate(texts):
            report = lists.get("report", [None] * len(texts))
            yield ForeignSample(
                row=number,
                place=place,
                completion=text if isinstance(text, str) else cells.plain(text),
                problem_id=str(row["idx"]),
                sample_index=place,
                benchmark=benchmark,
                question=cells.plain(row.get("question")),
                gold=gold if gold is not None else cells.plain(row.get("final_answer")),
                extracted=(cells.plain(lists["pred"][place]) or None) if "pred" in lists else None,
                verdict=cells.verdict_of(lists["score"][place]) if "score" in lists else None,
                judge="Qwen2.5-Math: score" if "score" in lists else "",
                extra=cells.rest_of(row, _USED)
                | ({"report": report[place]} if report[place : place + 1] != [None] else {}),
            )


FORMAT = Format(name="qwen-math", title="Qwen2.5-Math's evaluation", read=read)
