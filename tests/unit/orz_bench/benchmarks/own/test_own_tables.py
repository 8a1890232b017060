"""A user's own table as a benchmark: columns found or named, golds of every kind, names, and what is refused."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orz_bench.benchmarks.benchmark import Benchmark
from orz_bench.benchmarks.loading.load import load_problems
from orz_bench.benchmarks.own.address import table_address, with_options_joined
from orz_bench.benchmarks.own.benchmark import _safe
from orz_bench.benchmarks.registry import all_benchmarks, get_benchmark
from orz_bench.errors import ConfigError, DataError
from orz_bench.evaluation.options import parse_names
from orz_bench.records.rollout import Problem

Rows = Sequence[dict[str, Any]]
SUMS: Rows = [{"problem": "1 + 1?", "answer": "2"}, {"problem": "2 + 2?", "answer": "4"}]
COLOURS: Rows = [
    {"question": "Red?", "choices": ["no", "yes", "maybe"], "answer": "B"},
    {"question": "Blue?", "choices": ["sea", "sun", "sand"], "answer": "A"},
]
CAT = [{"input": "a\n", "output": "a\n"}, {"input": "b\n", "output": "b\n"}]


def written(path: Path, rows: Rows) -> Path:
    """The rows in the format of the file's name."""
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(list(rows)), path)
    elif path.suffix == ".csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, list(rows[0]))
            table.writeheader()
            table.writerows({k: json.dumps(v) if isinstance(v, list) else v for k, v in row.items()} for row in rows)
    elif path.suffix == ".json":
        path.write_text(json.dumps(list(rows)), encoding="utf-8")
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def benchmark_of(tmp_path: Path, rows: Rows, options: str = "", *, name: str = "my.jsonl") -> Benchmark:
    return get_benchmark(f"{written(tmp_path / name, rows)}{options}")


def problems_of(tmp_path: Path, rows: Rows, options: str = "", *, name: str = "my.jsonl") -> tuple[Problem, ...]:
    return load_problems(benchmark_of(tmp_path, rows, options, name=name)).problems


def golds_of(tmp_path: Path, rows: Rows, options: str = "") -> list[str]:
    return [problem.gold for problem in problems_of(tmp_path, rows, options)]


@pytest.mark.parametrize("suffix", [".jsonl", ".ndjson", ".json", ".csv", ".parquet", ".JSONL"])
def test_every_format_gives_the_same_problems(tmp_path: Path, suffix: str) -> None:
    benchmark = benchmark_of(tmp_path, SUMS, name=f"my{suffix if suffix != '.JSONL' else '.jsonl'}")
    loaded = load_problems(benchmark)
    assert [(p.problem_id, p.question, p.gold, p.kind) for p in loaded.problems] == [
        ("my-0", "1 + 1?", "2", "math"),
        ("my-1", "2 + 2?", "4", "math"),
    ]
    assert {p.benchmark for p in loaded.problems} == {benchmark.name}
    assert loaded.data_hash == load_problems(benchmark_of(tmp_path, SUMS)).data_hash


@pytest.mark.parametrize(
    ("row", "options"),
    [
        ({"Question": "1 + 1?", "Final Answer": 2}, ""),
        ({"prompt": [{"from": "user", "value": "1 + 1?"}], "final_answer": "2"}, ""),
        ({"prompt": [{"role": "user", "content": "1 + 1?"}], "reward_model": {"ground_truth": "2"}}, ""),
        ({"problem": "1 + 1?", "answer": ["2"], "solution": "..."}, ""),
        ({"problem": "1 + 1?", "ground_truth": {"value": "2"}}, ""),
        ({"question": "1 + 1?", "answer": "One and one.\n#### 2"}, ""),
        ({"question": "other", "problem": "1 + 1?", "answer": "2"}, ":question=problem"),
        ({"q": "1 + 1?", "gold": "3", "answer": "2"}, ":question=q:answer=answer"),
        ({"problem": "1 + 1?", "meta": {"deep": {"key": 2}}}, ":answer=meta.deep.key"),
        ({"problem": "1 + 1?", "a.b": 2}, ":answer=a.b"),
    ],
)
def test_columns_are_found_or_named(tmp_path: Path, row: dict[str, Any], options: str) -> None:
    (problem,) = problems_of(tmp_path, [row], options)
    assert (problem.question, problem.gold) == ("1 + 1?", "2")


