"""Finding, reading, checking and fetching a benchmark's data."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from orz_bench.benchmarks.benchmark import Benchmark, Erratum, HubDataset
from orz_bench.benchmarks.digests import data_hash, question_sha256
from orz_bench.benchmarks.loading.hub import HubFile, hub_files
from orz_bench.benchmarks.loading.load import fetch_benchmark, list_benchmarks, load_problems
from orz_bench.benchmarks.rows import math_problem
from orz_bench.errors import ConfigError, DataError
from tests.support.builders import a_problem

HUB = HubDataset(repo="someone/toy", revision="0" * 40, files=("a.jsonl", "sub/b.jsonl"), gated=True)


def toy(**changes: Any) -> Benchmark:
    facts: dict[str, Any] = {
        "name": "toy",
        "title": "Toy",
        "kind": "math",
        "num_problems": 2,
        "local_names": ("toy",),
        "licence": "none",
        "parse_row": lambda row, position: math_problem(row, position, benchmark="toy"),
    }
    return Benchmark(**facts | changes)


def write_lines(path: Path, *rows: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


ROWS = ({"id": "a", "problem": "1 + 1?", "answer": 2}, {"id": "b", "problem": "2 + 2?", "answer": "4"})


@pytest.mark.parametrize("place", ["toy.jsonl", "eval/toy.jsonl", "orz_format/toy.json"])
def test_found_in_any_usual_place(tmp_path: Path, place: str) -> None:
    path = tmp_path / place
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(ROWS) if place.endswith("json") else "\n".join(map(json.dumps, ROWS)), encoding="utf-8")
    loaded = load_problems(toy(), folders=[tmp_path], cache=tmp_path / "cache")
    assert [(p.problem_id, p.question, p.gold) for p in loaded.problems] == [("a", "1 + 1?", "2"), ("b", "2 + 2?", "4")]
    assert loaded.source == str(path)


def test_the_first_folder_wins(tmp_path: Path) -> None:
    for name, gold in (("first", "1"), ("second", "2")):
        write_lines(tmp_path / name / "toy.jsonl", *({"id": i, "problem": "?", "answer": gold} for i in range(2)))
    loaded = load_problems(toy(), folders=[tmp_path / "first", tmp_path / "second"], cache=tmp_path)
    assert loaded.problems[0].gold == "1"


def test_the_published_orz_format(tmp_path: Path) -> None:
    rows = [{"prompt": [{"from": "human", "value": f"q{i}"}], "final_answer": str(i)} for i in range(2)]
    (tmp_path / "toy.json").write_text(json.dumps(rows), encoding="utf-8")
    loaded = load_problems(toy(), folders=[tmp_path], cache=tmp_path)
    assert [(p.problem_id, p.question, p.gold) for p in loaded.problems] == [("toy-0", "q0", "0"), ("toy-1", "q1", "1")]


def test_csv_and_parquet_are_read(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [{"problem": "q0", "answer": "0"}, {"problem": "q1", "answer": "1"}]
    with (tmp_path / "a.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["problem", "answer"])
        writer.writeheader()
        writer.writerows(rows[:1])
    pq.write_table(pa.Table.from_pylist(rows[1:]), tmp_path / "b.parquet")
    hub = HubDataset(repo="x/y", revision="1", files=("a.csv", "b.parquet"))
    benchmark = toy(hub=hub)
    fetch_benchmark(benchmark, cache=tmp_path / "c", download=lambda _, file: HubFile(tmp_path / file, "1"))
    assert [p.gold for p in load_problems(benchmark, cache=tmp_path / "c").problems] == ["0", "1"]


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    write_lines(tmp_path / "toy.jsonl", ROWS[0], '{"id": "b", "problem"')
    with pytest.raises(DataError, match=r"toy\.jsonl, line 2: broken JSON"):
        load_problems(toy(), folders=[tmp_path], cache=tmp_path)


def test_a_row_without_an_answer_is_named(tmp_path: Path) -> None:
    write_lines(tmp_path / "toy.jsonl", ROWS[0], {"id": "b", "problem": "?"})
    with pytest.raises(DataError, match=r"line 2: found no text under answer"):
        load_problems(toy(), folders=[tmp_path], cache=tmp_path)


def test_a_wrong_number_of_rows_is_an_error(tmp_path: Path) -> None:
    write_lines(tmp_path / "toy.jsonl", ROWS[0])
    with pytest.raises(DataError, match=r"1 problem, but Toy has 2"):
        load_problems(toy(), folders=[tmp_path], cache=tmp_path)


def test_the_hubs_edition_may_have_another_number_of_rows(tmp_path: Path) -> None:
    write_lines(tmp_path / "toy.jsonl", ROWS[0])
    hub = HubDataset(repo="x/y", revision="1", files=(), num_problems=1)
    assert len(load_problems(toy(hub=hub), folders=[tmp_path], cache=tmp_path).problems) == 1


def test_a_repeated_id_is_an_error(tmp_path: Path) -> None:
    write_lines(tmp_path / "toy.jsonl", ROWS[0], ROWS[0])
    with pytest.raises(DataError, match="duplicate id 'a'"):
        load_problems(toy(), folders=[tmp_path], cache=tmp_path)


def test_missing_data_of_a_benchmark_on_no_hub(tmp_path: Path) -> None:
    """Nothing tells to fetch what cannot be fetched."""
    with pytest.raises(DataError, match=r"Looked for toy\.jsonl .*; it is on no hub\. .* --data-dir or \$ORZ_DATA\.$"):
        load_problems(toy(), folders=[tmp_path], cache=tmp_path)
    with pytest.raises(DataError, match=r"on no hub: put its file \(toy\.jsonl\) into a folder"):
        fetch_benchmark(toy(), cache=tmp_path)
    write_lines(tmp_path / "toy.jsonl", ROWS[0])
    with pytest.raises(DataError, match="restore the whole file, and use --limit"):
        load_problems(toy(), folders=[tmp_path], cache=tmp_path)


def test_where_data_come_from() -> None:
    generated = toy(generate=lambda: [a_problem()], parse_row=None, local_names=())
    assert [one.source for one in (generated, toy(), toy(hub=HUB))] == [
        "generated",
        "local file only: --data-dir",
        "someone/toy @ 000000000000, gated",
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"parse_row": None},
        {"local_names": ()},
        {"generate": lambda: [a_problem()]},
        {"generate": lambda: [a_problem()], "parse_row": None},
        {"hub": HUB, "parse_row": None, "local_names": ()},
        {"parse_row": None, "local_names": ()},
    ],
)
def test_a_declaration_without_a_way_to_its_problems_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"benchmark 'toy' declares .*; wanted either generate alone, or parse_row"):
        toy(**changes)


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such data folder"):
        load_problems(toy(), folders=[tmp_path / "nowhere"], cache=tmp_path)


def test_errata_are_reported_and_corrected_only_when_asked(tmp_path: Path) -> None:
    erratum = Erratum(
        question_sha256=question_sha256("1+1?"), wrong_gold="3", right_gold="2", why="it is", source="arithmetic"
    )
    write_lines(tmp_path / "toy.jsonl", ROWS[0] | {"answer": "3"}, ROWS[1])
    benchmark = toy(errata=(erratum,))
    as_published = load_problems(benchmark, folders=[tmp_path], cache=tmp_path)
    corrected = load_problems(benchmark, folders=[tmp_path], cache=tmp_path, correct_errata=True)
    assert (as_published.problems[0].gold, corrected.problems[0].gold) == ("3", "2")
    assert "not corrected" in as_published.errata_notes()[0]
    assert "corrected here" in corrected.errata_notes()[0]
    assert as_published.data_hash != corrected.data_hash


def test_an_erratum_without_a_right_gold_is_reported_and_left(tmp_path: Path) -> None:
    erratum = Erratum(
        question_sha256=question_sha256("1+1?"),
        wrong_gold="3",
        right_gold=None,
        why="it asks for two things",
        source="x",
    )
    write_lines(tmp_path / "toy.jsonl", ROWS[0] | {"answer": "3"}, ROWS[1])
    loaded = load_problems(toy(errata=(erratum,)), folders=[tmp_path], cache=tmp_path, correct_errata=True)
    assert loaded.problems[0].gold == "3"
    assert "none is right" in loaded.errata_notes()[0]
    assert "left as published" in loaded.errata_notes()[0]


def test_a_right_gold_has_no_erratum(tmp_path: Path) -> None:
    erratum = Erratum(question_sha256=question_sha256("1+1?"), wrong_gold="3", right_gold="2", why="", source="")
    write_lines(tmp_path / "toy.jsonl", *ROWS)
    assert load_problems(toy(errata=(erratum,)), folders=[tmp_path], cache=tmp_path).errata_notes() == ()


def test_the_hash_covers_question_gold_and_order() -> None:
    a, b = a_problem(problem_id="a"), a_problem(problem_id="b")
    hashes = {data_hash(x) for x in ([a, b], [b, a], [a], [a, a_problem(problem_id="b", gold="3")])}
    assert len(hashes) == 4


def test_fetching_keeps_hashes_and_notices_changes(tmp_path: Path) -> None:
    source = tmp_path / "hub"
    write_lines(source / "a.jsonl", ROWS[0])
    write_lines(source / "sub" / "b.jsonl", ROWS[1])
    asked: list[str] = []

    def download(hub: HubDataset, file: str) -> HubFile:
        asked.append(file)
        return HubFile(source / file, hub.revision)

    benchmark, cache = toy(hub=HUB), tmp_path / "cache"
    folder = fetch_benchmark(benchmark, cache=cache, download=download)
    assert asked == ["a.jsonl", "sub/b.jsonl"]
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["commit"] == ["0" * 40]
    assert len(load_problems(benchmark, cache=cache).problems) == 2
    write_lines(folder / "a.jsonl", {"id": "x", "problem": "changed", "answer": 1})
    with pytest.raises(DataError, match=r"not what was fetched .*data fetch toy"):
        hub_files(folder.name, HUB, cache=folder.parent)


def test_a_hub_that_refuses_leaves_no_cache(tmp_path: Path) -> None:
    def refuse(*_: object) -> HubFile:
        raise OSError("401 Client Error: gated repo\nlong text")

    with pytest.raises(DataError, match=r"did not give a\.jsonl \(401 .*\)\. It is gated: accept its") as caught:
        fetch_benchmark(toy(hub=HUB), cache=tmp_path / "cache", download=refuse)
    assert "long text" not in str(caught.value)
    assert list((tmp_path / "cache").iterdir()) == []


def test_every_benchmark_is_listed(tmp_path: Path) -> None:
    rows = {row.name: row for row in list_benchmarks([], cache=tmp_path)}
    assert {"aime24", "aime25", "math500", "gpqa_diamond", "math_test", "gsm8k", "amc", "minerva"} <= set(rows)
    assert rows["arithmetic"].found == "built in"
    assert rows["aime24"].found == "not here"
    assert "gated" in rows["gpqa_diamond"].source
