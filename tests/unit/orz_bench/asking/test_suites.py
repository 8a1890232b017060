"""Files of suites: what they may say, and what is said of one that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from orz_bench.asking.protocol import customise, fit_to_kind, get_protocol, require_fit
from orz_bench.asking.suites.names import SUITES, is_suite
from orz_bench.asking.suites.suite import SuiteEntry, get_suite
from orz_bench.benchmarks.registry import get_benchmark
from orz_bench.errors import ConfigError


def written(folder: Path, text: str) -> str:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("name", SUITES)
def test_every_benchmark_of_ours_can_be_asked_as_its_suite_says(name: str) -> None:
    suite = get_suite(name)
    assert suite.source
    for entry in suite.entries:
        benchmark = get_benchmark(entry.bench)
        assert entry.protocol is not None, "a suite states its protocols, whatever the benchmarks' defaults become"
        protocol = fit_to_kind(customise(get_protocol(entry.protocol), entry.changes), benchmark.kind)
        require_fit(benchmark, protocol)
        assert entry.sample is None or benchmark.num_problems is None or entry.sample <= benchmark.num_problems


def test_the_papers_suite_is_the_papers_tables() -> None:
    asked = {entry.bench: (entry.protocol, entry.changes.n) for entry in get_suite("paper").entries}
    sampled = dict.fromkeys(("aime24", "aime25", "math500", "gpqa_diamond"), ("orz", 16))
    assert asked == sampled | {"mmlu": ("mmlu", None), "mmlu_pro": ("mmlu-pro", None)}


def test_a_file_says_how_each_benchmark_is_asked(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"question": "1 + 1?", "answer": "2"}\n')
    text = """
    benchmarks:
      - aime24
      - {bench: math500, protocol: orz, n: 4, temperature: 1, stop: [a, b], sample: 100, correct_errata: false}
      - bench: rows.jsonl:answer=answer
      - {bench: "hub:owner/name", limit: 3}
      - {bench: "lm-eval:gsm8k", num_fewshot: 5}
    """
    suite = get_suite(written(tmp_path, text))
    assert (suite.title, suite.source) == ("mine", None)
    first, second, table, hub, task = suite.entries
    assert first == SuiteEntry(bench="aime24")
    assert second.changes.given() == {"n": 4, "temperature": 1.0, "stop": ("a", "b"), "correct_errata": False}
    assert (second.protocol, second.sample) == ("orz", 100)
    assert table.bench == f"{tmp_path}/rows.jsonl:answer=answer"
    assert (hub.bench, hub.limit) == ("hub:owner/name", 3)
    assert task.num_fewshot == 5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "a suite is a mapping"),
        ("- aime24", "a suite is a mapping"),
        ("benchmark: [aime24]", "'benchmark' (did you mean 'benchmarks'?)"),
        ("benchmarks: []", "missing or empty"),
        ("benchmarks: {aime24: 4}", "missing or empty"),
        ("benchmarks: [7]", "benchmark 1 is 7; wanted a name"),
        ("benchmarks: [aime24, {n: 4}]", "benchmark 2 is {'n': 4}; wanted a name"),
        ("benchmarks: [{bench: aime24, samples: 4}]", "'samples' (did you mean 'sample'?)"),
        ("benchmarks: [{bench: aime24, n: true}]", "benchmark 1 (aime24): n is True"),
        ("benchmarks: [{bench: aime24, n: '4'}]", "benchmark 1 (aime24): n is '4'"),
        ("benchmarks: [{bench: aime24, n: 0}]", "n is 0, wanted at least 1"),
        ("benchmarks: [{bench: aime24, limit: 2.5}]", "limit is 2.5"),
        ("benchmarks: [{bench: aime24, stop: User}]", "stop is 'User'"),
        ("benchmarks: [{bench: aime24, protocol: [orz]}]", "protocol is ['orz']"),
        ("benchmarks: [{bench: aime24, n: 1, n: 2}]", "the key 'n' is given twice"),
        ("benchmarks: [paper]", "is a suite itself"),
        ("title: [x]\nbenchmarks: [aime24]", "lines of text"),
        ("a: &a [x]\nbenchmarks: *a", "aliases"),
        ("benchmarks: !!python/object/apply:os.system [true]", "not YAML"),
        ("benchmarks: [aime24", "not YAML"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_name(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        get_suite(written(tmp_path, text))
    assert said in str(caught.value)
    assert "mine.yaml" in str(caught.value)


def test_what_is_no_suite(tmp_path: Path) -> None:
    assert not is_suite("aime24")
    with pytest.raises(ConfigError, match="did you mean 'paper'"):
        get_suite("papr")
    with pytest.raises(ConfigError, match="cannot be read as a suite"):
        get_suite(str(tmp_path / "gone.yaml"))
    (tmp_path / "large.yaml").write_bytes(b"#" * (2**20 + 1))
    with pytest.raises(ConfigError, match="are no suite"):
        get_suite(str(tmp_path / "large.yaml"))
    (tmp_path / "image.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read as a suite"):
        get_suite(str(tmp_path / "image.yaml"))
