"""The transformers engine on a tiny random model: seeds, stops, limits, log-probabilities."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from orz_bench.engines.engine import EngineSpec, Sampling
from orz_bench.engines.registry import make_spec
from orz_bench.engines.tokenizer import load_tokenizer
from orz_bench.engines.transformers.engine import TransformersEngine
from orz_bench.errors import EngineError
from orz_bench.records.rollout import Completion, Request
from tests.support.builders import a_problem, a_request
from tests.support.tiny_model import a_tiny_checkpoint


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(a_tiny_checkpoint(tmp_path_factory.mktemp("tiny")))


def a_spec(checkpoint: str, **changes: Any) -> EngineSpec:
    facts: dict[str, Any] = {"checkpoint": checkpoint, "dtype": "float32", "batch_size": 4}
    return make_spec(name="transformers", **facts | changes)


def requests_for(checkpoint: str, prompts: list[str]) -> list[Request]:
    tokenizer = load_tokenizer(a_spec(checkpoint))
    assert tokenizer is not None
    return [
        a_request(problem=a_problem(problem_id=f"p{i}"), seed=i, prompt=text, prompt_token_ids=tokenizer.encode(text))
        for i, text in enumerate(prompts)
    ]


def drawn(spec: EngineSpec, requests: list[Request], **sampling: Any) -> list[Completion]:
    engine = TransformersEngine(spec)
    found = [c for some in engine.generate(requests, Sampling(**{"max_tokens": 24} | sampling)) for c in some]
    engine.close()
    return found


PROMPTS = ["What is 1 + 1?", "x", "A longer prompt than the others have, by far.", "What is 2?", "?"]


def test_equal_seeds_give_equal_samples_and_others_differ(checkpoint: str) -> None:
    requests = requests_for(checkpoint, PROMPTS)
    first, again = drawn(a_spec(checkpoint), requests), drawn(a_spec(checkpoint), requests)
    assert [c.text for c in first] == [c.text for c in again]
    others = drawn(a_spec(checkpoint), [replace(request, seed=request.seed + 100) for request in requests])
    assert all(one.text != other.text for one, other in zip(first, others, strict=True))


def test_a_sample_does_not_depend_on_the_rest_of_its_batch(checkpoint: str) -> None:
    """Up to rounding, which float32 and a tiny model keep from mattering."""
    requests = requests_for(checkpoint, PROMPTS)
    together = drawn(a_spec(checkpoint, batch_size=5), requests)
    alone = drawn(a_spec(checkpoint, batch_size=1), requests)
    assert [c.text for c in together] == [c.text for c in alone]


def test_greedy_is_the_models_own_argmax(checkpoint: str) -> None:
    from transformers import AutoModelForCausalLM

    (request,) = requests_for(checkpoint, PROMPTS[:1])
    (found,) = drawn(a_spec(checkpoint, keep_tokens=True), [request], temperature=0.0, max_tokens=8)
    model = AutoModelForCausalLM.from_pretrained(checkpoint)
    ids = list(request.prompt_token_ids or ())
    with torch.inference_mode():
        for token in found.token_ids or ():
            logits = model(torch.tensor([ids])).logits[0, -1]
            assert int(logits.argmax()) == token
            ids.append(token)


def test_logprobs_are_the_models_at_the_sampling_temperature(checkpoint: str) -> None:
    from transformers import AutoModelForCausalLM

    (request,) = requests_for(checkpoint, PROMPTS[:1])
    (found,) = drawn(a_spec(checkpoint, keep_tokens=True), [request], temperature=0.7)
    model = AutoModelForCausalLM.from_pretrained(checkpoint)
    prompt, tokens = list(request.prompt_token_ids or ()), list(found.token_ids or ())
    with torch.inference_mode():
        logits = model(torch.tensor([prompt + tokens])).logits[0, len(prompt) - 1 : -1]
    wanted = torch.log_softmax(logits / 0.7, dim=-1).gather(1, torch.tensor(tokens)[:, None])[:, 0]
    assert torch.allclose(torch.tensor(found.logprobs), wanted, atol=1e-4)


def test_samples_follow_the_models_distribution(checkpoint: str) -> None:
    from transformers import AutoModelForCausalLM

    (request,) = requests_for(checkpoint, ["What is"])
    many = [replace(request, seed=seed, sample_index=seed) for seed in range(3000)]
    found = drawn(a_spec(checkpoint, keep_tokens=True, batch_size=500), many, max_tokens=1)
    counts = torch.bincount(torch.tensor([(c.token_ids or (0,))[0] for c in found]), minlength=99).double()
    with torch.inference_mode():
        logits = AutoModelForCausalLM.from_pretrained(checkpoint)(torch.tensor([request.prompt_token_ids])).logits[
            0, -1
        ]
    expected = logits.double().softmax(dim=-1) * len(found)
    chi_square = float(((counts - expected) ** 2 / expected).sum())
    assert chi_square < 98 + 4 * (2 * 98) ** 0.5, "farther from the distribution than one in ten thousand"


def test_top_k_and_top_p_leave_the_rest_out(checkpoint: str) -> None:
    from transformers import AutoModelForCausalLM

    (request,) = requests_for(checkpoint, ["What is"])
    with torch.inference_mode():
        logits = AutoModelForCausalLM.from_pretrained(checkpoint)(torch.tensor([request.prompt_token_ids])).logits[
            0, -1
        ]
    order = logits.softmax(dim=-1).sort(descending=True)
    nucleus = int((order.values.cumsum(0) < 0.1).sum()) + 1
    many = [replace(request, seed=seed, sample_index=seed) for seed in range(300)]
    spec = a_spec(checkpoint, keep_tokens=True, batch_size=300)
    by_k = {(c.token_ids or (0,))[0] for c in drawn(spec, many, max_tokens=1, top_k=5)}
    by_p = {(c.token_ids or (0,))[0] for c in drawn(spec, many, max_tokens=1, top_p=0.1)}
    assert by_k == set(order.indices[:5].tolist())
    assert by_p == set(order.indices[:nucleus].tolist())


def test_a_stop_string_ends_the_text_and_stays_in_it(checkpoint: str) -> None:
    requests = requests_for(checkpoint, PROMPTS)
    free = drawn(a_spec(checkpoint), requests)
    stop = free[0].text[5:7]
    stopped = drawn(a_spec(checkpoint), requests, stop=(stop,))
    assert stopped[0].text == free[0].text[: free[0].text.index(stop) + 2]
    assert (stopped[0].stop_reason, stopped[0].num_tokens) == ("stop_string", len(stopped[0].text))
    for one, other in zip(stopped[1:], free[1:], strict=True):
        assert one.text == other.text or one.text.endswith(stop)


def test_each_row_has_the_room_that_its_prompt_leaves(checkpoint: str) -> None:
    requests = requests_for(checkpoint, PROMPTS)
    found = drawn(a_spec(checkpoint, max_model_len=50, batch_size=5), requests, max_tokens=200)
    for request, completion in zip(requests, found, strict=True):
        room = 50 - len(request.prompt_token_ids or ())
        assert completion.num_tokens == room or completion.stop_reason == "eos"


def test_a_tokenizer_without_pad_and_bos_works(tmp_path: Path) -> None:
    checkpoint = str(a_tiny_checkpoint(tmp_path, pad=False))
    assert len(drawn(a_spec(checkpoint), requests_for(checkpoint, PROMPTS))) == len(PROMPTS)


def test_a_model_that_cannot_be_loaded_is_reported(tmp_path: Path) -> None:
    a_tiny_checkpoint(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "no-such-model"}', encoding="utf-8")
    with pytest.raises(EngineError, match="transformers cannot load it"):
        TransformersEngine(a_spec(str(tmp_path)))


def test_a_request_has_a_limit_of_its_own(checkpoint: str) -> None:
    requests = requests_for(checkpoint, PROMPTS)
    whole = drawn(a_spec(checkpoint, keep_tokens=True), requests)
    limits = [3, None, 1, 99, 7]
    found = drawn(
        a_spec(checkpoint, keep_tokens=True),
        [replace(one, max_tokens=limit) for one, limit in zip(requests, limits, strict=True)],
    )
    for one, other, limit in zip(whole, found, limits, strict=True):
        assert list(other.token_ids or ()) == list(one.token_ids or ())[:limit]
        assert other.num_tokens <= min(24, limit or 24)


def test_a_response_goes_on_from_its_tokens(checkpoint: str) -> None:
    """What steering does: the prompt and the response so far are the prompt."""
    (request,) = requests_for(checkpoint, PROMPTS[:1])
    (whole,) = drawn(a_spec(checkpoint, keep_tokens=True), [request], temperature=0.0)
    ids = list(whole.token_ids or ())
    going = replace(request, prompt_token_ids=(*(request.prompt_token_ids or ()), *ids[:5]))
    (rest,) = drawn(a_spec(checkpoint, keep_tokens=True), [going], temperature=0.0)
    assert list(rest.token_ids or ())[: len(ids) - 5] == ids[5:]