@pytest.mark.parametrize(
    ("behind", "gold"), [("1,234,567.5", "1234567.5"), ("(1, 2)", "(1, 2)"), ("1,2", "1,2"), ("12,345, 6", "12345, 6")]
)
def test_only_commas_inside_a_number_go(tmp_path: Path, behind: str, gold: str) -> None:
    (problem,) = problems_of(tmp_path, [{"question": "?", "answer": f"so\n#### {behind}"}])
    assert problem.gold == gold


@pytest.mark.parametrize(
    ("row", "options", "fault"),
    [
        ({"problem": "?", "question": "?", "answer": 1}, "", "columns problem and question could each be the question"),
        (
            {"problem": "?", "answer": 1, "gold": 1},
            "",
            "columns answer and gold could each be the answer; .*:answer=answer",
        ),
        ({"text": "?", "answer": 1}, "", r"no column is the question .*its columns are text, answer\. Name one"),
        ({"problem": "?", "anwser": 1}, "", "no column is the answer"),
        ({"problem": "?", "answer": 1}, ":answer=answr", r"no column 'answr' .*did you mean 'answer'"),
        ({"problem": "?", "answer": None}, "", "line 1: column answer: found nothing, wanted a text or a number"),
        ({"problem": "?", "answer": True}, "", "found True, wanted a text or a number"),
        ({"problem": "?", "answer": ["1", "2"]}, "", r"found \['1', '2'\], wanted a text"),
        ({"problem": " ", "answer": 1}, "", "column problem: found ' ', wanted a text"),
        (
            {"prompt": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "?"}], "answer": 1},
            "",
            "found messages of system, user, wanted one message of the user",
        ),
        ({"question": "?", "choices": ["a", "b"], "answer": "A"}, "", "look like kind=choice, and none is given"),
        ({"question": "?", "tests": CAT}, "", "look like kind=code, and none is given"),
        ({"problem": "?", "answer": 1}, ":num_choices=4", "num_choices has no effect on kind=math"),
        ({"question": "?", "answer": "A"}, ":kind=choice", "no column has options .*num_choices=4"),
        ({"question": "?", "A": "x", "B": "y", "choices": ["x"], "answer": "A"}, ":kind=choice", "choices and in A, B"),
        ({"question": "?", "choices": "x, y", "answer": "A"}, ":kind=choice", "its options are no JSON list"),
        ({"question": "?", "choices": ["x", "y"], "answer": "C"}, ":kind=choice", "its golds name no options"),
        ({"question": "?"}, ":kind=code", "no column is the tests"),
        ({"question": "?", "tests": []}, ":kind=code", "line 1: it has no tests"),
        ({"question": "?", "tests": [{"input": 1, "output": "1"}]}, ":kind=code", "a test has 1 under 'input'"),
        ({"question": "?", "tests": {"inputs": ["1"], "outputs": []}}, ":kind=code", "of the same length"),
        (
            {"question": "?", "tests": {"fn_name": "f", "inputs": [[1]], "outputs": [1]}},
            ":kind=code",
            "the function 'f'",
        ),
    ],
)
def test_what_is_missing_or_ambiguous_is_named(tmp_path: Path, row: dict[str, Any], options: str, fault: str) -> None:
    with pytest.raises(DataError, match=rf"my\.jsonl.*{fault}"):
        benchmark_of(tmp_path, [row], options)


