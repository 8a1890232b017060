"""What every command pays for: importing the packages and asking for help load no heavy library."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.guards.tree import PACKAGES, PROJECT, package_files

HEAVY = ("torch", "ray", "vllm", "transformers", "deepspeed", "datasets", "lm_eval", "trl")
NOT_AT_IMPORT = (
    *HEAVY,
    "numpy",
    "pandas",
    "pyarrow",
    "duckdb",
    "streamlit",
    "matplotlib",
    "sympy",
    "pydantic",
    "typer",
)
REPORT = "import json, sys; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"


def lines_of(code: str) -> list[str]:
    """What a fresh interpreter prints."""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROJECT, timeout=1000)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def loaded_by(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter holds after running the code."""
    return set(json.loads(lines_of(f"{code}\n{REPORT}")[-1]))


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_a_package_loads_nothing_else(package: str) -> None:
    loaded = loaded_by(f"import {package}")
    assert package in loaded
    assert not loaded & set(NOT_AT_IMPORT)


@pytest.mark.parametrize(("program", "package"), [("orz-bench", "orz_bench"), ("orz-analysis", "analysis")])
def test_help_loads_no_heavy_library(program: str, package: str) -> None:
    code = (
        f"import sys\nsys.argv = ['{program}', '--help']\nfrom {package}.cli import main\n"
        "try: main()\nexcept SystemExit: pass"
    )
    loaded = loaded_by(code)
    assert "typer" in loaded
    assert not loaded & {*HEAVY, "sympy", "pandas", "numpy", "matplotlib", "duckdb", "pyarrow", "yaml"}


TENSORS = (
    "orz_bench/engines",
    "orz_bench/evaluation/harness/model",
    "orz_bench/models/merge",
    "orz_rl/backends/external/running",
    "orz_rl/backends/trl/run",
    "orz_rl/backends/trl/trace",
    "orz_rl/backends/trl/trainers",
    "orz_rl/critic",
    "orz_rl/fitting/fit",
    "orz_rl/fitting/learning",
    "orz_rl/ppo",
    "orz_rl/rehearsal/embedded",
    "orz_rl/rehearsal/engines",
    "orz_rl/rehearsal/models",
    "orz_rl/rehearsal/sampler",
    "orz_rl/rehearsal/weights",
    "orz_rl/workers",
    "orz_rl/training/branch",
    "orz_rl/training/checkpoint",
    "orz_rl/training/devices",
    "orz_rl/training/learner",
    "orz_rl/training/lineage",
    "orz_rl/training/loop",
    "orz_rl/training/metrics_file",
    "orz_rl/training/off_policy",
    "orz_rl/training/reducer",
    "orz_rl/training/run_writer",
    "orz_rl/training/trial_checkpoint",
    "orz_rl/training/step_metrics",
    "orz_rl/training/token_statistics",
    "orz_rl/training/trainer",
    "orz_rl/training/value_bias",
    "orz_rl/commands/progress",
)
"""What computes with tensors; everything else imports without torch."""


def test_only_engines_and_the_algorithm_need_torch() -> None:
    files = [path.relative_to(PROJECT).with_suffix("") for path, _ in package_files()]
    outside = [file.parts for file in files if not f"{file}/".startswith(tuple(f"{name}/" for name in TENSORS))]
    code = "\n".join(f"import {'.'.join(parts)}" for parts in outside if parts[-1] != "__init__")
    assert not loaded_by(code) & set(HEAVY)


def test_a_finished_evaluation_is_shown_without_engine_tokenizer_or_grader(tmp_path: Path) -> None:
    arguments = ["orz-bench", "eval", "--ckpt", "fake", "--engine", "fake", "--bench", "arithmetic", "--limit", "3"]
    code = (
        f"import sys\nsys.argv = {[*arguments, '--n', '1', '--temperature', '0', '--out', str(tmp_path)]!r}\n"
        "from orz_bench.cli import main\ntry: main()\nexcept SystemExit as end: assert not end.code"
    )
    loaded_by(code)
    assert not loaded_by(code) & {*HEAVY, "sympy", "math_verify", "latex2sympy2_extended", "antlr4", "scipy", "pandas"}
