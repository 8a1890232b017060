"""Log-probabilities of sampled tokens are those under the sampling distribution, as computed by the trainer."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Any

import pytest
import torch

from orz_bench.engines.engine import EngineSpec, Sampling
from orz_bench.errors import EngineError
from orz_bench.records.rollout import Completion, Request
from orz_rl.assets.resolve import TINY
from tests.support.builders import a_problem, a_request

pytestmark = [pytest.mark.real_model, pytest.mark.slow]

WHOLE = (Sampling(temperature=0.7, max_tokens=24), Sampling(temperature=1.0), Sampling(temperature=1.3, max_tokens=24))
CUT = (Sampling(temperature=0.7, top_p=0.9, max_tokens=24), Sampling(temperature=1.2, top_k=3, max_tokens=24))


def requests_for(spec: EngineSpec) -> list[Request]:
    from orz_bench.engines.tokenizer import load_tokenizer

    tokenizer = load_tokenizer(spec)
    assert tokenizer is not None
    prompt = tokenizer.encode("What is 3 + 4 + 5?\nAssistant: <think>")
    return [
        a_request(problem=a_problem(), sample_index=index, seed=100 + index, prompt_token_ids=prompt)
        for index in range(16)
    ]


def trained_logprobs(completions: Sequence[Completion], prompt: Sequence[int], temperature: float) -> list[Any]:
    """What the trainer computes: (R,) for each completion, and the whole distributions (R, V)."""
    from orz_rl.ppo.packed_forward import Pack, response_logits, response_logprobs
    from orz_rl.workers.model_loading import load_model
    from tests.unit.orz_rl.workers.test_model_rank import a_spec

    model = load_model(a_spec(TINY)).eval()
    pack = Pack.of([(prompt, completion.token_ids or ()) for completion in completions])
    with torch.no_grad():
        logprobs = response_logprobs(model, pack, temperature=temperature)
        whole = torch.log_softmax(response_logits(model, pack).float() / temperature, dim=-1)
    lengths = [completion.num_tokens for completion in completions]
    return list(zip(logprobs.split(lengths), whole.split(lengths), strict=True))


def kept_mass(whole: torch.Tensor, sampling: Sampling) -> torch.Tensor:
    """What top-k and top-p leave of each distribution, by the definition: the fewest most likely tokens."""
    kept = []
    for probabilities in whole.double().exp():
        ordered = sorted(probabilities.tolist(), reverse=True)
        count = len(ordered) if sampling.top_k < 0 else sampling.top_k
        while sum(ordered[: count - 1]) >= sampling.top_p:
            count -= 1
        kept.append(sum(ordered[:count]))
    return torch.tensor(kept, dtype=torch.float64)


@pytest.mark.parametrize("name", ["transformers", "vllm"])
def test_engines_report_what_the_trainer_computes_at_the_temperature(name: Any) -> None:
    from orz_bench.engines.local import open_trained

    spec = EngineSpec(name=name, checkpoint=str(TINY), dtype="float32", max_model_len=128, keep_tokens=True)
    requests = requests_for(spec)
    with closing(open_trained(spec)) as engine:
        drawn = {}
        for sampling in (*WHOLE, *CUT):
            found = [c for part in engine.generate(requests, sampling) for c in part]
            drawn[sampling] = sorted(found, key=lambda completion: completion.sample_index)
        with pytest.raises(EngineError, match="requested twice in one call"):
            list(engine.generate([*requests, requests[3]], WHOLE[0]))
    for sampling, completions in drawn.items():
        prompt = requests[0].prompt_token_ids or ()
        for completion, (logprobs, whole) in zip(
            completions, trained_logprobs(completions, prompt, sampling.temperature), strict=True
        ):
            excess = torch.tensor(completion.logprobs) - logprobs
            if sampling in WHOLE:
                assert float(excess.abs().max()) < 1e-3
            # The probability that was cut off went to the remaining tokens; ties may be cut off either way.
            assert torch.allclose(excess.double(), -kept_mass(whole, sampling).log(), atol=1e-3)
