"""Broken models end before anything is stored: missing, extra and misshapen tensors, NaN, unknown ids."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from orz_bench.engines.engine import EngineSpec, LikelihoodRequest, Sampling
from orz_bench.engines.soundness import refuse_strays, require_whole_files, unknown_ids
from orz_bench.engines.tokenizer import load_tokenizer
from orz_bench.engines.transformers.engine import TransformersEngine
from orz_bench.errors import EngineError, OrzError
from tests.support.builders import a_problem, a_request
from tests.support.tiny_model import a_tiny_checkpoint

Tensors = dict[str, Any]
UP, HEAD = "model.layers.1.mlp.up_proj.weight", "lm_head.weight"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_tiny_checkpoint(tmp_path_factory.mktemp("good"))


def variant(good: Path, folder: Path, *, change: Callable[[Tensors], object] = id, **config: Any) -> str:
    shutil.copytree(good, folder, dirs_exist_ok=True)
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    content = json.loads((folder / "config.json").read_text(encoding="utf-8")) | config
    (folder / "config.json").write_text(json.dumps(content), encoding="utf-8")
    return str(folder)


def padded(rows: int) -> Callable[[Tensors], object]:
    def change(tensors: Tensors) -> None:
        for name in (HEAD, "model.embed_tokens.weight"):
            found = tensors[name]
            more = torch.randn(rows - found.shape[0], found.shape[1], generator=torch.Generator().manual_seed(0))
            tensors[name] = torch.cat([found, more])

    return change


def without(name: str) -> Callable[[Tensors], object]:
    return lambda tensors: tensors.pop(name)


def opened(checkpoint: str) -> TransformersEngine:
    return TransformersEngine(EngineSpec(name="transformers", checkpoint=checkpoint, dtype="float32", keep_tokens=True))


BROKEN: dict[str, tuple[Callable[[Tensors], object], dict[str, Any], str]] = {
    "missing": (lambda t: t.pop(UP), {}, f"1 tensor missing: {UP}"),
    "no head": (lambda t: t.pop(HEAD), {}, f"1 tensor missing: {HEAD}"),
    "extra": (
        lambda t: t.update({"score.weight": torch.zeros(1, 64)}),
        {},
        "1 tensor not part of this model: score.weight",
    ),
    "shape": (lambda t: t.update({UP: torch.zeros(90, 64)}), {}, r"found \(90, 64\), wanted \(96, 64\)"),
    "layers": (id, {"num_hidden_layers": 1}, "9 tensors not part of this model"),
    "more layers": (id, {"num_hidden_layers": 3}, "9 tensors missing"),
}


@pytest.mark.parametrize(("change", "config", "what"), BROKEN.values(), ids=BROKEN.keys())
def test_weights_of_another_model(
    good: Path, tmp_path: Path, change: Callable[[Tensors], object], config: dict[str, Any], what: str
) -> None:
    checkpoint = variant(good, tmp_path, change=change, **config)
    for look in (opened, require_whole_files):
        with pytest.raises(EngineError, match=f"the checkpoint is broken.*{what}"):
            look(checkpoint)


def test_every_single_missing_tensor_is_found(good: Path, tmp_path: Path) -> None:
    for number, name in enumerate(load_file(good / "model.safetensors")):
        checkpoint = variant(good, tmp_path / str(number), change=without(name))
        with pytest.raises(EngineError, match=f"missing: {name}"):
            require_whole_files(checkpoint)


@pytest.mark.parametrize("is_tied", [True, False])
def test_tied_weights_and_old_buffers_are_fine(good: Path, tmp_path: Path, is_tied: bool) -> None:
    def change(tensors: Tensors) -> None:
        tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.zeros(16)
        if is_tied:
            tensors.pop(HEAD)

    checkpoint = variant(good, tmp_path, change=change, tie_word_embeddings=is_tied)
    require_whole_files(checkpoint)
    opened(checkpoint).close()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_outputs_that_are_not_finite(good: Path, tmp_path: Path, value: float, temperature: float) -> None:
    engine = opened(variant(good, tmp_path, change=lambda tensors: tensors[UP][0].fill_(value)))
    with pytest.raises(EngineError, match="the checkpoint is broken: the model's outputs are not finite"):
        next(engine.generate([a_request()], Sampling(temperature=temperature, max_tokens=4)))
    question = LikelihoodRequest(key=("a", 0), context=(3, 4), continuations=((5,), (6, 7)))
    with pytest.raises(EngineError, match="not finite"):
        next(engine.loglikelihood([question]))


def test_a_later_nan_ends_too(good: Path, tmp_path: Path) -> None:
    """The first token sampled has a broken embedding, so the second logits are the first that are NaN."""
    engine = opened(str(good))
    request = a_request(prompt_token_ids=(40, 41, 42))
    (found,) = next(engine.generate([request], Sampling(temperature=0, max_tokens=1)))
    (token,) = found.token_ids or ()
    broken = opened(
        variant(good, tmp_path, change=lambda tensors: tensors["model.embed_tokens.weight"][token].fill_(float("nan")))
    )
    next(broken.generate([request], Sampling(temperature=0, max_tokens=1)))
    with pytest.raises(EngineError, match="not finite"):
        next(broken.generate([request], Sampling(temperature=0, max_tokens=2)))


def test_ids_of_the_padding_are_never_sampled(good: Path, tmp_path: Path) -> None:
    """Its random rows are the most likely ones; log-probabilities are those of the distribution over the other ids."""
    engine = opened(variant(good, tmp_path, change=padded(128), vocab_size=128))
    requests = [a_request(problem=a_problem(problem_id=f"p{i}"), seed=i) for i in range(20)]
    for temperature in (0.0, 1.0):
        found = list(engine.generate(requests, Sampling(temperature=temperature, max_tokens=8)))
        drawn = [completion for block in found for completion in block]
        assert all(token < 99 for completion in drawn for token in completion.token_ids or ())
        assert all(completion.text or completion.num_tokens == 1 for completion in drawn)
    first = next(engine.generate(requests[:1], Sampling(temperature=0, max_tokens=1)))[0]
    from transformers import AutoModelForCausalLM

    with torch.inference_mode():
        logits = AutoModelForCausalLM.from_pretrained(tmp_path)(torch.tensor([requests[0].prompt_token_ids])).logits
    (token,) = first.token_ids or ()
    assert int(logits[0, -1].argmax()) >= 99, "the test means something"
    assert first.logprobs == pytest.approx([logits[0, -1, :99].log_softmax(-1)[token].item()], abs=1e-4)


def test_a_tokenizer_of_another_model(good: Path, tmp_path: Path) -> None:
    checkpoint = variant(good, tmp_path, change=padded(4096), vocab_size=4096)
    with pytest.raises(EngineError, match="the tokenizer knows 99 of the 4,096 ids of the model"):
        opened(checkpoint)


@pytest.mark.parametrize(
    ("known", "rows"), [(151_665, 151_936), (151_665, 152_064), (32_011, 32_064), (100_015, 102_400)]
)
def test_the_padding_of_published_models_is_fine(known: int, rows: int) -> None:
    class Vocabulary:
        def get_vocab(self) -> dict[str, int]:
            return {str(token): token for token in range(known)}

    assert unknown_ids(Vocabulary(), rows=rows, checkpoint="m") == list(range(known, rows))


def test_prompt_ids_beyond_the_embedding(good: Path, tmp_path: Path) -> None:
    def cut(tensors: Tensors) -> None:
        for name in (HEAD, "model.embed_tokens.weight"):
            tensors[name] = tensors[name][:40].clone()

    checkpoint = variant(good, tmp_path, change=cut, vocab_size=40)
    tokenizer = load_tokenizer(EngineSpec(name="transformers", checkpoint=checkpoint))
    assert tokenizer is not None
    with pytest.raises(OrzError, match="a prompt has the token id 84, but the model's embedding has 40 rows"):
        tokenizer.encode("+1q")
    engine = opened(checkpoint)
    with pytest.raises(EngineError, match="a prompt has the token id 40"):
        next(engine.generate([a_request(prompt_token_ids=(3, 40))], Sampling(max_tokens=1)))
    with pytest.raises(EngineError, match="a prompt has the token id 40"):
        next(engine.loglikelihood([LikelihoodRequest(key=("a", 0), context=(3,), continuations=((40,),))]))


def test_weights_that_vllm_would_load_besides(good: Path, tmp_path: Path) -> None:
    checkpoint = variant(good, tmp_path)
    refuse_strays(checkpoint)
    shutil.copyfile(tmp_path / "model.safetensors", tmp_path / "old.safetensors")
    with pytest.raises(EngineError, match=r"vllm would also load old\.safetensors"):
        refuse_strays(checkpoint)
