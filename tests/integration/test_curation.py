"""orz-rl curate as a user runs it: the files, the same bytes again, after a kill and on Ray, and what is refused."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import signal
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from orz_bench.benchmarks.arithmetic import generate_sums
from orz_rl.curation.benchmark_questions import load_questions
from orz_rl.curation.settings import DecontaminateSettings
from orz_rl.curation.stages.decontaminate import Decontaminate
from orz_rl.rollout.problems import read_problems
from tests.support.curation_rows import decided, rows_of, write_lines
from tests.support.named_points import Point, kill_at
from tests.support.runs import a_run
from tests.support.shared_data import shared_data
from tests.support.training import orz_rl, started

FILES = ("train.jsonl", "fates.parquet", "pairs.parquet", "card.json", "card.html")
TOM = "Tom has {} red apples and {} green pears in his basket, and he gives away 5 of the apples. How many are left?"


def _source(folder: Path) -> Path:
    """A hundred rows, of which 80 are sums, and the others of every kind that is dropped."""
    sums = [{"problem": each.question, "answer": each.gold} for each in generate_sums(split="train", num_problems=80)]
    held_out = generate_sums(split="held_out", num_problems=100)[-1]
    odd = [
        {"problem": held_out.question, "answer": held_out.gold, "level": 1},
        {"problem": TOM.format(12, 7), "answer": "14", "level": 2},
        {"problem": TOM.format(12, 7).replace("Tom", "Ann"), "answer": "14", "level": 2},
        {"problem": TOM.format(13, 7), "answer": "15"},
        {"problem": sums[0]["problem"].replace("What is", "what  is"), "answer": sums[0]["answer"]},
        {"problem": "What is the colour? (A) red (B) green (C) blue", "answer": "A"},
        {"problem": "Prove that there is no largest prime number.", "answer": "true"},
        {"problem": "What is the sum of these?"},
        {"problem": "Which number is $\\boxed{}$ here?", "answer": "\\frac{1}{"},
        {"problem": "Combien de nombres premiers sont inférieurs à cent dans cette liste ?", "answer": "25"},
        {"problem": "How many primes are there below 7, the number of days?", "answer": "$\\boxed{3}$"},
    ]
    rest = [
        {"problem": f"How many days do {n} weeks and {n + 1} days have?", "answer": str(8 * n + 1)} for n in range(9)
    ]
    return write_lines(folder / "rows.jsonl", [*sums, *odd, *rest])


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Settings with all stages but those that need a model, five parts a stage."""
    folder = tmp_path_factory.mktemp("curation")
    settings = {
        "sources": [
            {"path": str(_source(folder)), "licence": "MIT"},
            {"path": "arithmetic", "name": "more", "count": 5},
        ],
        "rows_per_part": 21,
        "language": {"keep": "english"},
        "decontaminate": {"against": ["arithmetic"]},
    }
    path = folder / "curate.yaml"
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def curated(config: Path) -> Path:
    """The result of one uninterrupted run."""
    folder = config.parent / "result"
    orz_rl("curate", "--config", config, "--out", folder)
    return folder


def _bytes(folder: Path) -> dict[str, str]:
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in FILES}


