"""Verdicts on pairs of texts: kept by the texts, by several people at once, and exported and imported."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from app.curated.pairs import pairs_at, pairs_file
from app.curated.sets import SetFolders
from app.judging.annotations import Annotation, Annotations
from app.judging.pair_verdicts import judge, pair_annotations, response_of, verdicts
from app.judging.side_folder import side_folder
from app.judging.travel import COLUMN, judgements_in, take_in, told
from app.queries.export_reading import rows_in
from app.queries.exports import FORMATS, exported
from app.views.curated_pairs import pair_rows
from orz_bench.errors import DataError, RecordError
from orz_bench.records.curated import PAIR_COLUMNS, PAIRS
from tests.support.app_runs import HOSTILE

ONE, OTHER = "1" * 32, "2" * 32
NONE = Annotation(key=response_of(ONE).key)


def _kept(folder: Path, author: str = "ada") -> Annotations:
    return pair_annotations(side_folder(folder), author=author)


def test_the_last_verdict_holds_and_can_be_taken_back(tmp_path: Path) -> None:
    kept = _kept(tmp_path)
    judge(kept, ONE, verdict="same", reason="", over=NONE)
    judge(kept, OTHER, verdict="unsure", reason="typo?", over=kept.of(response_of(OTHER)))
    assert verdicts(kept) == {ONE: "same", OTHER: "unsure"}
    judge(kept, ONE, verdict="different", reason="other radius", over=kept.of(response_of(ONE)))
    judge(kept, OTHER, verdict=None, reason="", over=kept.of(response_of(OTHER)))
    assert verdicts(_kept(tmp_path, "eve")) == {ONE: "different"}
    history = kept.history(response_of(ONE))
    assert [(entry.author, entry.value, entry.reason) for entry in history] == [
        ("ada", "different", "other radius"),
        ("ada", "same", ""),
    ]
    with pytest.raises(RecordError, match="unknown verdict 'correct'; choose one of same, different, unsure"):
        judge(kept, ONE, verdict="correct", reason="", over=kept.of(response_of(ONE)))


def test_of_two_at_once_the_second_is_told(tmp_path: Path) -> None:
    judge(_kept(tmp_path, "ada"), ONE, verdict="same", reason="the same cube", over=NONE)
    with pytest.raises(RecordError, match=r"somebody else has judged this meanwhile \(same: the same cube\)"):
        judge(_kept(tmp_path, "eve"), ONE, verdict="different", reason="", over=NONE)
    assert verdicts(_kept(tmp_path)) == {ONE: "same"}


def test_many_people_lose_nothing(tmp_path: Path) -> None:
    def work(author: str) -> None:
        for number in range(5):
            hash_ = f"{author}{number:031d}"
            judge(_kept(tmp_path, author), hash_, verdict="same", reason="", over=NONE)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(verdicts(_kept(tmp_path))) == 20


def _set(folder: Path) -> Path:
    """A set with a pair whose texts are hostile."""
    rows = [
        dict.fromkeys(PAIR_COLUMNS.names, text)
        | {"similarity": 0.5, "other_question": f"{text} again", "stage": "near"}
        for text in ("plain", HOSTILE, "=1+1", "```\n## 2\n- pair: x\n```", "a\r\nb")
    ]
    (folder / "mix").mkdir(parents=True)
    pq.write_table(PAIR_COLUMNS.empty_table().from_pylist(rows, schema=PAIR_COLUMNS), folder / "mix" / PAIRS)
    (folder / "mix" / "card.json").write_text("{}")
    return folder / "mix"


def _rows(folder: Path, format_name: str) -> bytes:
    (entry,) = SetFolders({"runs": folder}).sets()
    table = pairs_file(entry.path)
    return exported(pair_rows(entry, table.places([]), kept=_kept(folder)), format_name)


@pytest.mark.parametrize("format_name", [name for name, one in FORMATS.items() if one.comes_back])
def test_verdicts_travel_in_every_format(tmp_path: Path, format_name: str) -> None:
    """To a folder that has neither the set nor a run; a second import changes nothing."""
    here, there = tmp_path / "here", tmp_path / "there"
    pairs = pairs_at(pairs_file(_set(here)), range(5))
    for pair, said in zip(pairs, ("same", "different", "unsure", "same"), strict=False):
        judge(_kept(here), pair.hash, verdict=said, reason=HOSTILE, over=Annotation(key=response_of(pair.hash).key))
    there.mkdir()
    data = _rows(here, format_name)
    file = f"pairs.{FORMATS[format_name].suffix}"
    for expected in ("4 judgements taken in; 0 known already.", "0 judgements taken in; 4 known already."):
        found = judgements_in(rows_in(data, name=file))
        assert told(take_in(found, runs=[], side=side_folder(there), author="eve"))[0] == expected
    assert verdicts(_kept(there)) == verdicts(_kept(here))
    (entry,) = _kept(there).history(response_of(pairs[1].hash))
    assert (entry.author, entry.imported_by, entry.value) == ("ada", "eve", "different")
    assert entry.reason == HOSTILE.strip()


def test_an_import_says_what_it_replaces(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    (pair, *_) = pairs_at(pairs_file(_set(here)), range(5))
    _set(there)
    judge(_kept(there, "eve"), pair.hash, verdict="different", reason="", over=NONE)
    judge(_kept(here), pair.hash, verdict="same", reason="", over=NONE)
    found = judgements_in(rows_in(_rows(here, "jsonl"), name="x.jsonl"))
    sentences = told(take_in(found, runs=[], side=side_folder(there), author="eve"))
    assert sentences[1] == (
        f"verdict of the pair {pair.hash}: now holds what the file says, which is newer; what was here is in the "
        f"history."
    )
    assert verdicts(_kept(there)) == {pair.hash: "same"}


@pytest.mark.parametrize("changes", [{"value": "correct"}, {"field": "verdict", "value": "wrong"}, {"run": ""}])
def test_verdicts_of_rollouts_are_none_of_pairs(changes: dict[str, Any]) -> None:
    entry = {
        "run": "pairs", "run_name": "pairs of texts", "row": f"pair~0~~{ONE}~0", "text": ONE[:16], "field": "verdict",
        "name": "", "value": "same", "reason": None, "author": "ada", "time": "2026-01-02T03:04:05+00:00",
    }  # fmt: skip
    assert judgements_in([{COLUMN: [entry]}])
    with pytest.raises(DataError, match=r"row 1: judgements cannot be read"):
        judgements_in([{COLUMN: [entry | changes]}])
