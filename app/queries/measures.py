"""Numbers about responses that are too slow to compute while a page waits, with the beginnings of the texts.

Input: a part of rollouts. Output: a table with one row per rollout, in the order of the part. The numbers are those of
analysis; unknown is null.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.texts.form import form_features
from analysis.texts.lexicons import Lexicon, get_lexicon
from analysis.texts.reasoning import calculates, num_reasoning_chars, thought_of
from analysis.texts.reflection import find_reflections
from analysis.texts.repetition import repetition_features
from app.reader.gold import END_CHARS, gold_places
from orz_bench.records.judged import WITHOUT_TEXT
from orz_bench.records.retention import dropped_text
from orz_bench.records.text_hash import text_hash

VERSION = 4
"""Part of the files' path: increased whenever a column or its meaning changes."""
BATCH_ROWS = 1024
PREVIEW_CHARS = 240
SHORT_CHARS = 120

COLUMNS = ("benchmark", "problem_id", "sample_index", "question", "gold", "completion", "extracted", "why", "extra")
SCHEMA = pa.schema(
    [
        ("num_chars", pa.int32()),
        ("text_hash", pa.uint64()),
        ("reflections", pa.int32()),
        ("repetition", pa.float32()),
        ("ends_in_loop", pa.bool_()),
        ("keeps_form", pa.bool_()),
        ("reasoning_chars", pa.int32()),
        ("shows_work", pa.bool_()),
        ("gold_in_text", pa.bool_()),
        ("gold_at_end", pa.bool_()),
        ("question_head", pa.string()),
        ("preview", pa.string()),
        ("gold_head", pa.string()),
        ("extracted_head", pa.string()),
        ("why_head", pa.string()),
    ]
)
_SPACES = re.compile(r"\s+")


def lexicon() -> Lexicon:
    """The lexicon that the app counts and highlights: `extended` (whole words, any case)."""
    return get_lexicon("extended")


def measure_part(path: Path) -> pa.Table:
    """The columns SCHEMA for every row of a part. Raises pyarrow's errors for a damaged file."""
    batches = [pa.Table.from_pandas(frame, SCHEMA, preserve_index=False) for frame in _measured(path)]
    return pa.concat_tables(batches) if batches else SCHEMA.empty_table()


def _measured(path: Path) -> Iterator[pd.DataFrame]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=list(COLUMNS)):
            yield measures(batch.to_pandas())


def measures(rollouts: pd.DataFrame) -> pd.DataFrame:
    """The columns of SCHEMA for rollouts with COLUMNS. Of a text that was dropped only its length and hash are known,
    and nothing of a response that an imported file lacks: its hash is that of the empty text.

    reasoning_chars counts the characters before `</think>`, or before the final answer without that tag, except tags
    and spaces; shows_work: whether they contain a calculation or a reflection; gold_in_text: whether the response
    contains the gold as a separate word (null for golds of one character, which occur in almost any text); gold_at_end:
    whether its end does (of any length).
    """
    has_text = rollouts["completion"].notna() & ~rollouts["why"].isin(WITHOUT_TEXT)
    found = _of_texts(rollouts[has_text])
    if not has_text.all():
        found = pd.concat([found, _without_text(rollouts[~has_text])]).loc[rollouts.index]
    return found


def _without_text(rollouts: pd.DataFrame) -> pd.DataFrame:
    facts = [
        dropped_text(extra) or (None, None if text is None else text_hash(text))
        for text, extra in zip(rollouts["completion"], rollouts["extra"], strict=True)
    ]
    return pd.DataFrame(
        {
            "num_chars": pd.array([chars for chars, _ in facts], "Int32"),
            "text_hash": pd.array([hashed for _, hashed in facts], "UInt64"),
            "question_head": _heads(rollouts["question"], PREVIEW_CHARS),
            "gold_head": _heads(rollouts["gold"], SHORT_CHARS),
            "extracted_head": _heads(rollouts["extracted"], SHORT_CHARS),
            "why_head": _heads(rollouts["why"], SHORT_CHARS),
        },
        index=rollouts.index,
    ).reindex(columns=SCHEMA.names)


def _of_texts(rollouts: pd.DataFrame) -> pd.DataFrame:
    texts = [str(text) for text in rollouts["completion"]]
    known = rollouts.assign(completion=texts)
    repetition = repetition_features(texts)
    thoughts = [thought_of(text) for text in texts]
    reflections = find_reflections(known, lexicon()).counted
    return pd.DataFrame(
        {
            "num_chars": [len(text) for text in texts],
            "text_hash": [text_hash(text) for text in texts],
            "reflections": [len(found) for found in reflections],
            "repetition": repetition["repetition"],
            "ends_in_loop": repetition["ends_in_loop"],
            "keeps_form": form_features(texts)["keeps_form"],
            "reasoning_chars": [num_reasoning_chars(thought) for thought in thoughts],
            "shows_work": [
                bool(found) or calculates(thought) for found, thought in zip(reflections, thoughts, strict=True)
            ],
            "gold_in_text": [holds_gold(text, gold) for text, gold in zip(texts, rollouts["gold"], strict=True)],
            "gold_at_end": [ends_in_gold(text, gold) for text, gold in zip(texts, rollouts["gold"], strict=True)],
            "question_head": _heads(rollouts["question"], PREVIEW_CHARS),
            "preview": _heads(texts, PREVIEW_CHARS),
            "gold_head": _heads(rollouts["gold"], SHORT_CHARS),
            "extracted_head": _heads(rollouts["extracted"], SHORT_CHARS),
            "why_head": _heads(rollouts["why"], SHORT_CHARS),
        },
        index=rollouts.index,
    )


def holds_gold(text: str, gold: object) -> bool | None:
    """Whether the text contains the gold outside longer words and numbers; None for golds that are too short."""
    if not isinstance(gold, str) or len(gold.strip()) < 2:
        return None
    return next(gold_places(text, gold), None) is not None


def ends_in_gold(text: str, gold: object) -> bool | None:
    """Whether the last END_CHARS characters contain the gold, also one of one character; None without a gold."""
    if not isinstance(gold, str) or not gold.strip():
        return None
    return next(gold_places(text, gold, start=max(len(text) - END_CHARS, 0)), None) is not None


def _heads(texts: Sequence[object] | pd.Series, limit: int) -> list[str | None]:
    return [head(text, limit) if isinstance(text, str) else None for text in texts]


def head(text: str, limit: int) -> str:
    """The first characters, with white space as single blanks; `…` means that more follows."""
    short = _SPACES.sub(" ", text[: 2 * limit]).strip()
    return short if len(short) <= limit and len(text) <= 2 * limit else short[:limit].rstrip() + "…"