def _fates(folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(folder / "fates.parquet").to_pylist()
    return rows


def test_every_row_has_its_fate(curated: Path) -> None:
    fates = _fates(curated)
    assert len(fates) == 105
    assert Counter(f"{row['stage']}: {row['reason']}" for row in fates if row["fate"] == "dropped") == {
        "read: no_answer": 1,
        "decontaminate: contaminated": 1,
        "language: not_english": 1,
        "verify: multiple_choice": 1,
        "verify: proof": 1,
        "verify: gold_not_gradable": 1,
        "exact: duplicate": 6,
        "near: near_duplicate": 1,
    }
    contaminated = next(row for row in fates if row["reason"] == "contaminated")
    assert json.loads(contaminated["evidence"])["benchmark"] == "arithmetic"
    lines = _rows(curated / "train.jsonl")
    kept = {row["id"]: row for row in fates if row["fate"] == "kept"}
    assert {line["id"] for line in lines} == kept.keys()
    assert [line["id"] for line in lines] != list(kept)
    assert next(line for line in lines if line["problem"].startswith("How many primes"))["answer"] == "3"
    card = json.loads((curated / "card.json").read_text(encoding="utf-8"))
    assert (card["num_rows"], card["num_kept"]) == (105, len(lines))
    for stage, after in zip(card["stages"], card["stages"][1:], strict=False):
        assert stage["kept"] == stage["in"] - sum(stage["reasons"].values()) == after["in"]
    page = (curated / "card.html").read_text(encoding="utf-8")
    assert "contaminated" in page
    assert "<script" not in page
    assert not (curated / "work").exists()


def test_the_result_is_training_data(curated: Path, tmp_path: Path) -> None:
    source = str(curated / "train.jsonl")
    assert len(read_problems([source])) == len(_rows(curated / "train.jsonl"))
    done = orz_rl("check", "--recipe", "tiny", f"data.source={source}", "data.limit=null", "data.max_prompt_tokens=400")
    assert source in done.stdout


def test_a_row_is_explained(curated: Path) -> None:
    dropped = next(row for row in _fates(curated) if row["reason"] == "near_duplicate")
    text = orz_rl("curate", "explain", dropped["id"], "--dir", curated).stdout
    assert "reason: near_duplicate" in text
    assert "Tom has 12 red apples" in text
    assert "Ann has 12 red apples" in text
    found = json.loads(orz_rl("curate", "explain", "rows:line 82", "--dir", curated, "--json").stdout)
    assert found["fate"] == "kept"
    assert {pair["verdict"] for pair in found["pairs"]} == {"dropped", "other numbers"}
    error = orz_rl("curate", "explain", "nothing", "--dir", curated, expect=2).stderr
    assert "no row has the id 'nothing'" in error


def test_the_same_input_gives_the_same_bytes(config: Path, curated: Path, tmp_path: Path) -> None:
    orz_rl("curate", "--config", config, "--out", tmp_path)
    assert _bytes(tmp_path) == _bytes(curated)
    assert "complete already" in orz_rl("curate", "--config", config, "--out", tmp_path).stdout
    text = config.read_text(encoding="utf-8") + "seed: 7\n"
    other = tmp_path / "other.yaml"
    other.write_text(text, encoding="utf-8")
    error = orz_rl("curate", "--config", other, "--out", tmp_path, expect=2).stderr
    assert "settings.seed was 42, is 7" in error
    orz_rl("curate", "--config", other, "--out", tmp_path, "--fresh")
    assert _bytes(tmp_path)["train.jsonl"] != _bytes(curated)["train.jsonl"]
    assert Counter(row["id"] for row in _fates(tmp_path)) == Counter(row["id"] for row in _fates(curated))


@pytest.mark.slow
def test_a_run_that_was_killed_goes_on(config: Path, curated: Path, tmp_path: Path) -> None:
    """In the reading, in stages that look at one row and at all, between pairs and fates, and in the results."""
    write = "orz_rl.curation.parts:StageFolder"
    points = [
        Point(write, "write", at=3),
        Point(write, "write", at=13, is_after=True),
        Point("orz_rl.curation.parts", "write_table", at=15),
        Point(write, "finish", at=8),
        Point("orz_rl.curation.outputs:_Buckets", "add", at=50),
        Point("orz_rl.curation.outputs", "write_json", at=1, is_after=True),
    ]
    for point in points:
        out = tmp_path / f"{point.function}-{point.at}-{point.is_after}"
        process = started("curate", "--config", config, "--out", out, prepare=kill_at(point))
        assert process.wait(300) == -signal.SIGKILL, point
        orz_rl("curate", "--config", config, "--out", out)
        assert _bytes(out) == _bytes(curated), point
        assert sorted(path.name for path in out.iterdir()) == sorted([*FILES, ".lock"]), point


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_ray_data_gives_the_same_bytes(config: Path, workers: Mapping[str, str], tmp_path: Path) -> None:
    """With a stage that every process opens, and one that looks at all rows."""
    few = dict.fromkeys(("decontaminate", "select", "language", "verify", "near", "mix"))
    settings = yaml.safe_load(config.read_text(encoding="utf-8")) | few
    path = tmp_path / "few.yaml"
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    orz_rl("curate", "--config", path, "--out", tmp_path / "alone")
    orz_rl("curate", "--config", path, "--out", tmp_path / "ray", "--ray", environment=workers)
    assert _bytes(tmp_path / "ray") == _bytes(tmp_path / "alone")
    assert Counter(row["reason"] for row in _fates(tmp_path / "ray")) == {"": 98, "no_answer": 1, "duplicate": 6}


def _is_of_pass_rate(folder: Any, *_: Any) -> bool:
    return bool(folder.path.name.endswith("-pass_rate"))


def test_a_model_filters_by_pass_rate(tmp_path: Path) -> None:
    settings = {
        "sources": [{"path": "arithmetic", "count": 12}],
        "decontaminate": None,
        "near": None,
        "pass_rate": {
            "model": "tiny",
            "samples": 4,
            "max": 0.9,
            "options": {"max_tokens": 64, "engine": "transformers"},
        },
    }
    config = tmp_path / "curate.yaml"
    config.write_text(yaml.safe_dump(settings), encoding="utf-8")
    arguments = ("curate", "--config", config, "--out", tmp_path / "out")
    orz_rl("curate", "--config", config, "--out", tmp_path / "whole")
    points = [
        Point("orz_rl.curation.stages.pass_rate", "_written", at=1, is_after=True),
        Point("orz_bench.evaluation.recorder:Recorder", "add", at=1),
        Point("orz_bench.records.parquet", "write_part", at=1),
        Point("orz_bench.records.parquet", "write_part", at=1, is_after=True),
        Point("orz_rl.curation.parts:StageFolder", "write", at=1, is_counted=_is_of_pass_rate),
    ]
    for point in points:
        assert started(*arguments, prepare=kill_at(point)).wait(300) == -signal.SIGKILL, point
    sampled = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "pass_rate").rglob("*.parquet")}
    assert sampled
    orz_rl(*arguments)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "pass_rate").rglob("*.parquet")} == sampled
    assert _bytes(tmp_path / "out") == _bytes(tmp_path / "whole")
    lines = _rows(tmp_path / "out" / "train.jsonl")
    assert lines
    assert all(line["num_samples"] == 4 and 1 <= line["num_correct"] <= 3 for line in lines)
    dropped = [row for row in _fates(tmp_path / "out") if row["fate"] == "dropped"]
    assert {row["reason"] for row in dropped} <= {"never_correct", "too_easy"}
    assert len(lines) + len(dropped) == 12


