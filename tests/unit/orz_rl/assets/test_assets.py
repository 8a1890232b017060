"""The embedded base model: small, loadable, mostly wrong, and most accurate where it rechecks."""

from __future__ import annotations

import random
from contextlib import closing

import pytest

from orz_bench.asking.protocol import ORZ_STOP
from orz_bench.asking.templates import TEMPLATES
from orz_bench.benchmarks.arithmetic import generate_sums
from orz_bench.engines.engine import EngineSpec, Sampling
from orz_bench.engines.registry import make_spec
from orz_bench.engines.tokenizer import load_tokenizer
from orz_bench.extraction.answers import extract_orz
from orz_bench.extraction.responses import count_reflections, keeps_format
from orz_bench.records.rollout import Completion, Problem, Request
from orz_rl.assets.demonstrations import MIX, demonstrate
from orz_rl.assets.resolve import TINY


def test_it_is_small_and_its_tokenizer_loses_nothing() -> None:
    from transformers import AutoTokenizer

    assert sum(file.stat().st_size for file in TINY.iterdir()) < 3_000_000
    tokenizer = AutoTokenizer.from_pretrained(TINY)
    problem = generate_sums(split="held_out", num_problems=1)[0]
    for text in (TEMPLATES["orz-code"](problem, None), "wait, é 漢 \\boxed{7} </answer>\n"):
        assert tokenizer.decode(tokenizer.encode(text)) == text
    assert len(tokenizer.encode(TEMPLATES["orz-code"](problem, None))) < 40


def test_demonstrations_are_as_the_mix_says() -> None:
    rng = random.Random(0)
    problems = generate_sums(split="train", num_problems=3000)
    texts = [demonstrate(problem, rng) for problem in problems]
    assert all(keeps_format(text) for text in texts)
    right = [extract_orz(text) == problem.gold for text, problem in zip(texts, problems, strict=True)]
    reflects = [count_reflections(text) > 0 for text in texts]
    shown = [is_right for is_right, style in zip(right, reflects, strict=True) if style]
    assert len(shown) / len(texts) == pytest.approx(MIX["reflection"].share, abs=0.03)
    assert sum(shown) / len(shown) == pytest.approx(MIX["reflection"].accuracy, abs=0.03)
    assert sum(style.share for style in MIX.values()) == pytest.approx(1.0)


@pytest.mark.real_model
def test_it_answers_mostly_wrong_but_mostly_right_where_it_rechecks() -> None:
    from orz_bench.engines.local import open_trained

    spec = make_spec(name="transformers", checkpoint=str(TINY), dtype="float32", batch_size=400, keep_tokens=True)
    problems = generate_sums(split="held_out", num_problems=100)
    with closing(open_trained(spec)) as engine:
        greedy = drawn(engine, spec, problems, temperature=0.0)
        sampled = drawn(engine, spec, problems * 4, temperature=1.0)
    gold = {problem.problem_id: problem.gold for problem in problems}
    assert accuracy(greedy, gold) <= 0.3
    assert 0.2 <= accuracy(sampled, gold) <= 0.34
    rechecked = [completion for completion in sampled if count_reflections(completion.text)]
    assert 0.12 <= len(rechecked) / len(sampled) <= 0.28
    assert accuracy(rechecked, gold) >= 0.8


def drawn(engine: object, spec: EngineSpec, problems: list[Problem], *, temperature: float) -> list[Completion]:
    tokenizer = load_tokenizer(spec)
    assert tokenizer is not None
    requests = []
    for index, problem in enumerate(problems):
        text = TEMPLATES["orz-code"](problem, tokenizer)
        ids = tokenizer.encode(text)
        requests.append(Request(problem=problem, sample_index=index, seed=index, prompt=text, prompt_token_ids=ids))
    sampling = Sampling(temperature=temperature, max_tokens=112, stop=ORZ_STOP)
    return [completion for part in engine.generate(requests, sampling) for completion in part]  # type: ignore[attr-defined]


def accuracy(completions: list[Completion], gold: dict[str, str]) -> float:
    return sum(extract_orz(c.text) == gold[c.problem_id] for c in completions) / len(completions)
