"""Rows about whole runs of the recipe tiny: colocated, separated, with an engine that is killed, and resumed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from orz_bench.errors import counted
from orz_rl.rehearsal.rows import Check, Device, ImpossibleError, MismatchError

STEPS = 5
_LIMIT_S = 240
_KILLED_AFTER = 2
"""Steps before the engine is killed."""


def checks(device: Device, folder: Path) -> Iterator[Check]:
    """In the order of the table."""
    runs = _Runs(device, folder)
    yield Check(
        f"{STEPS} steps, colocated",
        lambda: runs.train("colocated", ["cluster.colocate=true", f"num_steps={STEPS}"]),
        "cluster.colocate=false",
    )
    yield Check("separated, engine killed", runs.kill, "cluster.weight_sync=host; the logs of the run say more")
    yield Check("the same command resumes", runs.resume, "a new --out; the old run can still be read")


class _Runs:
    def __init__(self, device: Device, folder: Path) -> None:
        self._device, self._folder = device, folder
        self._was_killed = False

    def train(self, name: str, settings: Sequence[str]) -> str:
        """Run to the end."""
        start = time.monotonic()
        done = subprocess.run(
            self._command(name, settings), capture_output=True, text=True, timeout=_LIMIT_S, check=False
        )
        if done.returncode:
            raise MismatchError(_last(done.stderr))
        rows = self._rows(name)
        if [row["step"] for row in rows] != list(range(1, STEPS + 1)):
            raise MismatchError(f"metrics.jsonl has the steps {[row['step'] for row in rows]}")
        mismatch = max(float(row.get("mismatch/kl", 0.0)) for row in rows)
        return f"{time.monotonic() - start:.0f} s with the start; mismatch/kl at most {mismatch:.2g}"

    def kill(self) -> str:
        """Kill the only engine after two steps: the command has to end with what died and how to go on."""
        self._require_two_devices()
        with subprocess.Popen(
            self._command("separated", self._separated()), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as process:
            try:
                engine = self._engine_after(_KILLED_AFTER, process)
                os.kill(engine, signal.SIGKILL)
                _, errors = process.communicate(timeout=_LIMIT_S)
            finally:
                process.kill()
        if process.returncode != 2 or "died" not in errors or "Resume with" not in errors:
            raise MismatchError(f"exit code {process.returncode}, and no word of the engine: {_last(errors)}")
        self._was_killed = True
        return f"after {counted(len(self._rows('separated')), 'step')}; the command named it and ended with 2"

    def resume(self) -> str:
        """The same command finishes the run, and no rollout is lost or doubled."""
        if not self._was_killed:
            raise ImpossibleError("no run was killed")
        return self.train("separated", self._separated())

    def _separated(self) -> list[str]:
        return ["cluster.colocate=false", "advantage.estimator=dr_grpo", f"num_steps={STEPS}"]

    def _require_two_devices(self) -> None:
        if self._device == "cuda":
            import torch

            if torch.cuda.device_count() < 2:
                raise ImpossibleError("needs two GPUs")
        elif (os.cpu_count() or 1) < 2:
            raise ImpossibleError("needs two cores")

    def _command(self, name: str, settings: Sequence[str]) -> list[str]:
        own = ["rollout.num_problems=4", "rollout.num_samples=4", "data.limit=64", "eval.benchmarks="]
        own += ["checkpoint.every=1", "checkpoint.keep_last=1", "logging.tensorboard=false", "rollout.max_tokens=64"]
        if self._device == "cuda":
            own += ["cluster.device=cuda", "cluster.zero_stage=3", "model.dtype=bfloat16"]
            own += ["rollout.gpu_memory_share=0.3"]
        base = [sys.executable, "-m", "orz_rl.cli", "train", "--recipe", "tiny", "--out", str(self._folder / name)]
        return [*base, *own, *settings]

    def _rows(self, name: str) -> list[dict[str, float]]:
        file = self._folder / name / "metrics.jsonl"
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        return [json.loads(line) for line in lines if line.endswith("}")]

    def _engine_after(self, steps: int, process: subprocess.Popen[str]) -> int:
        """The engine's process id, once so many steps are saved."""
        log = self._folder / "separated" / "logs" / "engine-0.log"
        manifest = self._folder / "separated" / "checkpoints" / f"step={steps:06d}" / "manifest.json"
        limit = time.monotonic() + _LIMIT_S
        while time.monotonic() < limit:
            if process.poll() is not None:
                raise MismatchError(_last(process.communicate()[1]))
            if manifest.exists():
                found = re.findall(r"^process (\d+) on node", log.read_text(encoding="utf-8"), flags=re.MULTILINE)
                return int(found[-1])
            time.sleep(0.05)
        raise MismatchError(f"{steps} steps were not done within {_LIMIT_S} s")


def _last(errors: str) -> str:
    """The message of a command that failed."""
    at = errors.rfind("error: ")
    return " ".join((errors[at:] if at >= 0 else errors[-500:]).split())[:500]
