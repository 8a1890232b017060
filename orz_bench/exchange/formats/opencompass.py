"""OpenCompass: predictions/{model}/{set}.json, an object of rows "0", "1", ...; {set}_0.json, {set}_1.json are its
parts.

The parts number their rows from 0 again, so the part belongs to the id. Scores are in results/.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

from orz_bench.errors import counted
from orz_bench.exchange.formats import cells
from orz_bench.exchange.formats.format import Contents, Format
from orz_bench.exchange.formats.head import Head
from orz_bench.exchange.formats.sample import ForeignSample

_PART = re.compile(r"(.+)_(\d+)\Z")


def read(head: Head) -> Contents | None:
    """Predictions."""
    rows = head.object
    first = next(iter(rows.values()), None)
    if not isinstance(first, dict) or not {"origin_prompt", "prediction"} <= first.keys():
        return None
    return Contents(
        what=f"{counted(len(rows), 'prediction')} of OpenCompass",
        kind="samples",
        samples=partial(_samples, rows, head.path.stem),
        notes=("no verdict: OpenCompass keeps scores in results/",),
    )


def _samples(rows: dict[str, Any], stem: str) -> Iterator[ForeignSample]:
    part = _PART.fullmatch(stem)
    for number, (key, row) in enumerate(rows.items(), start=1):
        texts = row["prediction"] if isinstance(row["prediction"], list) else [row["prediction"]]
        prompt, gold = row["origin_prompt"], row.get("gold")
        is_plain = not isinstance(gold, dict)
        for place, text in enumerate(texts or [None]):
            yield ForeignSample(
                row=number,
                place=place,
                completion=cells.text_of(text),
                problem_id=f"{part[2]}-{key}" if part else key,
                sample_index=place,
                benchmark=part[1] if part else stem,
                question=_asked(prompt),
                prompt=prompt if isinstance(prompt, str) else None,
                gold=cells.plain(gold) if is_plain else None,
                extra=cells.rest_of(row, ("origin_prompt", "prediction", *(("gold",) if is_plain else ()))),
            )


def _asked(prompt: Any) -> str | None:
    """Its own messages say HUMAN and BOT, with the text under `prompt`."""
    if isinstance(prompt, list) and prompt and isinstance(prompt[-1], dict) and "prompt" in prompt[-1]:
        turns = [turn for turn in prompt if turn.get("role") == "HUMAN"]
        return cells.plain(turns[-1]["prompt"]) if turns else None
    return cells.asked_in(prompt) if cells.is_messages(prompt) else cells.text_of(prompt)


FORMAT = Format(name="opencompass", title="OpenCompass", read=read)
