"""What an evaluation in stages needs: refused before anything is loaded, with the remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orz_bench.asking.changes import ProtocolChanges
from orz_bench.asking.protocol import customise, get_protocol
from orz_bench.errors import ConfigError
from orz_bench.evaluation.options import EvalOptions, SearchOptions
from orz_bench.evaluation.steered import require_steerable, selection_card, settings_of

A_SEARCH: dict[str, Any] = {"select": "prune", "critic": Path("nowhere"), "budget": 500}


def refusal(protocol: str = "orz", *, engine: str = "vllm", search: Any = None, **changes: Any) -> str:
    with pytest.raises(ConfigError) as refused:
        require_steerable(
            customise(get_protocol(protocol), ProtocolChanges(**changes)),
            SearchOptions(**(search or {})),
            engine=engine,
            benchmark="b",
        )
    return str(refused.value)


def test_engines_that_return_no_token_ids_are_refused() -> None:
    for engine in ("openai", "fake"):
        assert f"token ids, which --engine {engine} does not return" in refusal(engine=engine, waits=1)
        assert "--select prune" in refusal(engine=engine, search=A_SEARCH)
    for engine in ("vllm", "transformers", "fake"):
        require_steerable(get_protocol("orz"), SearchOptions(), engine=engine, benchmark="b")


def test_what_has_no_meaning_together_is_refused() -> None:
    assert "leave one of them out" in refusal(waits=1, search=A_SEARCH)
    assert "one candidate only" in refusal("orz-greedy", search=A_SEARCH)
    assert "the most likely option counts" in refusal("mmlu", search=A_SEARCH)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"critic": Path("x")}, "--critic is for a search; add --select"),
        ({"budget": 100}, "--budget is for a search; add --select"),
        ({"select": "beam"}, "--select beam needs --critic PATH and --budget TOKENS."),
        ({"select": "beam", "budget": 500}, "needs --critic PATH."),
        ({"select": "beam", "critic": Path("x"), "budget": 5}, "too small"),
        (A_SEARCH, "not a folder"),
    ],
)
def test_an_option_of_a_search_needs_the_others(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        selection_card(SearchOptions(**given))
    assert said in str(refused.value)


def test_the_card_of_a_search_has_everything_that_decides_it(tmp_path: Path) -> None:
    for name, weight in (("a", b"1"), ("b", b"2")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_bytes(weight)
        (tmp_path / name / "config.json").write_text("{}", encoding="utf-8")
    variants: list[dict[str, Any]] = [
        {},
        {"select": "beam"},
        {"budget": 501},
        {"width": 9},
        {"critic": tmp_path / "b"},
    ]
    cards = [selection_card(SearchOptions(**A_SEARCH | {"critic": tmp_path / "a"} | change)) for change in variants]
    assert len({str(card) for card in cards}) == len(variants)
    assert selection_card(SearchOptions()) is None
    assert settings_of(SearchOptions()) is None


def test_the_configuration_of_a_run_names_the_search() -> None:
    options = EvalOptions(checkpoint="x", search=SearchOptions(**A_SEARCH))
    assert "critic: nowhere" in options.as_yaml()
    assert "search" not in EvalOptions(checkpoint="x").as_yaml()
