"""Files of trainings by other trainers, made up in the shape in which those write them, and what a run got of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

import pandas as pd

from orz_bench.records.run_dir import RunDir
from orz_rl.backends.following.follow import Followed, Follower

VERL_PROMPT = "system\nYou are helpful.\nuser\nWhat is {0} + {0}?\nassistant\n"


def verl_values(step: int) -> dict[str, float]:
    return {
        "critic/score/mean": step / 10,
        "response_length/mean": 100.0 + step + 50 * (step > 35),
        "actor/entropy": 0.5,
        "training/global_step": step,
    }


def verl_line(step: int, **changes: float) -> str:
    """A console line behind a colour and Ray's prefix."""
    values = verl_values(step) | changes
    listed = " - ".join(f"{name}:{value!r}" for name, value in values.items())
    return f"\x1b[36m(TaskRunner pid=17)\x1b[0m step:{step} - {listed}\n"


def verl_file_row(step: int, **changes: float) -> str:
    return json.dumps({"step": step, "data": verl_values(step) | changes}) + "\n"


def verl_dump(step: int, *, num_problems: int = 2, num_samples: int = 2, **changes: Any) -> str:
    """A rollout dump: rows of one prompt are not adjacent."""
    rows = [
        {
            "input": VERL_PROMPT.format(problem),
            "output": f"step {step}, sample {sample}: {2 * problem}",
            "gts": str(2 * problem),
            "score": float(sample % 2),
            "step": step,
            "acc": bool(sample % 2),
            "pred": str(2 * problem),
            "request_id": f"r{sample}",
        }
        | changes
        for sample in range(num_samples)
        for problem in range(num_problems)
    ]
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def trl_entry(step: int, **changes: Any) -> dict[str, Any]:
    """An entry of log_history."""
    values = {"reward": step / 10, "completions/mean_length": 50.123456 + step, "kl": 0.001, "loss": 0.1}
    return {"epoch": 0.5, "step": step} | values | changes


def trl_state(steps: Iterable[int], *more: dict[str, Any]) -> str:
    return json.dumps({"global_step": 0, "log_history": [*map(trl_entry, steps), *more]}, indent=2)


def trl_bar(step: int, total: int = 9) -> str:
    return f"\r {100 * step // total:3d}%|███▌      | {step}/{total} [00:0{step}<00:10,  1.00s/it]"


def trl_line(step: int, **changes: Any) -> str:
    """What the console gets for a step: a bar that is one step old, a dictionary of texts with four digits, its bar."""
    entry = trl_entry(step, **changes)
    shown = {name: f"{value:.4g}" if isinstance(value, float) else value for name, value in entry.items()}
    del shown["step"]
    return f"{trl_bar(step - 1)}\r{' ' * 40}\r{shown}\n{trl_bar(step)}"


def write_completions(path: Path, step: int, **columns: Sequence[Any]) -> None:
    """A file of TRL's completions, as pandas writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    facts: dict[str, Any] = {
        "step": [step] * 4,
        "prompt": ["What is 1 + 1?", "What is 1 + 1?", "What is 2 + 2?", "What is 2 + 2?"],
        "completion": [f"step {step}: {number}" for number in range(4)],
        "accuracy_reward": [1.0, 0.0, 0.0, 1.0],
        "advantage": [0.7, -0.7, -0.7, 0.7],
    }
    pd.DataFrame(facts | columns).to_parquet(path)


def an_episode(step: int, number: int = 0, **changes: Any) -> dict[str, Any]:
    """An episode of prime-rl: one trace of one turn."""
    trace = {
        "id": f"t{step}-{number}",
        "agent": {"name": "agent", "trainable": True},
        "nodes": [
            {"message": {"role": "system", "content": "Be brief."}, "token_ids": [1, 2], "mask": [False, False]},
            {"parent": 0, "message": {"role": "user", "content": "What is 1 + 1?"}, "token_ids": [3], "mask": [False]},
            {
                "parent": 1,
                "sampled": True,
                "message": {"role": "assistant", "content": f"step {step}: {number}"},
                "token_ids": [4, 5, 6],
                "mask": [False, True, True],
                "logprobs": [-0.5, -0.25],
            },
        ],
        "calls": [{"node": 2, "finish_reason": "stop", "usage": {"prompt_tokens": 4, "completion_tokens": 2}}],
        "rewards": {"correct_answer": {"score": float(number % 2), "weight": 2.0}},
        "metrics": {"num_turns": 1.0},
        "is_completed": True,
        "ok": True,
        "stop_condition": "agent_completed",
    }
    task = {"type": "Task", "data": {"idx": number, "prompt": "What is 1 + 1?", "answer": "2"}}
    run = {"type": "train", "id": "r", "work": {"type": "train", "step": step, "policy": {"start": step, "end": step}}}
    episode = {"id": f"e{step}-{number}", "env": {"id": "sums", "name": "sums"}, "group": {"id": "g"}}
    return episode | {"task": task, "run": run, "ok": True, "traces": [trace]} | changes


def prime_rows(step: int, writer: str) -> str:
    """The rows that the trainer or the orchestrator writes for a step."""
    rows: list[dict[str, Any]] = [{"train/agg/effective/agent/reward/mean": step / 10, "time/step": 1.0, "step": step}]
    if writer == "trainer":
        rows = [{"optim/lr": 0.1, "step": step}, {"entropy/all/mean": 0.5}, {"time/step": 2.0}]
    return "".join(json.dumps({"step": step, "time": 1.5} | row) + "\n" for row in rows)


def write(path: Path, text: str | bytes, *, mode: str = "a") -> None:
    """Write to a file of a folder that may not be there yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = text.encode() if isinstance(text, str) else text
    with path.open(f"{mode}b") as file:
        file.write(content)


class Watched:
    """A training that is followed round by round, without waiting."""

    def __init__(self, tool: str, folder: Path, out: Path, **options: Any) -> None:
        self.followed = Followed(tool=tool, path=folder, **options)
        self.run = RunDir(out)
        self.run.create(kind="train", command=[], seed=0, environment={})
        self.notices: list[str] = []
        self._start()

    def restart(self) -> None:
        """Forget everything, as a process that was killed does."""
        self._follower.close()
        self._start()

    def _start(self) -> None:
        self._follower = Follower(self.followed, self.run, grader=None, notice=self.notices.append)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._follower.close()

    def rounds(self, number: int = 1, *, is_last: bool = False) -> Self:
        """Look so many times; a dump is taken in the second round that sees it."""
        for _ in range(number):
            self.progress = self._follower.round(is_last=is_last)
        return self

    def steps(self) -> list[int]:
        return [row["step"] for row in self.run.metrics()[0]]

    def curve(self, name: str) -> dict[int, float]:
        return {row["step"]: row[name] for row in self.run.metrics()[0] if name in row}

    def rollouts(self, step: int) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.run.rollouts(step).read().to_pylist()
        return [row | {"extra": json.loads(row["extra"])} for row in rows]

    def sampled(self) -> list[int]:
        return [step for step, _ in self.run.sampled_steps()]


def contents(run: RunDir) -> dict[str, Any]:
    """Everything in a run but its events, its times and its locks."""
    files = [str(path.relative_to(run.path)) for path in sorted(run.path.rglob("*.parquet"))]
    evaluations = {str(one.path.relative_to(run.path)): one.read().to_pylist() for one in run.evaluations()}
    rollouts = {step: folder.read().to_pylist() for step, folder in run.sampled_steps()}
    return {"files": files, "rollouts": rollouts, "evaluations": evaluations, "metrics": run.metrics()}
