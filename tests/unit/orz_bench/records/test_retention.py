"""What retention drops of a step's rollouts, and that everything else stays."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orz_bench.records.keep_rules import KeepRule, Retention
from orz_bench.records.parquet import ROLLOUT_SCHEMA, part_files
from orz_bench.records.retention import COLUMNS, CONTENT_COLUMNS, dropped_text, reduce_step, reduction_note
from orz_bench.records.run_dir import RolloutsDir
from orz_bench.records.text_hash import text_hash
from tests.support.builders import a_rollout
from tests.support.runs import a_run

RULES = ("all", "every:2", "every:3", "last:4", "sampled:0.4", "sampled:1.0", "every:1000000")


def retention(texts: str = "all", tokens: str = "all", logprobs: str = "all") -> Retention:
    return Retention(texts=KeepRule.parse(texts), tokens=KeepRule.parse(tokens), logprobs=KeepRule.parse(logprobs))


def a_step(folder: Path, *, problems: int = 12, samples: int = 3) -> RolloutsDir:
    rows = [
        a_rollout(
            problem_id=f"p{problem}",
            sample_index=sample,
            completion=f"wait, {problem} {sample}\ud800" if sample == 0 else "",
            prompt_token_ids=(1, 2),
            token_ids=(3, 4, problem),
            logprobs=(-0.5, -1.0, -float(sample)),
            entropies=(0.5, 0.25, 0.0),
            num_tokens=3,
            extra={"level": problem},
        )
        for problem in range(problems)
        for sample in range(samples)
    ]
    found = RolloutsDir(folder)
    folder.mkdir(parents=True, exist_ok=True)
    found.append(rows[:7])
    found.append(rows[7:])
    return found


def kept_in(table: pa.Table, column: str) -> set[int]:
    return {place for place, value in enumerate(table[column].to_pylist()) if value is not None}


@pytest.mark.parametrize("text", ["", "none", "every", "every:0", "every:-1", "last:", "last:1.5", "sampled:0",
                                  "sampled:0.0", "sampled:1.1", "sampled:nan", "every:3 ", "EVERY:3"])  # fmt: skip
def test_what_is_no_rule(text: str) -> None:
    with pytest.raises(ValueError, match="every:K"):
        KeepRule.parse(text)


@pytest.mark.parametrize("text", [*RULES, "sampled:.25"])
def test_a_rule_is_written_as_it_is_read(text: str) -> None:
    assert KeepRule.parse(str(KeepRule.parse(text))) == KeepRule.parse(text)


@given(st.sampled_from(RULES), st.sampled_from(RULES), st.sampled_from(RULES), st.integers(1, 12))
def test_only_contents_are_dropped_and_twice_is_as_good_as_once(
    tmp_path_factory: pytest.TempPathFactory, texts: str, tokens: str, logprobs: str, step: int
) -> None:
    folder = a_step(tmp_path_factory.mktemp("step"))
    before = folder.read()
    rules = retention(texts, tokens, logprobs)
    dropped = reduce_step(folder, rules, step=step)
    after = folder.read()
    kept = {name: [kept_in(after, column) for column in columns] for name, columns in COLUMNS.items()}
    assert all(len(set(map(frozenset, found))) == 1 for found in kept.values()), "the columns of a content go together"
    assert kept["logprobs"][0] <= kept["tokens"][0]
    for name in ROLLOUT_SCHEMA.names:
        if name in CONTENT_COLUMNS:
            assert all(after[name][place] == before[name][place] for place in kept_in(after, name))
        elif name != "extra":
            assert after[name] == before[name]
    for name, (found, *_) in kept.items():
        assert dropped[name] == after.num_rows - len(found)
    for was, extra, text in zip(before["completion"], after["extra"], after["completion"], strict=True):
        if text.as_py() is None:
            assert dropped_text(extra.as_py()) == (len(was.as_py()), text_hash(was.as_py()))
        assert json.loads(extra.as_py())["level"] in range(12)
    reduce_step(folder, rules, step=step)
    assert folder.read() == after
    assert len(part_files(folder.path)) == 1 or not any(dropped.values())


def test_rules_keep_what_they_say(tmp_path: Path) -> None:
    table = a_step(tmp_path, problems=200, samples=2).read()

    def kept(rule: str, step: int) -> list[bool]:
        return [KeepRule.parse(rule).keeps(step, name) for name in table["problem_id"].to_pylist()]

    assert all(kept("all", 7))
    assert all(kept("every:7", 14))
    assert not any(kept("every:7", 15))
    assert not any(kept("last:3", 15))
    some, more = kept("sampled:0.25", 7), kept("sampled:0.5", 7)
    assert 0.15 < sum(some) / len(some) < 0.35
    assert all(first <= second for first, second in zip(some, more, strict=True)), "a part of the larger share"
    assert some[::2] == some[1::2], "whole groups"
    assert some != kept("sampled:0.25", 8)


def test_a_crash_leaves_the_file_whole_or_reduced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = a_step(tmp_path)
    before = folder.read()

    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("orz_bench.records.parquet.os.fsync", fails)
        with pytest.raises(Exception, match="no space left"):
            reduce_step(folder, retention("last:1"), step=1)
    assert folder.read() == before


def test_what_is_no_longer_there_is_said(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    assert reduction_note(run) is None
    run.add_event("rollouts_reduced", through=4, rules={"texts": "every:2", "tokens": "all", "logprobs": "last:2"})
    note = reduction_note(run)
    assert note is not None
    assert "up to step 4" in note
    assert "texts every:2, logprobs last:2" in note


@pytest.mark.parametrize("extra", [None, "", "{}", "[]", '{"dropped_text": 3}', '{"dropped_text": {"hash": "x"}}', "{"])
def test_an_extra_that_tells_nothing(extra: str | None) -> None:
    assert dropped_text(extra) is None


def test_versions_of_tokens_go_with_the_tokens(tmp_path: Path) -> None:
    whole = [replace(row, token_versions=(4, 4, 5)) for row in a_step(tmp_path / "a").rows()]
    folder = RolloutsDir(tmp_path / "b")
    folder.path.mkdir()
    folder.append(whole)
    reduce_step(folder, retention(texts="every:3", tokens="sampled:0.4", logprobs="all"), step=5)
    rows = folder.rows()
    assert {row.token_ids is None for row in rows} == {True, False}
    assert all((row.token_versions is None) == (row.token_ids is None) for row in rows)
    reduce_step(folder, retention(tokens="every:3"), step=5)
    assert {row.token_versions for row in folder.rows()} == {None}
