"""The token layer against plain loops over tokens, on runs that are written for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import analysis
from analysis.cli import app
from analysis.curves.build import build_study
from analysis.curves.token_layers import with_tokens
from analysis.figures.tokens import tokens_figure
from analysis.reading.load import load_path
from analysis.report.tokens_finding import tokens_finding
from analysis.tokens.layer import token_layer
from analysis.tokens.pieces import words_of
from analysis.tokens.shares import mean_by_rank, sums_by_rank
from analysis.tokens.step_tokens import StepTokens, step_tokens
from orz_bench.errors import DataError
from orz_bench.records.run_dir import RunDir
from tests.support.builders import a_rollout
from tests.support.token_runs import a_token_run

WORDS = {0: "<end>", 1: "wait", 2: "Ġso", 3: "7", 4: "Ġ", 5: "tower", 6: ".", 7: "Ġ1", 8: "2"}
TOKENIZER = {
    "added_tokens": [{"id": 0, "content": "<end>", "special": True}],
    "model": {"vocab": {text: number for number, text in WORDS.items() if number}},
    "decoder": {"type": "ByteLevel"},
}


def tokens_of(run: RunDir, step: int) -> list[tuple[float, float, int, int, float]]:
    """(entropy, advantage of its response, its length, its number) and 1 - p of every token, by plain loops."""
    return [
        (entropy, row.advantage or 0.0, row.num_tokens, number, 1 - float(np.exp(np.float64(logprob))))
        for number, row in enumerate(run.rollouts(step).rows())
        for entropy, logprob in zip(row.entropies or (), row.logprobs or (), strict=True)
    ]


@given(st.lists(st.tuples(st.integers(0, 4), st.floats(0, 10)), min_size=1, max_size=40), st.integers(1, 10))
def test_sums_by_rank_are_those_of_items_that_are_cut(items: list[tuple[int, float]], parts: int) -> None:
    """Each item is cut into `parts` pieces with the mean of its value's amounts: so many pieces are one part."""
    values, amounts = map(np.array, zip(*items, strict=True))
    mean = {value: float(amounts[values == value].mean()) for value in set(values.tolist())}
    pieces = [mean[value] / parts for value in sorted(values.tolist()) for _ in range(parts)]
    slow = [sum(pieces[part * len(items) : (part + 1) * len(items)]) for part in range(parts)]
    assert sums_by_rank(values, amounts, parts=parts).tolist() == pytest.approx(slow, abs=1e-9)
    assert sums_by_rank(values, amounts, parts=parts).sum() == pytest.approx(amounts.sum())


def test_means_by_rank() -> None:
    assert mean_by_rank(np.arange(20.0)).tolist() == [0.5 + 2 * part for part in range(10)]


@pytest.mark.parametrize("normalisation", ["token", "sequence", "constant"])
def test_the_update_is_that_of_a_plain_loop(tmp_path: Path, normalisation: str) -> None:
    run = a_token_run(tmp_path / "run", normalisation=normalisation)
    layer = token_layer(run.path)
    assert (layer.steps, layer.num_responses, layer.normalisation) == ((1, 2), 60, normalisation)
    tops = []
    for step in layer.steps:
        rows = tokens_of(run, step)
        weight = [(1 / length if normalisation == "sequence" else 1) * abs(a) * q for _, a, length, _, q in rows]
        order = sorted(range(len(rows)), key=lambda at: rows[at][0])
        by_value: dict[float, list[float]] = {}
        for at in order:
            by_value.setdefault(rows[at][0], []).append(weight[at])
        spread = [float(np.mean(found)) for found in by_value.values() for _ in found]
        cut = 0.8 * len(spread)
        top = sum(spread[int(cut) + 1 :]) + spread[int(cut)] * (int(cut) + 1 - cut)
        tops.append(top / sum(weight))
    assert layer.top_fifth.value == pytest.approx(np.mean(tops))
    assert layer.top_fifth.value == pytest.approx(sum(one.update.value for one in layer.entropies[-2:]))
    assert sum(one.update.value for one in layer.entropies) == pytest.approx(1)
    assert sum(one.advantage.value for one in layer.entropies) == pytest.approx(1)
    assert [one.entropy for one in layer.entropies] == sorted(one.entropy for one in layer.entropies)
    assert [one.length for one in layer.lengths] == sorted(one.length for one in layer.lengths)
    assert layer.top_fifth.low is not None


def test_the_gradient_of_the_logits_has_this_norm() -> None:
    """The L1 norm of grad log softmax(z)[a] is 2 (1 - p)."""
    logits = np.random.default_rng(0).normal(size=7)
    p = np.exp(logits) / np.exp(logits).sum()
    gradient = -p
    gradient[2] += 1
    tokens = StepTokens(
        step=1,
        lengths=np.array([1]),
        advantages=np.array([-3.0]),
        token_ids=np.array([2]),
        logprobs=np.log(p[[2]]),
        entropies=np.array([0.0]),
        num_left_out=0,
    )
    assert 2 * tokens.update("token")[0] == pytest.approx(3 * np.abs(gradient).sum())


