"""A whole curation in this process: what it takes for its own, and what it leaves alone."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orz_bench.benchmarks.arithmetic import generate_sums
from orz_bench.errors import ConfigError, DataError
from orz_rl.curation.explain import explain
from orz_rl.curation.pipeline import Curated, curate
from orz_rl.curation.settings import checked
from tests.support.curation_rows import write_lines

FEW = {"decontaminate": None, "verify": None, "near": None}


def _curated(out: Path, *, fresh: bool = False, source: str = "arithmetic", **changes: object) -> Curated:
    tree = {"sources": [{"path": source, "count": 5}], **FEW, **changes}
    return curate(checked(tree, where="test"), out=out, fresh=fresh, notice=lambda _: None)


def test_a_finished_result_is_left_as_it_is(tmp_path: Path) -> None:
    first = _curated(tmp_path)
    before = (tmp_path / "card.json").stat().st_mtime_ns
    again = _curated(tmp_path)
    assert (first.is_new, again.is_new, again.num_kept) == (True, False, 5)
    assert (tmp_path / "card.json").stat().st_mtime_ns == before
    with pytest.raises(ConfigError, match=r"settings\.rows_per_part was 8192, is 2"):
        _curated(tmp_path, rows_per_part=2)
    assert _curated(tmp_path, fresh=True, rows_per_part=2).is_new


@pytest.mark.parametrize("name", ["work", "pass_rate"])
def test_folders_of_others_are_never_deleted(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "thesis.tex").write_text("years of work", encoding="utf-8")
    (tmp_path / "train.jsonl").write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"is not of an earlier curation|holds train\.jsonl"):
        _curated(tmp_path, fresh=True)
    with pytest.raises(ConfigError, match=r"holds train\.jsonl"):
        _curated(tmp_path)
    assert (tmp_path / name / "thesis.tex").is_file()
    assert (tmp_path / "train.jsonl").read_text(encoding="utf-8") == "mine"


def test_no_kept_row_is_a_result(tmp_path: Path) -> None:
    source = write_lines(tmp_path / "rows.jsonl", [{"problem": "What is it?", "answer": ""}] * 3)
    done = _curated(tmp_path / "out", source=str(source))
    assert (done.num_rows, done.num_kept) == (3, 0)
    assert (tmp_path / "out" / "train.jsonl").read_bytes() == b""
    assert explain("rows:line 2", tmp_path / "out").fate["reason"] == "no_answer"


def test_texts_with_separators_stay_on_their_line(tmp_path: Path) -> None:
    """U+2028 ends a line for some readers; order and ids do not depend on it."""
    rows = [{"id": f"a\u2028{n}", "problem": f"What is {n}\u0085 or\u2029 so?", "answer": "1"} for n in range(9)]
    source = write_lines(tmp_path / "rows.jsonl", rows)
    _curated(tmp_path / "out", source=str(source), normalise=None)
    with (tmp_path / "out" / "train.jsonl").open(encoding="utf-8") as file:
        found = {row["id"]: row["problem"] for row in map(json.loads, file)}
    assert found == {row["id"]: row["problem"] for row in rows}


def test_no_row_at_all(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("", encoding="utf-8")
    with pytest.raises(DataError, match="has no rows"):
        _curated(tmp_path / "out", source=str(tmp_path / "rows.jsonl"))
    with pytest.raises(DataError, match=r"has no fates\.parquet"):
        explain("x", tmp_path / "out")


class _Tags(HTMLParser):
    """The elements that are open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        self.seen.add(tag)
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_card_shows_hostile_texts_as_texts(tmp_path: Path) -> None:
    hostile = "</div><script>alert(1)</script><img src=x onerror=alert(1)> & \"quotes\" 'too'"
    rows = [
        {"id": hostile + str(n % 3), "problem": f"What is {n % 7}? {hostile}", "answer": hostile, "level": hostile}
        for n in range(9)
    ]
    name = tmp_path / "rows<b>.jsonl"
    _curated(tmp_path / "out", source=str(write_lines(name, rows)), near={}, normalise=None)
    page = (tmp_path / "out" / "card.html").read_text(encoding="utf-8")
    tags = _Tags()
    tags.feed(page)
    assert tags.open == []
    assert not tags.seen & {"script", "img", "b"}
    assert "&lt;script&gt;alert(1)" in page
    card = json.loads((tmp_path / "out" / "card.json").read_text(encoding="utf-8"))
    assert card["values"]["level"]["all"] == {hostile[:40]: 9}


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": 2}', '{"schema": "x"}'])
def test_a_damaged_card_is_refused_and_a_new_start_replaces_it(tmp_path: Path, text: str) -> None:
    _curated(tmp_path)
    (tmp_path / "card.json").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"card\.json: "):
        _curated(tmp_path)
    assert _curated(tmp_path, fresh=True).is_new


def test_a_row_is_not_explained_by_the_pairs_of_a_benchmark_question_with_its_id(tmp_path: Path) -> None:
    held_out = generate_sums(split="held_out", num_problems=1)[0]
    rows = [
        {"id": "mine", "problem": held_out.question, "answer": held_out.gold},
        {"id": held_out.problem_id, "problem": "How many days has a week?", "answer": "7"},
    ]
    source = write_lines(tmp_path / "rows.jsonl", rows)
    _curated(tmp_path / "out", source=str(source), decontaminate={"against": ["arithmetic"]})
    (pair,) = explain("mine", tmp_path / "out").pairs
    assert pair["other_id"] == held_out.problem_id
    assert explain(held_out.problem_id, tmp_path / "out").pairs == []


@pytest.mark.parametrize("name", ["fates.parquet", "pairs.parquet"])
def test_damaged_files_are_not_explained(tmp_path: Path, name: str) -> None:
    _curated(tmp_path)
    id_ = json.loads((tmp_path / "train.jsonl").read_text(encoding="utf-8").splitlines()[0])["id"]
    for data in (b"", b"PAR1", (tmp_path / name).read_bytes()[:-9]):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(DataError, match=f"{name}: cannot be read"):
            explain(id_, tmp_path)
    pq.write_table(pa.table({"a": [1]}), tmp_path / name)
    with pytest.raises(DataError, match=f"{name}: has no column '(source|stage)'"):
        explain(id_, tmp_path)
    if name == "pairs.parquet":
        (tmp_path / name).unlink()
        with pytest.raises(DataError, match=f"{name}: cannot be read"):
            explain(id_, tmp_path)
