"""Run directories made up for tests, written by the product's own writers: a_run(tmp_path / "x", num_steps=3)."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from orz_bench.records.rollout import Rollout
from orz_bench.records.run_dir import RunDir
from orz_bench.records.summary import EvalResult
from orz_bench.results.statistics import ScoredSample, summarise
from tests.support.builders import a_result, a_rollout

CONFIG: Mapping[str, Any] = {
    "data": {"source": ["arithmetic"], "limit": 4096, "language": "any"},
    "rollout": {"num_problems": 4, "num_samples": 4, "temperature": 1.0, "top_p": 1.0},
    "advantage": {"estimator": "gae", "gamma": 1.0, "lam": 1.0},
    "reward": {"control": "none"},
    "loss": {"kl_loss": 0.0, "kl_penalty": 0.0},
    "optim": {"policy_lr": 0.001, "policy_updates": 1, "critic_updates": 4},
    "logging": {"tensorboard": True},
    "seed": 42,
    "num_steps": 6,
}
REFLECTING = "first guess, wait, recheck, so 2 </think> <answer> \\boxed{2} </answer>"
PLAIN = "easy </think> <answer> \\boxed{2} </answer>"


def some_rollouts(step: int, *, seed: int = 0, problems: int = 4, samples: int = 4) -> list[Rollout]:
    """A step's rollouts: with every step more of them reflect and are right; some are cut."""
    rng = random.Random(f"{seed}-{step}")
    found = []
    for problem in range(problems):
        for sample in range(samples):
            reflects = rng.random() < 0.1 * step
            right = rng.random() < (0.9 if reflects else 0.3)
            clipped = not right and rng.random() < 0.2
            text = REFLECTING if reflects else PLAIN
            found.append(
                a_rollout(
                    problem_id=f"p{step}-{problem}",
                    sample_index=sample,
                    step=step,
                    completion=text[:20] if clipped else text,
                    num_tokens=len(text) + rng.randrange(5),
                    stop_reason="length" if clipped else "stop_string",
                    extracted=None if clipped else "2",
                    verdict="correct" if right else "no_answer" if clipped else "wrong",
                    reward=float(right),
                )
            )
    return found


def a_run(folder: Path, *, num_steps: int = 6, seed: int = 42, changes: Mapping[str, Any] | None = None) -> RunDir:
    """A finished training run with rollouts, metrics and two evaluations. `changes`: {"advantage.lam": 0.95}."""
    run = RunDir(folder)
    run.create(kind="train", command=["orz-rl", "train"], seed=seed, environment={})
    run.write_config(yaml.safe_dump(changed(CONFIG, {"seed": seed, "num_steps": num_steps} | dict(changes or {}))))
    rows = []
    for step in range(1, num_steps + 1):
        rollouts = some_rollouts(step, seed=seed)
        run.rollouts(step).path.mkdir(parents=True)
        run.rollouts(step).append(rollouts[: len(rollouts) // 2])
        run.rollouts(step).append(rollouts[len(rollouts) // 2 :])
        rows.append(_metrics(step, rollouts))
    run.metrics_path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    for step in (0, num_steps):
        add_evaluation(run, step=step, seed=seed)
    run.add_event("warning", step=2, sign="clip_rate", text="responses are cut")
    run.mark("DONE")
    return run


def add_evaluation(run: RunDir, *, step: int, seed: int = 0, fingerprint: str = "0123456789ab") -> EvalResult:
    """A finished evaluation of that step."""
    directory = run.evaluation(benchmark="arithmetic", step=step, fingerprint=fingerprint)
    directory.path.mkdir(parents=True)
    rollouts = some_rollouts(step, seed=seed + 1, problems=10)
    rollouts = [
        a_rollout(**_fields(row) | {"reward": None, "problem_id": row.problem_id.partition("-")[2]}) for row in rollouts
    ]
    directory.append(rollouts)
    summary = summarise(map(_scored, rollouts), second_extractor="boxed")
    card = {"benchmark": "arithmetic", "template": "orz-code", "temperature": 1.0}
    result = a_result(run=str(run.path), step=step, fingerprint=fingerprint, summary=summary, protocol=card)
    directory.protocol_path.write_text(json.dumps(card), encoding="utf-8")
    directory.write_result(result)
    return result


def changed(tree: Mapping[str, Any], leaves: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a nested tree with other values at dotted names."""
    copy: dict[str, Any] = json.loads(json.dumps(tree))
    for name, value in leaves.items():
        *sections, leaf = name.split(".")
        at = copy
        for section in sections:
            at = at[section]
        at[leaf] = value
    return copy


def _fields(row: Rollout) -> dict[str, Any]:
    return {name: getattr(row, name) for name in Rollout.__dataclass_fields__}


def _scored(row: Rollout) -> ScoredSample:
    return ScoredSample(
        problem_id=row.problem_id,
        sample_index=row.sample_index,
        verdict=row.verdict,
        second_verdict=row.second_verdict,
        extracted=row.extracted,
        stop_reason=row.stop_reason,
        num_tokens=row.num_tokens,
        completion_hash=row.completion,
    )


def _metrics(step: int, rollouts: Sequence[Rollout]) -> dict[str, float]:
    size = len(rollouts)
    return {
        "step": step,
        "reward/mean": sum(row.reward or 0 for row in rollouts) / size,
        "accuracy/mean": sum(row.verdict == "correct" for row in rollouts) / size,
        "response/length_mean": sum(row.num_tokens for row in rollouts) / size,
        "response/clip_rate": sum(row.stop_reason == "length" for row in rollouts) / size,
        "reflection/rate": sum("wait," in row.completion for row in rollouts) / size,
        "format/adherence": sum(row.completion.endswith("</answer>") for row in rollouts) / size,
        "policy/entropy": 1.0 / step,
    }
