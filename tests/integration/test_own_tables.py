"""A user's own table through the real commands, from a stand-in for the hub, and against the built-in benchmarks."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from orz_bench.benchmarks.loading.load import load_problems
from orz_bench.benchmarks.registry import get_benchmark
from tests.integration.test_training_data import DATASET, Hub, hub
from tests.support.command_line import orz_bench, results_of, rows_of
from tests.support.shared_data import shared_data

FAKE = ("--ckpt", "fake", "--engine", "fake", "--n", "2")
ROWS = [{"q": f"What is {n} + 1?", "gold": n + 1} for n in range(6)]


def a_table(path: Path) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    return path


def test_a_table_is_evaluated_shown_compared_and_graded_again(tmp_path: Path) -> None:
    path, run = a_table(tmp_path / "aime24.jsonl"), tmp_path / "run"
    address = f"{path},question=q"
    done = orz_bench("eval", *FAKE, "--bench", f"arithmetic,{address}", "--limit", "5", "--out", run)
    name = get_benchmark(f"{path}:question=q").name
    assert name.startswith("aime24.jsonl-")
    assert f"{name}: 6 problems from {path}:question=q" in done.stderr
    assert len(rows_of(run)) == 20
    assert [folder.name for folder in sorted((run / "evals").iterdir())] == [name, "arithmetic"]
    assert name in orz_bench("report", run).stdout
    compared = json.loads(orz_bench("compare", run, run, "--bench", address, "--json").stdout)
    assert name in json.dumps(compared)
    again = orz_bench("eval", *FAKE, "--bench", address, "--limit", "5", "--out", run, "--json")
    assert [result["num_generated_now"] for result in results_of(again)] == [0]
    assert "6 gold answers pass the self-check" in orz_bench("data", "check", f"{path}:question=q").stdout
    assert "everything was graded by the present grader already" in orz_bench("grade", "--again", run).stderr


def test_a_gold_that_fails_the_self_check_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "my.jsonl"
    path.write_text('{"problem": "?", "answer": "\\\\frac{1}{"}\n', encoding="utf-8")
    done = orz_bench("eval", *FAKE, "--bench", path, "--out", tmp_path / "run", expect=2)
    assert "fails the grader's self-check" in done.stderr
    assert "--keep-broken-golds" in done.stderr


def test_a_table_of_the_hub(tmp_path: Path) -> None:
    class OneTable(Hub):
        files: Mapping[str, bytes] = {"README.md": b"hello", "all.jsonl": "\n".join(map(json.dumps, ROWS)).encode()}

    name = f"hub:{DATASET}"
    with hub(OneTable, tmp_path / "home") as environment:
        arguments = ("data", "check", f"{name}:question=q")
        done = orz_bench(*arguments, environment=environment, is_started=True)
    assert f"6 problems from {name}:question=q" in done.stdout
    assert done.stdout.startswith("hub.")


@pytest.mark.parametrize(
    ("own", "options", "built_in"),
    [
        ("aime2024", "", "aime24"),
        ("aime2025", "", "aime25"),
        ("math500", "", "math500"),
        ("gsm8k_test", "", "gsm8k"),
        ("minerva_math_272", "", "minerva"),
        ("gpqa_diamond", ":kind=choice", "gpqa_diamond"),
        ("mmlu_test", ":kind=choice", "mmlu_cot"),
        ("mmlu_pro_test", ":kind=choice", "mmlu_pro"),
        ("livecodebench_v5_880", ":kind=code", "livecodebench:release_v5"),
    ],
)
def test_the_same_data_have_the_same_golds_as_the_built_in_benchmark(own: str, options: str, built_in: str) -> None:
    """Verdicts are a function of the response, the gold, the kind and the number of options."""
    folder = shared_data()
    found = load_problems(get_benchmark(f"{folder / 'eval' / own}.jsonl{options}"))
    wanted = load_problems(get_benchmark(built_in), folders=[folder])
    facts = [[(p.problem_id, p.gold, p.kind, p.num_choices) for p in one.problems] for one in (found, wanted)]
    assert facts[0] == facts[1]
    assert found.tests == wanted.tests
    if built_in != "mmlu_pro":
        assert [p.question for p in found.problems] == [p.question for p in wanted.problems]


@pytest.mark.parametrize(("name", "options"), [("aime2024", ""), ("math500", ""), ("gpqa_diamond", ":kind=choice")])
def test_the_published_orz_files_are_read_alike(tmp_path: Path, name: str, options: str) -> None:
    path = shutil.copyfile(shared_data() / "eval" / "orz_format" / f"{name}.json", tmp_path / f"{name}.json")
    found = load_problems(get_benchmark(f"{path}{options}")).problems
    wanted = load_problems(get_benchmark(name), folders=[tmp_path]).problems
    assert [(p.question, p.gold, p.num_choices) for p in found] == [(p.question, p.gold, p.num_choices) for p in wanted]
