"""evaluate(): asks for what is missing and nothing else, and never mixes what does not belong together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orz_bench.asking.changes import ProtocolChanges
from orz_bench.asking.protocol import Protocol, customise, get_protocol, make_card
from orz_bench.benchmarks.loading.load import load_problems
from orz_bench.benchmarks.registry import get_benchmark
from orz_bench.engines.engine import EngineSpec, Sampling
from orz_bench.engines.fake import FakeEngine, FakeTokenizer
from orz_bench.errors import ConfigError, EngineError, RunDirError
from orz_bench.evaluation.evaluate import Evaluation, evaluate
from orz_bench.grading.grader import Submission
from orz_bench.models.checkpoint import ModelIdentity
from orz_bench.records.parquet import part_files, rollouts_from_table
from orz_bench.records.rollout import Completion, Grade, Request, Rollout, Verdict
from orz_bench.records.run_dir import EvaluationDir, RunDir
from orz_bench.records.summary import EvalResult
from tests.support.builders import a_grade


class Counting(FakeEngine):
    """The fake engine, which notes what it was asked for, and may stop early."""

    def __init__(self, *, fails_after: int | None = None) -> None:
        super().__init__(EngineSpec(name="fake", checkpoint="fake:0.5"))
        self.drawn: list[tuple[str, int]] = []
        self._fails_after = fails_after

    def generate(self, requests: Iterable[Request], sampling: Sampling) -> Iterator[list[Completion]]:
        for completions in super().generate(requests, sampling):
            if self._fails_after is not None and len(self.drawn) >= self._fails_after:
                raise EngineError("out of memory")
            self.drawn += [completion.key for completion in completions]
            yield completions


class ByText:
    def grade(self, submissions: Sequence[Submission]) -> list[Grade]:
        return [a_grade(verdict="correct" if f"{{{s.gold}}}" in s.response else "wrong") for s in submissions]

    def verdicts_under(self, extractor: str, submissions: Sequence[Submission]) -> list[Verdict]:
        return ["correct" for _ in submissions]


class Listener:
    def __init__(self) -> None:
        self.num_committed = 0

    def notice(self, text: str) -> None: ...

    def started(self, evaluation: Evaluation, *, num_wanted: int, num_missing: int) -> None: ...

    def generating(self) -> None: ...

    def committed(self, rollouts: Sequence[Rollout]) -> None:
        self.num_committed += len(rollouts)

    def finished(self, result: EvalResult) -> None: ...


def an_evaluation(*, n: int = 4, limit: int | None = 20, **changes: Any) -> Evaluation:
    loaded = load_problems(get_benchmark("arithmetic"))
    protocol = customise(get_protocol("orz"), ProtocolChanges(n=n, **changes.pop("protocol", {})))
    facts: dict[str, Any] = {
        "loaded": loaded,
        "model": ModelIdentity(label="fake", step=0, digest="d"),
        "card": _card(protocol, loaded.data_hash),
        "n": n,
        "limit": limit,
        "seed": 42,
    }
    return Evaluation(**facts | changes)


def _card(protocol: Protocol, data_hash: str) -> Any:
    return make_card(
        protocol,
        benchmark="arithmetic",
        data_hash=data_hash,
        grader_version="t",
        engine="fake 1",
        dtype="unknown",
        max_model_len=None,
    )


def run_evaluation(folder: Path, evaluation: Evaluation, engine: Counting) -> EvalResult:
    return evaluate(
        evaluation,
        evaluation.requests(FakeTokenizer()),
        run=RunDir(folder),
        grader=ByText(),
        open_engine=lambda: engine,
        observer=Listener(),
    )


def rows(folder: Path) -> list[tuple[Any, ...]]:
    (evaluated,) = RunDir(folder).evaluations()
    table = evaluated.read(["problem_id", "sample_index", "seed", "completion", "verdict"])
    return sorted(tuple(row.values()) for row in table.to_pylist())


def test_a_first_run_draws_everything(tmp_path: Path) -> None:
    engine = Counting()
    result = run_evaluation(tmp_path, an_evaluation(), engine)
    assert len(engine.drawn) == len(set(engine.drawn)) == 80
    assert (result.summary.num_problems, result.summary.n, result.num_generated_now) == (20, 4, 80)
    assert result.num_problems_total == 100


def test_again_draws_nothing_and_gives_the_same(tmp_path: Path) -> None:
    first = run_evaluation(tmp_path, an_evaluation(), Counting())
    engine = Counting()
    second = run_evaluation(tmp_path, an_evaluation(), engine)
    assert engine.drawn == []
    assert (second.summary, second.num_generated_now) == (first.summary, 0)


def test_a_larger_n_adds_samples(tmp_path: Path) -> None:
    run_evaluation(tmp_path / "grown", an_evaluation(n=2), Counting())
    engine = Counting()
    run_evaluation(tmp_path / "grown", an_evaluation(n=4), engine)
    run_evaluation(tmp_path / "whole", an_evaluation(n=4), Counting())
    assert {index for _, index in engine.drawn} == {2, 3}
    assert rows(tmp_path / "grown") == rows(tmp_path / "whole")


def test_a_smaller_n_is_read_from_what_exists(tmp_path: Path) -> None:
    run_evaluation(tmp_path, an_evaluation(n=4), Counting())
    result = run_evaluation(tmp_path, an_evaluation(n=1), Counting())
    assert (result.summary.n, result.summary.num_samples, result.num_generated_now) == (1, 20, 0)


def test_dropping_the_limit_adds_questions(tmp_path: Path) -> None:
    run_evaluation(tmp_path, an_evaluation(n=1, limit=5), Counting())
    engine = Counting()
    result = run_evaluation(tmp_path, an_evaluation(n=1, limit=None), engine)
    assert (len(engine.drawn), result.summary.num_problems) == (95, 100)


def test_a_broken_engine_loses_nothing_that_came(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="out of memory"):
        run_evaluation(tmp_path, an_evaluation(n=16), Counting(fails_after=128))
    assert len(rows(tmp_path)) == 128
    engine = Counting()
    run_evaluation(tmp_path, an_evaluation(n=16), engine)
    assert len(engine.drawn) == 320 - 128
    run_evaluation(tmp_path / "unbroken", an_evaluation(n=16), Counting())
    assert rows(tmp_path) == rows(tmp_path / "unbroken")


def test_an_engine_that_returns_too_little_is_noticed(tmp_path: Path) -> None:
    class Lazy(Counting):
        def generate(self, requests: Iterable[Request], sampling: Sampling) -> Iterator[list[Completion]]:
            yield from list(super().generate(requests, sampling))[:-1]

    with pytest.raises(EngineError, match=r"returned 64 of 80 samples. Those are kept"):
        run_evaluation(tmp_path, an_evaluation(), Lazy())
    assert run_evaluation(tmp_path, an_evaluation(), Counting()).num_generated_now == 16


def test_samples_under_a_digest_of_an_earlier_version_are_not_taken_for_this_models(tmp_path: Path) -> None:
    """It covered a part of the weights; the message says what to do, and doing it goes on."""
    old = ModelIdentity(label="m", step=0, digest="0123456789abcdef")
    new = replace(old, digest="wabcdefghijklmno")
    run_evaluation(tmp_path, an_evaluation(model=old), Counting())
    with pytest.raises(RunDirError, match="covers a part of the weights only") as caught:
        run_evaluation(tmp_path, an_evaluation(model=new), Counting())
    (path,) = tmp_path.glob("evals/*/*/*/protocol.json")
    assert f'"model_digest": "{new.digest}"' in str(caught.value)
    path.write_text(path.read_text(encoding="utf-8").replace(old.digest, new.digest), encoding="utf-8")
    assert run_evaluation(tmp_path, an_evaluation(model=new), Counting()).num_generated_now == 0


def test_a_folder_has_one_model_and_one_seed(tmp_path: Path) -> None:
    run_evaluation(tmp_path, an_evaluation(), Counting())
    other = ModelIdentity(label="other", step=0, digest="e")
    with pytest.raises(RunDirError, match="holds samples of another model"):
        run_evaluation(tmp_path, an_evaluation(model=other), Counting())
    with pytest.raises(RunDirError, match="holds samples of another --seed"):
        run_evaluation(tmp_path, an_evaluation(seed=43), Counting())


def _folder(run: Path) -> EvaluationDir:
    (found,) = RunDir(run).evaluations()
    return found


def test_samples_that_nobody_owns_are_not_adopted(tmp_path: Path) -> None:
    run_evaluation(tmp_path, an_evaluation(), Counting())
    _folder(tmp_path).protocol_path.unlink()
    other, engine = ModelIdentity(label="other", step=0, digest="e"), Counting()
    for evaluation in (an_evaluation(model=other), an_evaluation()):
        with pytest.raises(RunDirError, match=r"no protocol.json says whose they are.*--out"):
            run_evaluation(tmp_path, evaluation, engine)
    assert engine.drawn == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"model_digest": "d", "seed": 42, "fingerprint": "x"}'])
def test_a_torn_or_foreign_protocol_is_refused(tmp_path: Path, text: str) -> None:
    run_evaluation(tmp_path, an_evaluation(), Counting())
    _folder(tmp_path).protocol_path.write_text(text)
    with pytest.raises(RunDirError, match=r"protocol\.json|another protocol"):
        run_evaluation(tmp_path, an_evaluation(n=8), Counting())


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({}, "is also in part-000000.parquet"),
        ({"problem_id": "nowhere-1"}, "not of this evaluation.*wanted None"),
        ({"benchmark": "aime24"}, "benchmark 'aime24', wanted 'arithmetic'"),
        ({"step": 7}, "step 7, wanted 0"),
        ({"seed": 1}, "seed 1, wanted"),
    ],
)
def test_stray_parts_are_noticed_before_anything_is_drawn(tmp_path: Path, changes: dict[str, Any], match: str) -> None:
    run_evaluation(tmp_path, an_evaluation(), Counting())
    folder = _folder(tmp_path)
    row = replace(rollouts_from_table(folder.read())[0], **changes)
    folder.append([row])
    engine = Counting()
    for n in (4, 8):
        with pytest.raises(RunDirError, match=f"{match}.*Move this file out"):
            run_evaluation(tmp_path, an_evaluation(n=n), engine)
    assert engine.drawn == []


@pytest.mark.parametrize("fewer", [{"n": 1}, {"limit": 2}, {"n": 8, "limit": 2}])
def test_a_smaller_evaluation_leaves_the_larger_ones_summary(tmp_path: Path, fewer: dict[str, int]) -> None:
    whole = run_evaluation(tmp_path, an_evaluation(), Counting())
    less = run_evaluation(tmp_path, an_evaluation(**fewer), Counting())
    assert less.summary.num_problems == fewer.get("limit", 20)
    (kept,) = RunDir(tmp_path).results()
    assert kept.summary == whole.summary


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"run": 1}'])
def test_a_torn_summary_is_written_anew(tmp_path: Path, text: str) -> None:
    whole = run_evaluation(tmp_path, an_evaluation(), Counting())
    _folder(tmp_path).summary_path.write_text(text)
    run_evaluation(tmp_path, an_evaluation(), Counting())
    (kept,) = RunDir(tmp_path).results()
    assert kept.summary == whole.summary


def test_a_summary_of_samples_that_have_gone_is_written_anew(tmp_path: Path) -> None:
    run_evaluation(tmp_path, an_evaluation(), Counting())
    for part in part_files(_folder(tmp_path).path):
        part.unlink()
    run_evaluation(tmp_path, an_evaluation(limit=2), Counting())
    (kept,) = RunDir(tmp_path).results()
    assert kept.summary.num_problems == 2


@pytest.mark.parametrize("change", [{"temperature": 0.6}, {"template": "plain"}, {"extractor": "boxed"}, {"stop": ()}])
def test_another_protocol_gets_a_folder_of_its_own(tmp_path: Path, change: dict[str, Any]) -> None:
    first = run_evaluation(tmp_path, an_evaluation(), Counting())
    second = run_evaluation(tmp_path, an_evaluation(protocol=change), Counting())
    assert first.fingerprint != second.fingerprint
    assert len(RunDir(tmp_path).evaluations()) == 2


def test_prompts_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    evaluation = an_evaluation()
    short = replace(evaluation, card=replace(evaluation.card, max_model_len=20))
    with pytest.raises(ConfigError, match=r"20 of 20 prompts do not fit the context of 20 tokens .* Nothing is cut"):
        short.requests(FakeTokenizer())


def test_every_sample_has_its_own_seed() -> None:
    requests = an_evaluation(n=16, limit=None).requests(FakeTokenizer())
    assert len({request.seed for request in requests}) == len(requests) == 1600