def test_length_bias_of_sequence_weights(tmp_path: Path) -> None:
    """2503.20783: with 1 / length, a token of a long wrong response is pushed less than one of a short one."""
    runs = {name: a_token_run(tmp_path / name, normalisation=name, advantage=-1.0) for name in ("token", "sequence")}
    steps = {name: token_layer(run.path) for name, run in runs.items()}
    assert all(one.raising is None for layer in steps.values() for one in layer.lengths)
    lowering = {name: [one.lowering for one in layer.lengths] for name, layer in steps.items()}
    assert None not in (*lowering["token"], *lowering["sequence"])
    ratio = {name: float(found[0] or 0) / float(found[-1] or 1) for name, found in lowering.items()}
    assert ratio["sequence"] > 2 * ratio["token"]


@given(
    ids=st.lists(st.integers(0, 6), max_size=12),
    pieces=st.lists(
        st.sampled_from([b"", b" ", b" \n", b"a", b" ab", b"7", b"1.", b".", b"\xc3", b"\x00"]), min_size=7, max_size=7
    ),
)
def test_every_token_that_is_not_white_space_is_in_one_word(ids: list[int], pieces: list[bytes]) -> None:
    found = list(words_of(ids, dict(enumerate(pieces))))
    inside = [at for _, first, behind in found for at in range(first, behind)]
    assert inside == sorted(set(inside))
    assert {at for at, one in enumerate(ids) if pieces[one].strip()} <= set(inside)
    assert all(pieces[ids[first]].strip() and pieces[ids[behind - 1]].strip() for _, first, behind in found)


def test_a_response_without_a_word_has_none() -> None:
    assert list(words_of([0, 4, 0], {0: b"", 4: b" "})) == []
    assert list(words_of([], {})) == []


def test_words_of_a_byte_level_tokenizer(tmp_path: Path) -> None:
    folder = tmp_path / "tokenizer"
    folder.mkdir()
    (folder / "tokenizer.json").write_text(json.dumps(TOKENIZER), encoding="utf-8")
    ids = [1, 2, 4, 5, 6, 7, 8, 0] * 10
    run = a_token_run(
        tmp_path / "run",
        token_ids=ids,
        logprobs=[-1.0] * 80,
        entropies=[0.5, 0.25, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0] * 10,
        num_tokens=80,
    )
    words = {word.word: word for word in token_layer(run.path, tokenizer=folder).words}
    # `wait so  tower. 12`: the white space and the end are in no word, the next `wait` goes on behind the number
    assert set(words) == {"wait", "so", "tower", ".", "0-9"}
    assert words["tower"].entropy == 1
    assert words["0-9"].num == words["wait"].num == 2 * 30 * 10
    assert words["0-9"].tokens == pytest.approx(2 / 6)
    assert words["0-9"].update == pytest.approx(2 / 6)
    assert token_layer(run.path).words == ()


def test_rows_without_a_column_are_left_out_and_counted(tmp_path: Path) -> None:
    run = a_token_run(tmp_path / "run", steps=1)
    run.rollouts(1).append([a_rollout(sample_index=99, step=1)])
    found = step_tokens(1, run.rollouts(1))
    assert found is not None
    assert found.num_left_out == 1
    assert token_layer(run.path).num_left_out == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"entropies": None}, "rollouts.entropies=true"),
        ({"token_ids": None, "logprobs": None, "entropies": None}, "token ids"),
        ({"advantage": 0.0}, "every advantage of these steps is 0"),
        ({"rows": 3}, "wanted at least 20 and 1,000"),
        ({"normalisation": "mean"}, "loss.normalisation is 'mean'"),
        ({"steps": 0}, "has no rollouts of training"),
    ],
)
def test_errors(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    run = a_token_run(tmp_path / "run", **changes)
    with pytest.raises(DataError, match=message):
        token_layer(run.path)


def test_a_file_with_other_lengths_is_named(tmp_path: Path) -> None:
    run = a_token_run(tmp_path / "run", entropies=[0.5])
    with pytest.raises(DataError, match="not one for each token"):
        token_layer(run.path)


def test_no_tokenizer_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"not a readable tokenizer\.json"):
        token_layer(a_token_run(tmp_path / "run").path, tokenizer=tmp_path)


def test_from_python(tmp_path: Path) -> None:
    run = a_token_run(tmp_path / "run", steps=3)
    assert analysis.token_layer(str(run.path), steps=[3, 1]) == token_layer(run.path, steps=(1, 3))
    with pytest.raises(DataError, match="has no step 9"):
        analysis.token_layer(run.path, steps=[9])


def test_the_command_and_the_report(tmp_path: Path) -> None:
    run = a_token_run(tmp_path / "run", steps=3)
    done = CliRunner().invoke(
        app, ["tokens", str(run.path), "--steps", "1,3", "--out", str(tmp_path / "figures"), "--json"]
    )
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["steps"], len(found["entropies"])) == ([1, 3], 10)
    assert (tmp_path / "figures" / "tokens.csv").exists()
    shown = CliRunner().invoke(app, ["tokens", str(run.path)])
    assert "tenth of responses" in shown.output
    study = with_tokens(build_study(load_path(run.path)[0]))
    assert study.tokens is not None
    assert "highest entropy gets" in tokens_finding(study.tokens).headline
    assert len(tokens_figure({"run": study.tokens}).panels) == 3
    wrong = CliRunner().invoke(app, ["tokens", str(run.path), "--steps", "1,9"])
    assert (wrong.exit_code, "has no step 9" in " ".join(wrong.output.split())) == (2, True)
