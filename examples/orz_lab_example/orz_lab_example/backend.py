"""A backend: a rehearsal, which samples with the fake engine, grades and writes a run, and trains nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from orz_bench.engines.engine import EngineSpec
from orz_bench.engines.fake import FakeEngine, FakeTokenizer
from orz_bench.environment import describe_environment
from orz_bench.errors import ConfigError
from orz_bench.grading.grader import Grader, Submission, grader_version
from orz_bench.records.rollout import Request, Rollout
from orz_bench.records.run_dir import RunDir
from orz_rl.backends.backend import Availability, Capabilities, Finding, Job
from orz_rl.config import TrainConfig
from orz_rl.rollout.collector import group_seeds
from orz_rl.rollout.problems import Prompt, make_prompts, problems_at, read_problems
from orz_rl.rollout.rewards import binary_reward
from orz_rl.training.progress import Observer, Outcome

_CAN = Capabilities(estimators=("gae",), devices=("cpu",), resumes=False, evaluates=False, keeps_tokens=False)


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """See orz_rl.backends.backend.Backend for every method."""

    name: str = "rehearsal"
    summary: str = "samples with the fake engine and trains nothing: an example"
    capabilities: Capabilities = _CAN

    def available(self) -> Availability:
        return Availability("1.0")

    def check(self, config: TrainConfig) -> Sequence[Finding]:
        if config.reward.function != "binary":
            return (Finding("reward.function", "only binary is known", is_error=True),)
        return (Finding("optim", "nothing is trained, so no optimiser runs", is_error=False),)

    def plan(self, config: TrainConfig) -> Mapping[str, str]:
        return {}

    def train(self, job: Job, observer: Observer) -> Outcome:
        from orz_rl.recipes.registry import as_yaml
        from orz_rl.training.step_metrics import sampled_row

        config, run = job.config, RunDir(job.out)
        if run.exists():
            raise ConfigError(f"{job.out}: a rehearsal does not resume; choose another --out.")
        problems = read_problems(config.data.source)
        prompts = make_prompts(problems, FakeTokenizer(), template=config.data.template, max_tokens=10**6).prompts
        facts = describe_environment() | {"backend": self.name}
        with run.lock():
            run.create(kind="train", command=job.command, seed=config.seed, environment=facts)
            run.write_config(as_yaml(config))
        with run.lock(), run.writing(stopped_event="stopped"), Grader(extractor=config.reward.extractor) as grader:
            for step in range(1, config.num_steps + 1):
                rows = _sample(prompts, config, grader=grader, step=step)
                with run.rollouts(step).lock():
                    run.rollouts(step).append(rows)
                run.append_metrics(row := sampled_row(step, rows))
                observer.stepped(row, config.num_steps)
        return Outcome(run, [], run.results())

    def export(self, run: RunDir, step: int, *, out: Path, model: Literal["policy", "critic"] = "policy") -> None:
        raise ConfigError(f"{run.path}: a rehearsal has no checkpoint; train with another backend.")


def _sample(prompts: Sequence[Prompt], config: TrainConfig, *, grader: Grader, step: int) -> list[Rollout]:
    count, size = config.rollout.num_problems, config.rollout.num_samples
    requests: dict[tuple[str, int], Request] = {}
    for index in problems_at(len(prompts), start=(step - 1) * count, count=count, seed=config.seed):
        seeds = group_seeds(config.seed, step=step, problem_id=prompts[index].problem.problem_id, count=size)
        prompt = prompts[index]
        group = Request.group(prompt.problem, prompt=prompt.text, prompt_token_ids=prompt.token_ids, seeds=seeds)
        requests |= {request.key: request for request in group}
    engine = FakeEngine(EngineSpec(name="fake", checkpoint=f"fake:{min(0.1 * step, 1)}"))
    found = [each for batch in engine.generate(requests.values(), config.rollout.sampling) for each in batch]
    asked = [requests[each.key].problem for each in found]
    grades = grader.grade(
        [
            Submission(gold=p.gold, kind=p.kind, num_choices=0, response=c.text)
            for p, c in zip(asked, found, strict=True)
        ]
    )
    rows = [
        Rollout.from_parts(
            request=requests[each.key], completion=each, grade=grade, step=step,
            grader_version=grader_version("math"), keep_tokens=False,
        )
        for each, grade in zip(found, grades, strict=True)
    ]  # fmt: skip
    return [replace(row, reward=binary_reward(row.verdict, row.stop_reason)) for row in rows]


BACKEND = Rehearsal()
