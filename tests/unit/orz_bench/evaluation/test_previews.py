"""Questions chosen by id or at random, what a dry run shows, and options that reach the card and the prompts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orz_bench.asking.protocol import ProtocolCard, get_protocol, make_card
from orz_bench.benchmarks.loading.load import load_problems
from orz_bench.benchmarks.registry import get_benchmark
from orz_bench.engines.engine import Sampling
from orz_bench.engines.model_options import parse_template_args
from orz_bench.engines.tokenizer import CheckpointTokenizer
from orz_bench.errors import ConfigError
from orz_bench.evaluation.options import EvalOptions
from orz_bench.evaluation.previews import generation_config_note
from orz_bench.evaluation.questions import Selection
from orz_bench.evaluation.run_evaluation import preview_evaluations, run_evaluations
from tests.support.tokenizers import a_tokenizer
from tests.unit.orz_bench.evaluation.test_run_evaluation import Notes

LOADED = load_problems(get_benchmark("arithmetic"), folders=())
FACTS: dict[str, Any] = {
    "benchmark": "arithmetic", "data_hash": "d", "grader_version": "g", "engine": "fake 1", "dtype": "unknown",
    "max_model_len": None,
}  # fmt: skip
USED: dict[str, Any] = {
    "min_p": 0.1, "presence_penalty": 0.5, "frequency_penalty": 0.5, "repetition_penalty": 1.1, "questions": "random 5",
    "system_prompt": "s", "template_args": {"a": 1}, "prompts_as": "token ids", "server": {"base_url": "x"},
    "tokenizer": "t",
}  # fmt: skip


def card() -> ProtocolCard:
    return make_card(get_protocol("orz"), **FACTS)


def test_fingerprints_of_before_hold_where_nothing_new_is_used() -> None:
    """As computed by the version before these settings were added."""
    assert card().fingerprint == "13808f0837b9"
    assert not set(card().to_json()) & set(USED)


@pytest.mark.parametrize("name", USED)
def test_what_is_used_is_on_the_card_and_moves_the_fingerprint(name: str) -> None:
    changes = {name: USED[name]}
    used = (
        replace(card(), sampling=replace(card().sampling, **changes))
        if hasattr(card().sampling, name)
        else replace(card(), **changes)
    )
    assert used.fingerprint != card().fingerprint
    assert used.to_json()[name] == USED[name]


def test_a_random_subset_is_a_function_of_the_seed() -> None:
    first, again, other = (Selection(sample=20, seed=seed).select(LOADED).problems for seed in (1, 1, 2))
    assert first == again != other
    assert len({problem.problem_id for problem in first}) == 20
    assert [LOADED.problems.index(problem) for problem in first] == sorted(map(LOADED.problems.index, first))
    assert Selection(sample=20, seed=1).describe() != Selection(sample=20, seed=2).describe() is not None


def test_questions_are_named_by_id() -> None:
    wanted = tuple(problem.problem_id for problem in LOADED.problems[3:9:2])
    assert [problem.problem_id for problem in Selection(ids=wanted[::-1]).select(LOADED).problems] == list(wanted)
    assert Selection(ids=wanted).describe() == Selection(ids=wanted[::-1]).describe()


@pytest.mark.parametrize(
    ("selection", "fault"),
    [
        (Selection(ids=("nosuch",)), "no question has this id"),
        (Selection(sample=101), "wanted 1 to 100"),
        (Selection(ids=("a",), sample=1), "give one of them"),
    ],
)
def test_what_cannot_be_selected_is_refused(selection: Selection, fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        selection.select(LOADED)


def test_a_dry_run_shows_prompts_and_writes_nothing(tmp_path: Path) -> None:
    options = EvalOptions(checkpoint="fake", engine="fake", benchmarks=("arithmetic",), limit=5, out=tmp_path / "run")
    text = preview_evaluations(options, observer=Notes())
    assert "80 of 80 samples to generate (5 questions x 16)" in text
    assert text.count("token ids: [") == 3
    assert text.count("This is the problem:") == 3
    assert "at most 640,000 new tokens" in text
    assert "at 1,000 tokens/s" in text
    assert not list(tmp_path.iterdir())


def test_a_chat_is_told_the_system_prompt_and_what_else_was_asked() -> None:
    hf = a_tokenizer("byte-bpe")
    plain = CheckpointTokenizer(hf, "x").render_chat([{"role": "user", "content": "q"}])
    told = CheckpointTokenizer(hf, "x", system="be brief", template_args={"enable_thinking": False})
    text = told.render_chat([{"role": "system", "content": "other"}, {"role": "user", "content": "q"}])
    assert text == f"<|im_start|>system\nbe brief<|im_end|>\n{plain}<think>\n\n</think>\n\n"
    with pytest.raises(ConfigError, match="has no such variable"):
        CheckpointTokenizer(hf, "x", template_args={"enable_thinkin": False}).render_chat([])


def test_chat_options_need_a_chat_template(tmp_path: Path) -> None:
    notes = Notes()
    options = EvalOptions(checkpoint="fake", engine="fake", benchmarks=("arithmetic",), system_prompt="x", out=tmp_path)
    with pytest.raises(ConfigError, match="add --template chat"):
        run_evaluations(options, observer=notes)


def test_template_args_are_json_or_text() -> None:
    assert parse_template_args(["a=false", "b=2", "c=high", 'd={"x": 1}']) == {
        "a": False, "b": 2, "c": "high", "d": {"x": 1},
    }  # fmt: skip
    with pytest.raises(ConfigError, match="NAME=VALUE"):
        parse_template_args(["thinking"])


def test_what_a_generation_config_would_add_is_said(tmp_path: Path) -> None:
    assert generation_config_note(str(tmp_path)) is None
    (tmp_path / "generation_config.json").write_text('{"top_k": 20, "repetition_penalty": 1.05, "eos_token_id": 1}')
    note = generation_config_note(str(tmp_path))
    assert note is not None
    assert "top_k 20, repetition_penalty 1.05: not applied" in note
    (tmp_path / "generation_config.json").write_text("[" * 100_000)
    assert generation_config_note(str(tmp_path)) is None


@pytest.mark.parametrize("name", ["min_p", "presence_penalty", "frequency_penalty", "repetition_penalty"])
def test_an_engine_without_penalties_refuses_them(name: str) -> None:
    Sampling().refuse_penalties()
    changed: dict[str, Any] = {name: 0.5}
    with pytest.raises(ConfigError, match=f"--{name.replace('_', '-')} 0.5"):
        replace(Sampling(), **changed).refuse_penalties()
