"""Our engines as lm-eval's model: tokens at the border of context and continuation, windows, stops, memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orz_bench.engines.engine import Engine
from orz_bench.engines.tokenizer import load_tokenizer
from orz_bench.errors import EngineError
from orz_bench.evaluation.harness.model import Answers, HarnessModel
from tests.support.tiny_engine import TinyEngine
from tests.support.tiny_model import a_tiny_checkpoint

CONTEXT = 64


class Asked:
    """What lm-eval hands over: only `args` is looked at."""

    def __init__(self, *args: Any) -> None:
        self.args = args


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> TinyEngine:
    return TinyEngine(a_tiny_checkpoint(tmp_path_factory.mktemp("tiny"), context=CONTEXT))


def a_model(
    engine: TinyEngine, folder: Path, *, opened: Callable[[], Engine] | None = None, limit: int = CONTEXT
) -> HarnessModel:
    tokenizer = load_tokenizer(engine.spec)
    assert tokenizer is not None
    answers = Answers(folder / "answers.jsonl")
    return HarnessModel(opened or (lambda: engine), tokenizer, limit=limit, seed=1, answers=answers)


def plain(engine: TinyEngine, tokens: list[int], num_scored: int) -> float:
    """The log-likelihood of the last tokens of a text, from one pass over all of it."""
    logprobs = engine.reference_logprobs(tokens)
    places = range(len(tokens) - num_scored, len(tokens))
    return sum(float(logprobs[at - 1, tokens[at]]) for at in places)


def refuse() -> Engine:
    raise AssertionError("everything is known already")


def test_likelihoods_of_pairs_and_of_texts_without_context(engine: TinyEngine, tmp_path: Path) -> None:
    model = a_model(engine, tmp_path)
    pairs = [("What is it? ", "a dog"), ("What is it?", " a dog"), ("What is it?", " no"), ("", "alone"), ("x", "yz")]
    found = model.loglikelihood([Asked(*pair) for pair in pairs], disable_tqdm=True)
    for (context, continuation), (logprob, _) in zip(pairs, found, strict=True):
        tokens = [*([model.prefix_token_id] if not context else []), *model.tok_encode(context + continuation)]
        num = len(continuation) + len(context) - len(context.rstrip())
        assert logprob == pytest.approx(plain(engine, tokens, num), abs=1e-4)
    assert found[0] == found[1], "white space at the end of a context belongs to the continuation"
    again = a_model(engine, tmp_path, opened=refuse)
    assert again.loglikelihood([Asked(*pair) for pair in pairs], disable_tqdm=True) == found


def test_a_text_longer_than_the_context_is_scored_in_windows(engine: TinyEngine, tmp_path: Path) -> None:
    """Each token once, with the context of its window: the first of a window has one token before it."""
    text = "".join(chr(97 + (7 * at) % 26) for at in range(150))
    model = a_model(engine, tmp_path)
    (total,) = model.loglikelihood_rolling([Asked(text)])
    tokens = [model.prefix_token_id, *model.tok_encode(text)]
    windows = [(0, 64, 64), (64, 128, 64), (150 - 64, 150, 150 - 128)]
    wanted = sum(plain(engine, tokens[start : end + 1], num) for start, end, num in windows)
    assert total == pytest.approx(wanted, abs=1e-3)


def test_texts_end_before_their_stop_string_and_fit(engine: TinyEngine, tmp_path: Path) -> None:
    model = a_model(engine, tmp_path)
    greedy = {"until": [], "max_gen_toks": 12, "do_sample": False}
    (text,) = model.generate_until([Asked("a question", greedy)])
    assert 0 < len(text) <= 12
    stop = text[4:6]
    (cut,) = model.generate_until([Asked("a question", greedy | {"until": [stop]})])
    assert cut == text[: text.index(stop)]
    model.generate_until([Asked("b" * 300 + "a question", greedy)])
    assert model.num_cut == 1
    with pytest.raises(EngineError, match=r"room for 64 in all.*--max-tokens"):
        model.generate_until([Asked("x", greedy | {"max_gen_toks": 64})])


def test_repeats_are_drawn_anew_and_the_same_after_a_stop(engine: TinyEngine, tmp_path: Path) -> None:
    sampled = {"until": [], "max_gen_toks": 16, "do_sample": True, "temperature": 1.0}
    asked = [Asked("a question", sampled)] * 3
    texts = a_model(engine, tmp_path).generate_until(asked)
    assert len(set(texts)) == 3
    path = tmp_path / "answers.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[1][:20])
    assert a_model(engine, tmp_path).generate_until(asked) == texts, "the torn line and the last are drawn again"
    assert a_model(engine, tmp_path, opened=refuse).generate_until(asked) == texts


def test_a_begin_token_is_added_where_the_tokenizer_adds_it_and_never_twice(tmp_path: Path) -> None:
    class Opening:
        bos, eos, opening = "<s>", "</s>", "<s>"

        def encode(self, text: str) -> tuple[int, ...]:
            return tuple(
                {"<": 1, ">": 2}.get(char, ord(char)) for char in text.replace("<s>", "<").replace("</s>", ">")
            )

        def render_chat(self, messages: Any) -> str:
            return "".join(message["content"] for message in messages)

    model = HarnessModel(refuse, Opening(), limit=None, seed=0, answers=Answers(tmp_path / "answers.jsonl"))
    assert model.tok_encode("a") == model.tok_encode("<s>a") == [1, 97]
    assert model.tok_encode("a", add_special_tokens=False) == [97]
    assert (model.prefix_token_id, model.eot_token_id) == (1, 2)
    assert model.apply_chat_template([{"role": "user", "content": "hi"}]) == "hi"
    with pytest.raises(EngineError, match="begins the model's answer"):
        model.apply_chat_template([], add_generation_prompt=False)
