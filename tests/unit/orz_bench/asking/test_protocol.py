"""Protocols, their cards, and what changes a fingerprint."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from orz_bench.asking.changes import ProtocolChanges
from orz_bench.asking.protocol import PROTOCOLS, ProtocolCard, customise, get_protocol, make_card, template_digest
from orz_bench.asking.templates import TEMPLATES
from orz_bench.asking.thoughts import THOUGHTS
from orz_bench.engines.engine import Sampling
from orz_bench.errors import ConfigError
from orz_bench.records.rollout import Problem

FACTS: dict[str, Any] = {
    "benchmark": "aime24",
    "data_hash": "d",
    "grader_version": "g",
    "engine": "vllm 0.32.0",
    "dtype": "bfloat16",
    "max_model_len": 8192,
}


def a_card(**changes: Any) -> ProtocolCard:
    return make_card(get_protocol("orz"), **FACTS | changes)


def test_the_orz_protocol_is_the_published_one() -> None:
    orz = get_protocol("orz")
    assert (orz.template, orz.n, orz.extractor) == ("orz-code", 16, "orz")
    assert (orz.sampling.temperature, orz.sampling.top_p, orz.sampling.max_tokens) == (1.0, 1.0, 8000)
    assert orz.sampling.stop == ("User:", "Human:", "Assistant:", "</answer>")


@pytest.mark.parametrize("field", [field.name for field in fields(ProtocolCard)])
def test_every_field_of_the_card_moves_the_fingerprint(field: str) -> None:
    card = a_card()
    values = {"sampling": replace(card.sampling, stop=("x",)), "correct_errata": True, "max_model_len": 1}
    other: Any = values.get(field, "changed")
    assert replace(card, **{field: other}).fingerprint != card.fingerprint


@pytest.mark.parametrize("field", [field.name for field in fields(Sampling)])
def test_every_setting_of_sampling_moves_the_fingerprint(field: str) -> None:
    card = a_card()
    other: Any = {"stop": ("x",)}.get(field, 0.25)
    changed = replace(card, sampling=replace(card.sampling, **{field: other}))
    assert changed.fingerprint != card.fingerprint
    assert changed.to_json()[field] == (["x"] if field == "stop" else 0.25)


def test_the_card_is_flat_on_disk_and_leaves_out_what_later_versions_added() -> None:
    assert list(a_card().to_json()) == [
        "benchmark", "template", "template_digest", "max_model_len", "extractor", "correct_errata", "data_hash",
        "grader_version", "engine", "dtype", "temperature", "top_p", "top_k", "max_tokens", "stop",
    ]  # fmt: skip
    assert a_card().fingerprint == "88d8c7b51710"


def test_n_does_not_move_the_fingerprint() -> None:
    more = customise(get_protocol("orz"), ProtocolChanges(n=64))
    assert make_card(more, **FACTS).fingerprint == a_card().fingerprint


def test_fingerprints_are_stable_across_versions_of_python_and_runs() -> None:
    assert a_card().fingerprint == a_card().fingerprint
    assert len(a_card().fingerprint) == 12


def test_changes_reach_sampling_and_protocol() -> None:
    changed = customise(get_protocol("orz"), ProtocolChanges(temperature=0.5, extractor="boxed"))
    assert (changed.sampling.temperature, changed.sampling.top_p, changed.extractor) == (0.5, 1.0, "boxed")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"n": 0}, "at least 1"),
        ({"temperature": -1.0}, "0 or more"),
        ({"top_p": 0.0}, "at most 1"),
        ({"top_k": 0}, "top_k"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"template": "orz_code"}, "did you mean 'orz-code'"),
        ({"extractor": "regex"}, "wanted one of"),
        ({"temperature": 0.0, "n": 4}, "all 4 answers would be the same"),
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        customise(get_protocol("orz"), ProtocolChanges(**changes))


def test_all_faults_are_reported_at_once() -> None:
    with pytest.raises(ConfigError, match=r"template.*temperature.*max_tokens"):
        customise(get_protocol("orz"), ProtocolChanges(template="x", temperature=-1.0, max_tokens=0))


def test_an_unknown_protocol_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'sober'"):
        get_protocol("sobre")


def test_every_protocol_has_a_source() -> None:
    assert all(protocol.source for protocol in PROTOCOLS.values())


def test_every_template_has_its_own_digest() -> None:
    assert len({template_digest(name) for name in TEMPLATES}) == len(TEMPLATES)


def test_forced_thoughts_are_another_protocol() -> None:
    orz = get_protocol("orz")
    cards = [
        make_card(customise(orz, ProtocolChanges(**changes)), **FACTS)
        for changes in (
            {},
            {"waits": 1},
            {"waits": 2},
            {"waits": 1, "wait_text": "Hmm"},
            {"thought_tokens": 100},
            {"thought_tokens": 101},
            {"waits": 1, "thought_tokens": 100},
        )
    ]
    assert len({card.fingerprint for card in cards}) == len(cards)
    assert [card.is_forced for card in cards] == [False] + 6 * [True]
    assert cards[1].to_json()["wait_text"] == "Wait"
    assert cards[4].to_json()["thought_format"]["close"] == " </think> <answer>"
    off = make_card(customise(orz, ProtocolChanges(waits=0)), **FACTS)
    assert off.fingerprint == a_card().fingerprint
    assert off.to_json() == a_card().to_json()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"waits": -1}, "waits is -1, wanted 0 (off) to 1000"),
        ({"waits": 1, "wait_text": ""}, "wait_text is empty"),
        ({"wait_text": "Hmm"}, "waits is 0, so that it is never appended"),
        ({"thought_tokens": 0}, "thought_tokens is 0, wanted at least 1"),
        ({"thought_tokens": 8000}, r"less than max_tokens (8,000)"),
        ({"waits": 1, "template": "few-shot"}, "asks for no thought"),
    ],
)
def test_thoughts_that_cannot_be_forced(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        customise(get_protocol("orz"), ProtocolChanges(**changes))
    assert said in str(refused.value)


def test_every_template_with_a_thought_is_one() -> None:
    assert set(THOUGHTS) <= set(TEMPLATES)
    for name in ("orz-code", "orz-paper"):
        shown = TEMPLATES[name](Problem(benchmark="b", problem_id="p", question="?", gold="1", kind="math"), None)
        assert shown.endswith("<think>")
        assert THOUGHTS[name].close.lstrip().startswith(THOUGHTS[name].ends[0])
