"""Small random models of many architectures with a byte tokenizer, and what an engine should make of them.

Sliding windows are shorter than the prompts and weights are large, so that attention, windows and caches move logits.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orz_bench.engines.engine import EngineSpec, LikelihoodRequest, Sampling
from orz_bench.engines.local import open_local
from orz_bench.errors import OrzError
from orz_bench.records.rollout import Completion
from tests.support.builders import a_problem, a_request

ARCHITECTURES = ("llama", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text", "phi3", "mistral", "olmo2", "gpt2")
TOLERANCES = {"float32": 2e-3, "float16": 0.06, "bfloat16": 0.4}
"""Of a log-probability: what rounding in that type makes of these models."""
TEMPLATE = "{% for message in messages %}<{{ message['role'] }}>{{ message['content'] }}{% endfor %}<assistant>"
CONTINUATIONS = ((5, 6, 7), (70,))
PROMPTS = ("What is 17 + 25? Think first, then answer.", "x", "Two and two make four, as everybody knows.")
_VOCABULARY = 320
"""Rows of the embedding; the tokenizer has a text for 257, and for one more where a class adds its own end token."""
_WIDTH, _WINDOW = 128, 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One model under one engine."""

    architecture: str
    dtype: str
    is_tied: bool = False
    is_sharded: bool = False
    has_template: bool = True

    @property
    def name(self) -> str:
        """Such as `llama bfloat16 tied sharded`."""
        flags = [word for word, holds in (("tied", self.is_tied), ("sharded", self.is_sharded)) if holds]
        flags += [] if self.has_template else ["no template"]
        return " ".join([self.architecture, self.dtype, *flags])


def a_model(folder: Path, cell: Cell) -> Path:
    """Write it, in its type."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    _byte_tokenizer(folder, template=TEMPLATE if cell.has_template else None)
    torch.manual_seed(0)
    config = AutoConfig.for_model(cell.architecture, **_settings(cell))
    model = AutoModelForCausalLM.from_config(config).to(getattr(torch, cell.dtype))
    model.save_pretrained(folder, max_shard_size="300KB" if cell.is_sharded else "1GB")
    return folder


@dataclass(frozen=True, slots=True)
class Reported:
    """What an engine says of a model: completions at temperature 0 and at 1, and log-likelihoods of continuations."""

    greedy: list[Completion]
    sampled: list[Completion]
    likelihoods: tuple[float, ...]


def outcome(folder: Path, cell: Cell, *, engine: str) -> str:
    """`right, 0.0004` with the largest error of a log-probability; `refused: REASON`; or `WRONG: ...`."""
    return compared(reported(folder, cell, engine=engine), folder, cell=cell)


def reported(folder: Path, cell: Cell, *, engine: str) -> Reported | str:
    """What the engine says, or `refused: REASON`."""
    name: Any = engine
    spec = EngineSpec(name=name, checkpoint=str(folder), dtype=cell.dtype, keep_tokens=True, max_model_len=128)
    try:
        opened: Any = open_local(spec)
    except OrzError as error:
        return f"refused: {str(error).removeprefix(f'{folder}: ')}"
    prompts = _prompts(folder)
    requests = [
        a_request(problem=a_problem(problem_id=f"p{i}"), seed=i, prompt_token_ids=prompt)
        for i, prompt in enumerate(prompts)
    ]
    try:
        greedy, sampled = (
            [one for block in opened.generate(requests, Sampling(temperature=t, max_tokens=12)) for one in block]
            for t in (0.0, 1.0)
        )
        question = LikelihoodRequest(key=("q", 0), context=prompts[0], continuations=CONTINUATIONS)
        ((answer,),) = list(opened.loglikelihood([question]))
    finally:
        opened.close()
    return Reported(greedy, sampled, answer.logprobs)


def compared(found: Reported | str, folder: Path, *, cell: Cell) -> str:
    """Against a plain forward; in a process that vLLM was never in, because it changes classes of transformers."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if isinstance(found, str):
        return found
    prompts, num_known = _prompts(folder), len(AutoTokenizer.from_pretrained(folder).get_vocab())
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, cell.dtype), attn_implementation="eager")

    def logprobs(ids: list[int]) -> Any:
        with torch.inference_mode():
            return model(torch.tensor([ids]), use_cache=False).logits[0].float().log_softmax(-1)

    worst = below_best = 0.0
    for completion in found.greedy + found.sampled:
        prompt, tokens = list(prompts[int(completion.problem_id[1:])]), list(completion.token_ids or ())
        # Of what can be drawn: ids without text are left out.
        rows = logprobs(prompt + tokens)[len(prompt) - 1 : -1, :num_known].log_softmax(-1)
        wanted = rows.gather(1, torch.tensor(tokens)[:, None])[:, 0]
        worst = max(worst, float((wanted - torch.tensor(completion.logprobs)).abs().max()))
        if completion in found.greedy:
            below_best = max(below_best, float((rows.amax(-1) - wanted).max()))
    for continuation, likelihood in zip(CONTINUATIONS, found.likelihoods, strict=True):
        rows = logprobs([*prompts[0], *continuation])[len(prompts[0]) - 1 : -1]
        wanted = rows.gather(1, torch.tensor(continuation)[:, None])
        worst = max(worst, abs(likelihood - float(wanted.sum())) / len(continuation))
    if max(worst, below_best) > TOLERANCES[cell.dtype]:
        return f"WRONG: log-probabilities differ by {worst:.3g}, greedy tokens are {below_best:.3g} below the best"
    return f"right, {max(worst, below_best):.2g}"


def _prompts(folder: Path) -> list[tuple[int, ...]]:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    return [tuple(tokenizer.encode(text, add_special_tokens=False)) for text in PROMPTS]


def _byte_tokenizer(folder: Path, *, template: str | None) -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {"<end>": 0} | {char: index for index, char in enumerate(alphabet, start=1)}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>", pad_token="<end>")
    wrapped.chat_template = template
    wrapped.save_pretrained(folder)
    # A native class would bring its own vocabulary, so the file says that this is a plain one.
    path = folder / "tokenizer_config.json"
    content = json.loads(path.read_text(encoding="utf-8")) | {"tokenizer_class": "PreTrainedTokenizerFast"}
    path.write_text(json.dumps(content), encoding="utf-8")


def _settings(cell: Cell) -> dict[str, Any]:
    ids = {"bos_token_id": None, "eos_token_id": 0, "pad_token_id": 0}
    shared = {"vocab_size": _VOCABULARY, "tie_word_embeddings": cell.is_tied, "initializer_range": 0.1, **ids}
    if cell.architecture == "gpt2":
        return shared | {"n_embd": _WIDTH, "n_layer": 2, "n_head": 2, "n_positions": 256}
    sizes: dict[str, int | float] = {
        "hidden_size": _WIDTH,
        "intermediate_size": 192,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
    }
    sizes |= {"num_key_value_heads": 2, "max_position_embeddings": 256, "head_dim": 32}
    has_window = cell.architecture in ("gemma2", "gemma3_text", "mistral", "phi3")
    sizes |= {"attn_logit_softcapping": 0.5} if cell.architecture == "gemma2" else {}
    return shared | sizes | ({"sliding_window": _WINDOW} if has_window else {})