def test_meaning_finds_what_words_do_not(tmp_path: Path) -> None:
    rows = [
        {"problem": "Find the number of ways to choose 3 books out of a shelf of 9 books.", "answer": "84"},
        {"problem": "In how many ways can 3 books be chosen from a shelf with 9 books?", "answer": "84"},
        {"problem": "What is the area of a circle whose radius is 9 when pi is taken as 3?", "answer": "243"},
    ]
    settings = {
        "sources": [{"path": str(write_lines(tmp_path / "rows.jsonl", rows))}],
        "decontaminate": None,
        "embedding": {"similarity": 0.85},
    }
    config = tmp_path / "curate.yaml"
    config.write_text(yaml.safe_dump(settings), encoding="utf-8")
    orz_rl("curate", "--config", config, "--out", tmp_path / "out")
    assert [(row["stage"], row["reason"]) for row in _fates(tmp_path / "out")] == [
        ("mix", ""),
        ("embedding", "near_duplicate"),
        ("mix", ""),
    ]


def test_embeddings_go_on_where_they_were_killed(tmp_path: Path) -> None:
    """While the model is unpacked, before and behind a part of vectors, in the comparison, between parts of fates."""
    rows = [{"problem": f"Find the number of ways to choose {n} books out of 9.", "answer": str(n)} for n in range(4)]
    rows += [{"problem": f"In how many ways can {n} books out of 9 be chosen?", "answer": str(n)} for n in range(4)]
    settings = {
        "sources": [{"path": str(write_lines(tmp_path / "rows.jsonl", rows))}],
        **dict.fromkeys(("decontaminate", "select", "language", "verify", "near")),
        "embedding": {"similarity": 0.85},
        "rows_per_part": 3,
    }
    config = tmp_path / "curate.yaml"
    config.write_text(yaml.safe_dump(settings), encoding="utf-8")
    orz_rl("curate", "--config", config, "--out", tmp_path / "whole")
    assert Counter(row["reason"] for row in _fates(tmp_path / "whole"))["near_duplicate"] > 0
    out = tmp_path / "out"
    points = [
        Point("zipfile:ZipFile", "_extract_member", at=7),
        Point("numpy", "save", at=2),
        Point("numpy", "save", at=2, is_after=True),
        Point("orz_rl.curation.stages.embedding", "pairs_above", at=1),
        Point("orz_rl.curation.parts:StageFolder", "write", at=2),
    ]
    for point in points:
        process = started("curate", "--config", config, "--out", out, prepare=kill_at(point))
        assert process.wait(300) == -signal.SIGKILL, point
    orz_rl("curate", "--config", config, "--out", out)
    assert _bytes(out) == _bytes(tmp_path / "whole")
    assert sorted(path.name for path in out.iterdir()) == sorted([*FILES, ".lock"])


