"""Questions that are answered by the most likely option, up to rows of the run directory."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orz_bench.asking.prompt_tokens import encode_prompts
from orz_bench.asking.protocol import get_protocol, make_card, require_fit
from orz_bench.benchmarks import mmlu
from orz_bench.benchmarks.loading.load import load_problems
from orz_bench.benchmarks.registry import get_benchmark
from orz_bench.engines.engine import EngineSpec, LikelihoodRequest, Likelihoods
from orz_bench.engines.fake import FakeEngine
from orz_bench.errors import ConfigError, EngineError
from orz_bench.evaluation.evaluate import Evaluation, evaluate
from orz_bench.evaluation.likelihood import most_likely, with_options
from orz_bench.grading.grader import Grader
from orz_bench.models.checkpoint import ModelIdentity
from orz_bench.records.run_dir import RunDir
from tests.support.builders import a_problem, a_request
from tests.unit.orz_bench.evaluation.test_evaluate import Listener


class Characters:
    """Characters as tokens; two line breaks in a row are one, as in many a real tokenizer."""

    bos, eos, opening = "", "", "^"
    joins = ""
    """What is one token, too."""

    def __init__(self) -> None:
        self.num_encoded = 0

    def encode(self, text: str) -> tuple[int, ...]:
        self.num_encoded += len(text)
        text = text.replace("\n\n", "\x01").replace(self.joins, "\x02") if self.joins else text.replace("\n\n", "\x01")
        return tuple(map(ord, text))

    def render_chat(self, messages: Sequence[dict[str, str]]) -> str:
        return ""


class Joining(Characters):
    joins = "B\n"


class Fixed(FakeEngine):
    """Gives option `favourite` the best log-likelihood, and may stop early."""

    def __init__(self, *, favourite: int = 2, fails_after: int | None = None) -> None:
        super().__init__(EngineSpec(name="fake", checkpoint="fake"))
        self._favourite, self._fails_after = favourite, fails_after
        self.asked: list[LikelihoodRequest] = []

    def loglikelihood(self, requests: Iterable[LikelihoodRequest]) -> Iterator[list[Likelihoods]]:
        for request in requests:
            if self._fails_after is not None and len(self.asked) >= self._fails_after:
                raise EngineError("out of memory")
            self.asked.append(request)
            logprobs = tuple(-1.0 if at == self._favourite else -2.0 for at in range(len(request.continuations)))
            yield [Likelihoods(key=request.key, logprobs=logprobs, is_greedy=(False,) * len(logprobs))]


def rows_of_mmlu(folder: Path, *, per_subject: int = 3) -> Path:
    """Made-up rows of two subjects, test and dev."""
    for split, count in (("test", per_subject), ("dev", 5)):
        lines = [
            {
                "question": f"  {subject} {split} {at}? ",
                "choices": [f"{at}", "b", " c", "d"],
                "answer": at % 4,
                "subject": subject,
            }
            for subject in ("anatomy", "virology")
            for at in range(count)
        ]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (folder / f"mmlu_{split}.jsonl").write_text(text, encoding="utf-8")
    return folder


def an_evaluation(folder: Path) -> Evaluation:
    benchmark = replace(get_benchmark("mmlu"), num_problems=None, hub=None)
    loaded = load_problems(benchmark, folders=[rows_of_mmlu(folder)], with_examples=True)
    card = make_card(
        get_protocol("mmlu"),
        benchmark="mmlu",
        data_hash=loaded.data_hash,
        grader_version="1",
        engine="fake",
        dtype="unknown",
        max_model_len=None,
    )
    return Evaluation(
        loaded=loaded,
        model=ModelIdentity(label="fake", step=0, digest="d"),
        card=card,
        n=1,
        limit=None,
        seed=42,
        breakdowns=benchmark.breakdowns,
    )


def test_the_prompt_is_the_one_of_lm_eval(tmp_path: Path) -> None:
    evaluation = an_evaluation(tmp_path)
    request = evaluation.requests(Characters())[3]
    examples = "".join(
        f"virology dev {at}?\nA. {at}\nB. b\nC.  c\nD. d\nAnswer: {'ABCD'[at % 4]}\n\n" for at in range(5)
    )
    head = "The following are multiple choice questions (with answers) about virology.\n\n"
    assert request.prompt == f"^{head}{examples}virology test 0?\nA. 0\nB. b\nC.  c\nD. d\nAnswer:"
    assert request.options == tuple((ord(" "), ord(letter)) for letter in "ABCD")
    assert request.num_shared == len(Characters().encode(f"^{head}{examples}virology test "))


def test_a_row_holds_the_choice_and_all_likelihoods(tmp_path: Path) -> None:
    evaluation, run, engine = an_evaluation(tmp_path), RunDir(tmp_path / "run"), Fixed()
    with Grader(extractor="likelihood") as grader:
        result = evaluate(
            evaluation,
            evaluation.requests(Characters()),
            run=run,
            grader=grader,
            open_engine=lambda: engine,
            observer=Listener(),
        )
    (row, *_) = run.evaluations()[0].read().to_pylist()
    assert (row["completion"], row["extracted"], row["verdict"], row["num_tokens"]) == (" C", "C", "wrong", 2)
    assert json.loads(row["extra"]) == {
        "subject": "anatomy",
        "category": "STEM",
        "loglikelihoods": {"A": -2.0, "B": -2.0, "C": -1.0, "D": -2.0},
    }
    assert result.summary.avg_at_n == pytest.approx(1 / 3)
    assert (result.summary.n, result.summary.se_sampling) == (1, None)
    parts = result.summary.breakdown
    assert {name: part.num for name, part in parts["subject"].items()} == {"anatomy": 3, "virology": 3}
    assert [part.value for part in parts["subject"].values()] == pytest.approx([1 / 3, 1 / 3])
    assert list(parts["category"]) == ["STEM", "other"]
    assert run.results()[0].summary == result.summary, "as read back"


def test_a_stopped_evaluation_asks_only_for_what_is_missing(tmp_path: Path) -> None:
    evaluation, run = an_evaluation(tmp_path), RunDir(tmp_path / "run")
    requests = evaluation.requests(Characters())
    facts: dict[str, Any] = {"run": run, "observer": Listener()}
    with Grader(extractor="likelihood") as grader:
        with pytest.raises(EngineError, match="out of memory"):
            evaluate(evaluation, requests, grader=grader, open_engine=lambda: Fixed(fails_after=4), **facts)
        rest = Fixed()
        result = evaluate(evaluation, requests, grader=grader, open_engine=lambda: rest, **facts)
    assert len(rest.asked) == 2
    assert result.summary.num_samples == 6
    assert [one.num_shared for one in rest.asked] == [request.num_shared for request in requests[4:]]


def test_ties_go_to_the_first_option() -> None:
    request = a_request(problem=a_problem(kind="choice", gold="A", num_choices=3), options=((1,), (2,), (3,)))
    ((completion,),) = most_likely(Fixed(favourite=9), [request])
    assert completion.text == " A"


def test_an_engine_that_cannot_says_so() -> None:
    class Writer:
        def generate(self, requests: Any, sampling: Any) -> Iterator[list[Any]]:
            return iter(())

        def close(self) -> None: ...

    with pytest.raises(EngineError, match="Writer computes no log-likelihoods"):
        list(most_likely(Writer(), []))
    with pytest.raises(ConfigError, match="tokenizer"):
        with_options([], None)


def test_the_two_ways_of_answering_are_never_mixed() -> None:
    with pytest.raises(ConfigError, match=r"mmlu: .*written answer.*--bench mmlu_cot"):
        require_fit(get_benchmark("mmlu"), get_protocol("orz"))
    with pytest.raises(ConfigError, match="most likely option"):
        require_fit(get_benchmark("mmlu_cot"), get_protocol("mmlu"))
    with pytest.raises(ConfigError, match="letters of options"):
        require_fit(get_benchmark("aime24"), get_protocol("mmlu-pro"))
    for name in ("mmlu", "mmlu_cot", "mmlu_pro", "ifeval"):
        require_fit(get_benchmark(name), get_protocol(get_benchmark(name).default_protocol))


def test_every_subject_has_one_of_four_categories() -> None:
    assert len(mmlu.CATEGORIES) == 57
    assert set(mmlu.CATEGORIES.values()) == {"STEM", "humanities", "social sciences", "other"}


@pytest.mark.parametrize(
    "tokenizer", [Characters(), Joining()], ids=["a safe border", "a tokenizer that joins across it"]
)
def test_examples_are_tokenised_once_and_nothing_else_changes(tokenizer: Characters) -> None:
    draw = random.Random(0)
    examples = ["x" * 500 + "B\n\n", "y" * 400 + "C\n\n"]
    shown = [examples[at % 2] for at in range(40)] + [""]
    prompts = [f"^{one}{draw.choice(['What', '(1)', ' a'])} {at}?\nAnswer:" for at, one in enumerate(shown)]
    wanted = [type(tokenizer)().encode(prompt) for prompt in prompts]
    assert encode_prompts(prompts, shown, tokenizer=tokenizer) == wanted
    if not tokenizer.joins:
        assert tokenizer.num_encoded < sum(map(len, prompts)) / 3
    assert encode_prompts(prompts, shown, tokenizer=None) == [None] * 41
