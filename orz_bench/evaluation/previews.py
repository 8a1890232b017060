"""Preview of an evaluation: prompts with their token ids, missing samples, expected duration; and which settings of a
checkpoint's generation_config are not applied.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from orz_bench.errors import counted
from orz_bench.evaluation.evaluate import Evaluation
from orz_bench.evaluation.questions import total_tokens
from orz_bench.records.regular import read_text
from orz_bench.records.rollout import Request
from orz_bench.records.run_dir import RunDir
from orz_bench.results.usage import shown_cost

_SHOWN_PROMPTS = 3
_SPEEDS = (100, 1_000, 10_000)
"""Tokens a second: a laptop, a small server, one large GPU."""
_GENERATION_NAMES = (
    "temperature", "top_p", "top_k", "min_p", "typical_p", "repetition_penalty", "presence_penalty",
    "frequency_penalty", "no_repeat_ngram_size", "max_new_tokens", "do_sample",
)  # fmt: skip


def preview(evaluation: Evaluation, requests: Sequence[Request], *, run: RunDir, price_out: float | None = None) -> str:
    """Readable text: the samples that the command would generate, and its first prompts as the model sees them.

    `price_out`: of a million new tokens.
    """
    card = evaluation.card
    max_tokens = card.selection["budget"] if card.selection else card.sampling.max_tokens
    folder = run.evaluation(benchmark=card.benchmark, step=evaluation.model.step, fingerprint=card.fingerprint)
    done = folder.keys() if folder.protocol_path.exists() else set()
    missing = [request for request in requests if request.key not in done]
    lengths = [len(one.prompt_token_ids) if one.prompt_token_ids is not None else None for one in missing]
    lines = [
        f"{card.benchmark} step {evaluation.model.step}: {len(missing):,} of {counted(len(requests), 'sample')} to "
        f"generate ({counted(len(evaluation.problems), 'question')} x {evaluation.n}) into {folder.path}",
        f"  {total_tokens(lengths, max_tokens=max_tokens)}: {duration(len(missing) * max_tokens)}",
    ]
    if price_out is not None:
        cost = shown_cost({"cost": len(missing) * max_tokens * price_out / 1e6})
        lines.append(f"  cost: at most {cost} for new tokens, and that of the prompts")
    lines += [f"  {name}: {value}" for name, value in card.to_json().items()]
    first = list({request.problem.problem_id: request for request in requests}.values())[:_SHOWN_PROMPTS]
    for request in first:
        lines += [f"--- {request.problem.problem_id}, gold {request.problem.gold}", request.prompt]
        ids = request.prompt_token_ids
        lines.append("token ids: known to the server alone" if ids is None else f"{len(ids)} token ids: {list(ids)}")
    return "\n".join(lines)


def duration(num_tokens: int) -> str:
    """`at most 2.2 h at 1,000 tokens/s`, for several speeds."""
    hours = [(speed, num_tokens / speed / 3600) for speed in _SPEEDS]
    return "at most " + ", ".join(f"{taken:,.2g} h at {speed:,} tokens/s" for speed, taken in hours)


def generation_config_note(checkpoint: str) -> str | None:
    """Settings in the checkpoint's generation_config that the protocol overrides; None if there are none."""
    try:
        found = json.loads(read_text(Path(checkpoint) / "generation_config.json"))
    except (OSError, ValueError, RecursionError):
        return None
    settings = {
        name: found[name] for name in _GENERATION_NAMES if isinstance(found, dict) and found.get(name) is not None
    }
    if not settings:
        return None
    values = ", ".join(f"{name} {value}" for name, value in settings.items())
    return f"generation_config.json says {values}: not applied, the protocol and its options decide"
