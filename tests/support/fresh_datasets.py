"""Datasets of 2025 and 2026 in the shape in which the hub has them, with questions made up for the tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from orz_bench.benchmarks.mmlu import CATEGORIES
from orz_bench.benchmarks.mmlu_redux import LEFT_OUT
from orz_bench.benchmarks.registry import get_benchmark

Rows = list[dict[str, Any]]


def competition_rows(count: int, *, with_types: bool = True) -> Rows:
    """As MathArena's tables: every fifth gold has two answers."""
    rows = []
    for n in range(1, count + 1):
        gold = f"{-n}, \\sqrt{{{n + 1}}}" if n % 5 == 0 else f"\\frac{{{n}}}{{{n + 1}}}"
        row = {"problem_idx": n, "problem": f"Made up number {n}?", "answer": gold}
        rows.append(row | ({"problem_type": ["Algebra", "Number Theory"]} if with_types else {}))
    return rows


def _whole_rows(count: int) -> Rows:
    """As AIME 2026 and BeyondAIME: whole numbers."""
    return [
        {"problem_idx": n, "answer": 10 * n, "problem": f"Which whole number is ten times {n}?"}
        for n in range(1, count + 1)
    ]


def _olymmath_rows(count: int) -> Rows:
    return [
        {"problem": f"Twice {n}?", "answer": str(2 * n), "subject": "Algebra", "unique_id": f"OlymMATH-HARD-{n}-EN"}
        for n in range(count)
    ]


def supergpqa_rows(count: int) -> Rows:
    """Four to ten options, the letter beside the text of the answer."""
    rows = []
    for n in range(count):
        options = [f"option {n}.{i}" for i in range(4 + n % 7)]
        rows.append(
            {
                "uuid": f"{n:032x}", "question": f"Made up question {n}?", "options": options, "answer": options[n % 4],
                "answer_letter": "ABCD"[n % 4], "discipline": "Science", "field": "Physics", "subfield": "Optics",
                "difficulty": ("easy", "middle", "hard")[n % 3], "is_calculation": False,
            }
        )  # fmt: skip
    return rows


def redux_rows(subject: str, count: int) -> Rows:
    """Of one subject: every tenth has one of the labels that are left out."""
    return [
        {
            "question": f"Made up question {n} of {subject}?", "choices": ["w", "x", "y", "z"], "answer": n % 4,
            "error_type": LEFT_OUT[n // 10 % len(LEFT_OUT)] if n % 10 == 9 else "ok", "source": None,
            "correct_answer": None, "potential_reason": None,
        }
        for n in range(count)
    ]  # fmt: skip


def hle_rows(count: int) -> Rows:
    """A third with options, a third with an image, the others as they are asked."""
    empty: dict[str, Any] = {
        "image_preview": None,
        "rationale_image": None,
        "author_name": "nobody",
        "rationale": "",
        "canary": "",
    }
    rows = []
    for n in range(count):
        has_options, has_image = n % 3 == 2, n % 3 == 1
        row: dict[str, Any] = {
            "id": f"{n:024x}",
            "question": f"Made up question {n}?",
            "raw_subject": "Made up",
            "category": "Other",
        }
        row |= {
            "answer": "B" if has_options else f"{n} lemmas" if n % 60 == 0 else str(n),
            "image": "data:image/png;base64,AA" if has_image else "",
        }
        rows.append(row | {"answer_type": "multipleChoice" if has_options else "exactMatch"} | empty)
    return rows


def ifbench_rows(count: int) -> Rows:
    """With one instruction or two; every row has every argument, null where it does not apply."""
    none: dict[str, Any] = {"N": None, "small_n": None, "sep": None, "keyword": None}
    asked: list[tuple[str, dict[str, Any]]] = [
        ("count:numbers", {"N": 2.0}),
        ("format:list", {"sep": "-"}),
        ("format:no_whitespace", {}),
    ]
    rows = []
    for n in range(count):
        chosen = [asked[n % 3]] if n % 2 else [asked[n % 3], asked[(n + 1) % 3]]
        row: dict[str, Any] = {
            "key": str(n),
            "prompt": f"Made up request {n}.",
            "instruction_id_list": [name for name, _ in chosen],
        }
        rows.append(row | {"kwargs": [none | given for _, given in chosen]})
    return rows


def _livecodebench_rows(count: int) -> Rows:
    tests = json.dumps([{"input": "1\n", "output": "1\n", "testtype": "stdin"}])
    return [
        {
            "question_id": f"made{n}", "question_title": f"Made up {n}", "question_content": "Print the number.",
            "platform": "atcoder", "difficulty": "easy", "starter_code": "", "metadata": "{}",
            "contest_date": f"2025-0{1 + n % 4}-15T00:00:00", "public_test_cases": tests, "private_test_cases": tests,
        }
        for n in range(count)
    ]  # fmt: skip


def _write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(list(rows)), path)
    elif path.suffix == ".arrow":
        table = pa.Table.from_pylist(list(rows))
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
    else:
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


_SINGLE: Mapping[str, Callable[[], Rows]] = {
    "aime26": lambda: _whole_rows(30),
    "hmmt_feb25": lambda: competition_rows(30),
    "hmmt_nov25": lambda: competition_rows(30, with_types=False),
    "hmmt_feb26": lambda: competition_rows(33),
    "brumo25": lambda: competition_rows(30),
    "cmimc25": lambda: competition_rows(40),
    "smt25": lambda: competition_rows(53),
    "beyond_aime": lambda: [{"problem": r["problem"], "answer": r["answer"]} for r in _whole_rows(100)],
    "apex_shortlist": lambda: [row | {"source": "Made up 2025"} for row in competition_rows(47, with_types=False)],
    "olymmath_en_easy": lambda: _olymmath_rows(100),
    "olymmath_en_hard": lambda: _olymmath_rows(100),
    "olymmath_zh_easy": lambda: _olymmath_rows(100),
    "olymmath_zh_hard": lambda: _olymmath_rows(100),
    "supergpqa": lambda: supergpqa_rows(26_529),
    "hle_exact": lambda: hle_rows(2_500),
    "ifbench": lambda: ifbench_rows(300),
}
COMPETITIONS = tuple(name for name in _SINGLE if name not in ("supergpqa", "hle_exact", "ifbench"))
FRESH = (*_SINGLE, "mmlu_redux", "livecodebench:release_v6")


def write_dataset(folder: Path, name: str) -> Path:
    """A benchmark's dataset as `hf download` puts it into a folder of its name; that folder."""
    hub = get_benchmark(name).hub
    assert hub is not None
    root = folder / hub.folder
    if name == "mmlu_redux":
        for subject in sorted(CATEGORIES):
            _write(root / subject / "data-00000-of-00001.arrow", redux_rows(subject, 100))
    elif name.startswith("livecodebench"):
        rows = _livecodebench_rows(1055)
        for place, file in enumerate(hub.files):
            _write(root / file, rows[place :: len(hub.files)])
    else:
        _write(root / hub.files[0], _SINGLE[name]())
    return root