def test_hard_problems_of_a_run(tmp_path: Path) -> None:
    a_run(tmp_path / "run")
    out = tmp_path / "hard.json"
    done = orz_rl("curate", "mine-hard", tmp_path / "run", "--max-pass-rate", "1/2", "--out", out)
    assert re.search(r"\d+ problems of 24 with a pass rate below 1/2", done.stdout)
    assert read_problems([str(out)])
    error = orz_rl("curate", "mine-hard", tmp_path / "run", "--max-pass-rate", "0/64", "--out", out, expect=2).stderr
    assert "--max-pass-rate 0/64: wanted a share above 0" in error


def test_a_file_of_the_hub_at_a_commit(config: Path, tmp_path: Path) -> None:
    """From the hub's cache, as the hub's client leaves it there."""
    commit = "c" * 40
    snapshot = tmp_path / "hub" / "datasets--some--problems" / "snapshots" / commit
    snapshot.mkdir(parents=True)
    shutil.copy(config.parent / "rows.jsonl", snapshot / "rows.jsonl")
    cached = {"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    arguments = ("--against", "arithmetic", "--out", tmp_path / "out")
    orz_rl(
        "curate", "--source", f"hub:some/problems@{commit}/rows.jsonl", *arguments, environment=cached, is_started=True
    )
    assert len(_fates(tmp_path / "out")) == 100
    error = orz_rl(
        "curate", "--source", "hub:some/problems/rows.jsonl", *arguments, environment=cached, expect=2
    ).stderr
    assert "no commit is named, so its content may change" in error


def test_what_is_refused(config: Path, tmp_path: Path) -> None:
    source = config.parent / "rows.jsonl"
    error = orz_rl("curate", "--out", tmp_path / "out", expect=2).stderr
    assert "wanted either --config FILE or --source FILE" in error
    error = orz_rl("curate", "--source", tmp_path / "gone.jsonl", "--out", tmp_path / "out", expect=2).stderr
    assert "gone.jsonl: no such file" in error
    nowhere = {"ORZ_DATA": "", "HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    error = orz_rl(
        "curate", "--source", source, "--against", "math500,aime24,arithmetic", "--out", tmp_path / "out",
        expect=2, environment=nowhere, is_started=True,
    ).stderr  # fmt: skip
    assert "2 benchmarks cannot be read" in error
    assert "- math500:" in error
    assert "- aime24:" in error
    error = orz_rl("curate", "--source", source, "--against", "mth500", "--out", tmp_path / "out", expect=2).stderr
    assert "math500" in error
    assert not (tmp_path / "out" / "train.jsonl").exists()
    (tmp_path / "out").mkdir(exist_ok=True)
    shutil.copy(source, tmp_path / "out" / "train.jsonl")
    arguments = ("curate", "--source", source, "--against", "arithmetic", "--out", tmp_path / "out")
    error = orz_rl(*arguments, expect=2).stderr
    assert "holds train.jsonl" in error
    orz_rl(*arguments, "--fresh")


def test_known_overlaps_of_published_data_are_found(tmp_path: Path) -> None:
    """Seven problems of MATH500 in one published training set, and nine of the MATH test set in another."""
    data = shared_data()
    for source, benchmark, file, expected in (
        ("deepscaler_by_difficulty", "math500", "math500", 7),
        ("math_train_7474", "math_test", "math_test_5000", 9),
    ):
        wanted = {_letters(row["problem"]) for row in _rows(data / "eval" / f"{file}.jsonl")}
        rows = _rows(data / "train" / f"{source}.jsonl")
        overlapping = [row for row in rows if _letters(row["problem"]) in wanted]
        assert len(overlapping) == expected
        others = rows[:: len(rows) // 300]
        questions = load_questions([benchmark], [data / "eval"])
        texts = [(row["problem"], str(row["answer"])) for row in [*overlapping, *others]]
        outcome = decided(Decontaminate(DecontaminateSettings(), questions), rows_of(texts), tmp_path)
        assert [fate.reason for fate in outcome.fates[:expected]] == ["contaminated"] * expected
        assert sum(not fate.is_kept for fate in outcome.fates[expected:]) < 0.05 * len(others)


def _rows(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def _letters(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())
