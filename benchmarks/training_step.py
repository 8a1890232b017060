"""CPU seconds of one GRPO step, ours against TRL's GRPOTrainer: same model, same number of rollouts, one thread.

Two settings: all responses of 32 tokens (an end token that is never drawn), and the lengths that the embedded model
has by itself. Sides alternate, each repeat in a process of its own; what counts is the ratio of the medians. Ours runs
in one process with the transformers engine, and includes grading with Math-Verify's rules, writing rollouts as Parquet
and metrics; TRL's reward is a constant-time string test and it writes nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _record import keep

SETTINGS = ("equal_lengths", "natural_lengths")
REPEATS, WARM, STEPS = 5, 2, 6
PROBLEMS, SAMPLES = 8, 8
MAX_TOKENS = {"equal_lengths": 32, "natural_lengths": 112}
NEVER_DRAWN = 250  # a byte that no text of the model holds


def model_for(setting: str, folder: Path) -> Path:
    """The embedded model; for equal lengths its end token is one that it never draws."""
    from orz_rl.assets.resolve import TINY

    shutil.copytree(TINY, folder, dirs_exist_ok=True)
    if setting == "equal_lengths":
        for name in ("config.json", "generation_config.json"):
            content = json.loads((folder / name).read_text("utf-8"))
            (folder / name).write_text(json.dumps(content | {"eos_token_id": NEVER_DRAWN}), "utf-8")
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(folder)
        tokenizer.eos_token = tokenizer.convert_ids_to_tokens(NEVER_DRAWN)
        tokenizer.save_pretrained(folder)
    return folder


def ours(setting: str, folder: Path) -> dict[str, Any]:
    from contextlib import ExitStack

    from orz_rl.recipes.registry import resolve
    from orz_rl.training.identity import Maker, open_run
    from orz_rl.training.loop import open_loop
    from orz_rl.training.preparation import prepare

    config = resolve(
        "tiny",
        variants=["grpo"],
        overrides=[
            f"model.policy={model_for(setting, folder / 'model')}",
            "cluster.in_process=true",
            "rollout.engine=transformers",
            f"rollout.num_problems={PROBLEMS}",
            f"rollout.num_samples={SAMPLES}",
            f"rollout.max_tokens={MAX_TOKENS[setting]}",
            "rollout.stop=",
            "cluster.pack_tokens=16384",  # the batch in one pass, as TRL has it
            "data.limit=256",
            "eval.benchmarks=",
            "logging.tensorboard=false",
            "optim.policy_lr=1e-6",
        ],
    )
    setup = prepare(config, out=folder / "run", data=(), notice=lambda _: None)
    open_run(setup.run, config, prompts=setup.prompts, made_by=Maker("native", ("benchmark",)), notice=lambda _: None)
    seconds, tokens, phases = [], [], []
    with ExitStack() as stack:
        loop = open_loop(setup, Silent(), stack=stack)
        loop.trainer.synchronise(0)
        for number in range(1, WARM + STEPS + 1):
            start = time.process_time()
            row = loop.step(number)
            seconds.append(time.process_time() - start)
            tokens.append(row["response/length_mean"])
            phases.append({name: row[f"time/{name}"] for name in ("sample", "score", "update", "sync", "write")})
    return {"cpu_s": seconds[WARM:], "tokens": statistics.fmean(tokens[WARM:]), "wall_phases": phases[-1]}


class Silent:
    """Ignores all progress events."""

    def notice(self, text: str) -> None: ...
    def warn(self, text: str) -> None: ...
    def sampled(self, rollouts: Any) -> None: ...
    def stepped(self, row: Any, num_steps: int) -> None: ...


def trl(setting: str, folder: Path) -> dict[str, Any]:
    from datasets import Dataset
    from transformers import TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    from orz_bench.asking.templates import TEMPLATES
    from orz_bench.benchmarks.arithmetic import generate_sums

    problems = generate_sums(split="train", num_problems=256)
    rows = [{"prompt": TEMPLATES["orz-code"](p, None), "gold": f"\\boxed{{{p.gold}}}"} for p in problems]
    seconds: list[float] = []
    lengths: list[float] = []

    class Clock(TrainerCallback):  # type: ignore[misc]
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            self.start = time.process_time()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            seconds.append(time.process_time() - self.start)

        def on_log(self, *_: Any, logs: dict[str, float] | None = None, **__: Any) -> None:
            if logs and "completions/mean_length" in logs:
                lengths.append(logs["completions/mean_length"])

    def reward(completions: list[str], gold: list[str], **_: Any) -> list[float]:
        return [float(g in c) for c, g in zip(completions, gold, strict=True)]

    trainer = GRPOTrainer(
        model=str(model_for(setting, folder / "model")),
        reward_funcs=reward,
        train_dataset=Dataset.from_list(rows),
        callbacks=[Clock()],
        args=GRPOConfig(
            output_dir=str(folder / "out"),
            per_device_train_batch_size=PROBLEMS * SAMPLES,
            num_generations=SAMPLES,
            max_completion_length=MAX_TOKENS[setting],
            max_steps=WARM + STEPS,
            learning_rate=1e-6,
            beta=0.0,
            temperature=1.0,
            gradient_checkpointing=False,
            bf16=False,
            use_cpu=True,
            report_to="none",
            save_strategy="no",
            logging_steps=1,
            disable_tqdm=True,
            model_init_kwargs={"dtype": "float32"},
        ),
    )
    trainer.train()
    return {"cpu_s": seconds[WARM:], "tokens": statistics.fmean(lengths[WARM:])}


def child(side: str, setting: str) -> dict[str, Any]:
    """One repeat in a fresh process, on one thread."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(
        [sys.executable, __file__, side, setting], capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode:
        sys.exit(done.stderr)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def main() -> None:
    found: dict[str, dict[str, list[Any]]] = {setting: {"ours": [], "trl": []} for setting in SETTINGS}
    for setting in SETTINGS:
        for _ in range(REPEATS):
            for side in ("ours", "trl"):
                found[setting][side].append(child(side, setting))
    result: dict[str, Any] = {}
    for setting, sides in found.items():
        medians = {
            side: statistics.median(s for repeat in repeats for s in repeat["cpu_s"]) for side, repeats in sides.items()
        }
        result[setting] = {
            "ours_cpu_s": medians["ours"],
            "trl_cpu_s": medians["trl"],
            "ratio": medians["ours"] / medians["trl"],
            "ratio_by_repeat": [
                statistics.median(a["cpu_s"]) / statistics.median(b["cpu_s"])
                for a, b in zip(sides["ours"], sides["trl"], strict=True)
            ],
            "ours_tokens": statistics.fmean(r["tokens"] for r in sides["ours"]),
            "trl_tokens": statistics.fmean(r["tokens"] for r in sides["trl"]),
            "ours_wall_phases_s": sides["ours"][-1]["wall_phases"],
        }
    keep("training_step", {"rollouts_a_step": PROBLEMS * SAMPLES, "repeats": REPEATS, "steps_each": STEPS, **result})


if __name__ == "__main__":
    if len(sys.argv) == 3:
        with tempfile.TemporaryDirectory() as name:
            run = {"ours": ours, "trl": trl}[sys.argv[1]]
            print(json.dumps(run(sys.argv[2], Path(name))))
    else:
        main()