def test_a_choice_is_read_in_every_shape(tmp_path: Path) -> None:
    columns = [
        {"question": r["question"], **dict(zip("ABC", r["choices"], strict=True)), "answer": r["answer"]}
        for r in COLOURS
    ]
    arc = [r | {"choices": {"text": r["choices"], "label": ["1", "2", "3"]}, "answer": str("AB".index(r["answer"]) + 1)}
           for r in COLOURS]  # fmt: skip
    objects = [r | {"choices": dict(zip("ABC", r["choices"], strict=True))} for r in COLOURS]
    spelled = [r | {"choices": json.dumps(r["choices"])} for r in COLOURS]
    shown = [{"question": p.question, "answer": p.gold} for p in problems_of(tmp_path, COLOURS, ":kind=choice")]
    wanted = [(p.question, p.gold, p.num_choices) for p in problems_of(tmp_path, COLOURS, ":kind=choice")]
    assert wanted[0] == ("Red?\nA. no\nB. yes\nC. maybe", "B", 3)
    for rows in (columns, objects, spelled, arc):
        found = problems_of(tmp_path, rows, ":kind=choice")
        assert [(p.question, p.gold, p.num_choices) for p in found] == wanted
    found = problems_of(tmp_path, shown, ":kind=choice:num_choices=3")
    assert [(p.question, p.gold, p.num_choices) for p in found] == wanted


@pytest.mark.parametrize(
    ("golds", "options", "letters"),
    [
        (["B", "A"], "", "BA"),
        (["(b)", "A."], "", "BA"),
        ([1, 0], "", "BA"),
        (["3", "1"], "", "CA"),
        (["maybe", "sea"], "", "CA"),
        ([1, 1], ":gold=index0", "BB"),
        ([1, 1], ":gold=index1", "AA"),
    ],
)
def test_a_gold_is_a_letter_a_number_or_a_text(
    tmp_path: Path, golds: list[str | int], options: str, letters: str
) -> None:
    rows = [row | {"answer": gold} for row, gold in zip(COLOURS, golds, strict=True)]
    assert golds_of(tmp_path, rows, f":kind=choice{options}") == list(letters)


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ([{"choices": ["x", "y", "z"], "answer": 1}], "numbers from 0 or numbers from 1: '1' in line 1 is B or A"),
        ([{"choices": ["2", "1", "0"], "answer": "0"}], "numbers from 0 or texts of options: '0' in line 1 is A or C"),
        ([{"choices": ["B", "A"], "answer": "B"}], "letters or texts of options: 'B' in line 1 is B or A"),
        ([{"choices": ["x", "y"], "answer": "A"}, {"choices": ["x", "y"], "answer": "y"}], "its golds name no options"),
        ([{"choices": ["x", "x"], "answer": "x"}], "its golds name no options"),
        ([{"choices": ["x", "y"], "answer": 0}, {"choices": ["x", "y"], "answer": 2}], "its golds name no options"),
    ],
)
def test_a_gold_that_could_be_two_options_is_refused(tmp_path: Path, rows: Rows, fault: str) -> None:
    rows = [{"question": f"{number}?"} | row for number, row in enumerate(rows)]
    with pytest.raises(DataError, match=fault):
        benchmark_of(tmp_path, rows, ":kind=choice")


def test_a_text_that_is_also_a_letter_is_that_option_where_both_agree(tmp_path: Path) -> None:
    assert golds_of(tmp_path, [{"question": "?", "choices": ["A", "B"], "answer": "B"}], ":kind=choice") == ["B"]


@pytest.mark.parametrize(
    "tests",
    [CAT, json.dumps(CAT), {"input": ["a\n", "b\n"], "output": ["a\n", "b\n"]},
     json.dumps({"inputs": ["a\n", "b\n"], "outputs": ["a\n", "b\n"]})],
)  # fmt: skip
def test_tests_of_programs_are_read_in_every_shape(tmp_path: Path, tests: Any) -> None:
    loaded = load_problems(benchmark_of(tmp_path, [{"question": "Echo.", "tests": tests}], ":kind=code"))
    (problem,) = loaded.problems
    assert problem.kind == "code"
    found = loaded.tests[problem.gold].unpack()
    assert [(test.input, test.output) for test in found.tests] == [("a\n", "a\n"), ("b\n", "b\n")]
    assert found.function is None


def test_one_question_with_two_golds_is_refused(tmp_path: Path) -> None:
    twice = [*SUMS, {"problem": "1 +  1?", "answer": "2"}]
    assert len(problems_of(tmp_path, twice)) == 3
    with pytest.raises(
        DataError, match=r"line 1 and line 3 ask the same question .*'2' and '11'; correct or remove one"
    ):
        benchmark_of(tmp_path, [*SUMS, {"problem": "1 +  1?", "answer": "11"}])


def test_ids_are_those_of_the_rows_and_never_twice(tmp_path: Path) -> None:
    rows = [row | {"id": number, "name": "n"} for number, row in enumerate(SUMS, start=7)]
    assert [p.problem_id for p in problems_of(tmp_path, rows)] == ["7", "8"]
    with pytest.raises(DataError, match="duplicate id 'n' in line 1 and line 2"):
        benchmark_of(tmp_path, rows, ":id=name")


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "has no rows"),
        (b"\n\n", "has no rows"),
        (b'{"problem": "\xff", "answer": 1}', "not UTF-8 text"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
            "is a pointer of Git LFS.*git lfs pull",
        ),
        (b"[1, 2]", "wanted an object"),
    ],
)
@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_a_file_that_is_no_table(tmp_path: Path, content: bytes, fault: str, suffix: str) -> None:
    if suffix != ".jsonl" and "LFS" not in fault:
        content, fault = b"", "has no rows" if suffix == ".csv" else "cannot be read as Parquet"
    (tmp_path / f"my{suffix}").write_bytes(content)
    with pytest.raises(DataError, match=rf"my{suffix}.*{fault}"):
        get_benchmark(str(tmp_path / f"my{suffix}"))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file; name a file, or hub:OWNER/NAME"):
        get_benchmark(str(tmp_path / "absent.jsonl"))
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(DataError, match="a folder; name a file"):
        get_benchmark(str(tmp_path / "folder.json"))
    with pytest.raises(ConfigError, match=r"is unknown.*A table of your own is named by its file \(\.jsonl"):
        get_benchmark(str(tmp_path / "notes.txt"))


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (":question", "'question' is not an option of a table"),
        (":qestion=x", r"'qestion=x' is not an option of a table \(did you mean 'question'\?\)"),
        (":kind=maths", r"kind is 'maths' \(did you mean 'math'\?\); wanted one of math, choice, code"),
        (":gold=number", "gold is 'number'.*wanted one of letter, index0, index1, text"),
        (":num_choices=0", "num_choices is '0', wanted a number from 1 to 26"),
        (":kind=math:kind=code", "the option kind is given twice"),
    ],
)
def test_an_option_that_is_none(options: str, fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        get_benchmark(f"my.jsonl{options}")


def test_commas_and_colons_join_options_alike() -> None:
    assert parse_names("aime24,my.csv:question=q,answer=a,kind=choice,gpqa") == (
        "aime24",
        "my.csv:question=q:answer=a:kind=choice",
        "gpqa",
    )
    assert with_options_joined(["aime24", "answer=a"]) == ["aime24", "answer=a"]
    assert with_options_joined(["my.csv", "answer=a", "kind=math"]) == ["my.csv:answer=a:kind=math"]
    address = table_address("hub:o/n@abc/f.csv:answer=a")
    assert address is not None
    assert (address.place, address.options.answer) == ("hub:o/n@abc/f.csv", "a")
    assert table_address(address.text) == address
    assert table_address("livecodebench:release_v5") is None


@given(st.text(st.characters(exclude_characters="\0/", exclude_categories=["Cs"]), max_size=300))
def test_a_name_is_that_of_a_folder_and_of_no_other_benchmark(
    stem: str,
) -> None:
    name = f"{_safe(f'/data/{stem}.jsonl')}-12345678"
    assert len(name.encode()) < 200
    assert name not in {"", ".", ".."}
    assert not set(name) & set("/\\:*?\0\n ")
    assert not name.startswith((".", "-"))
    assert "." in name
    assert not any("." in other.partition(":")[0] for other in all_benchmarks())


def test_the_name_changes_with_the_questions_only(tmp_path: Path) -> None:
    name = benchmark_of(tmp_path, SUMS, name="aime24.jsonl").name
    assert name.startswith("aime24.jsonl-")
    assert benchmark_of(tmp_path, [row | {"x": 1} for row in SUMS], ":answer=answer", name="aime24.jsonl").name == name
    assert benchmark_of(tmp_path, [*SUMS[:1], SUMS[1] | {"answer": "5"}], name="aime24.jsonl").name != name
    (tmp_path / "b").mkdir()
    assert benchmark_of(tmp_path, SUMS, name="b/aime24.jsonl").name == name
