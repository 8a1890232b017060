"""What every backend is spared: other backends' runs, settings it cannot express, and libraries that are missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
import typer

from orz_bench.errors import ConfigError, RunDirError
from orz_bench.records.run_dir import RunDir
from orz_rl.backends.backend import Availability, Backend, Capabilities, Finding, Job
from orz_rl.backends.registry import BACKENDS
from orz_rl.backends.start import backend_of, require_own, start
from orz_rl.commands.backends import backends_command
from orz_rl.commands.recipes import export_command
from orz_rl.config import TrainConfig
from orz_rl.recipes.tiny import tiny
from orz_rl.training.progress import Observer, Outcome

GRPO_ON_A_CPU = Capabilities(estimators=("grpo",), devices=("cpu",), resumes=True, evaluates=False, keeps_tokens=False)


@dataclass
class Recording:
    """A backend that trains nothing and says what it was asked."""

    name: str = "recording"
    summary: str = "For tests."
    capabilities: Capabilities = GRPO_ON_A_CPU
    findings: tuple[Finding, ...] = ()
    missing: str = ""
    jobs: list[Job] = field(default_factory=list)
    exported: list[tuple[Path, int, Path, str]] = field(default_factory=list)

    def available(self) -> Availability:
        return Availability("1", self.missing)

    def check(self, config: TrainConfig) -> Sequence[Finding]:
        return self.findings

    def plan(self, config: TrainConfig) -> Mapping[str, str]:
        return {}

    def train(self, job: Job, observer: Observer) -> Outcome:
        self.jobs.append(job)
        return Outcome(RunDir(job.out), [], [])

    def export(self, run: RunDir, step: int, *, out: Path, model: Literal["policy", "critic"] = "policy") -> None:
        self.exported.append((run.path, step, out, model))


class Told:
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def notice(self, text: str) -> None: ...

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def sampled(self, rollouts: Sequence[object]) -> None: ...

    def stepped(self, row: Mapping[str, float], num_steps: int) -> None: ...


OURS = Recording()


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Recording:
    """Registered as a built-in backend."""
    mine = Recording()
    monkeypatch.setattr(f"{__name__}.OURS", mine)
    monkeypatch.setitem(BACKENDS.built_in, "recording", f"{__name__}:OURS")
    return mine


def test_the_protocol_is_what_it_takes() -> None:
    assert isinstance(Recording(), Backend)
    assert isinstance(BACKENDS.load("native"), Backend)


def test_a_warning_says_what_is_lost_and_the_run_starts(backend: Recording, tmp_path: Path) -> None:
    backend.findings = (Finding("optim.critic_updates", "12 updates become 11", is_error=False),)
    told = Told()
    start("recording", Job(config=tiny(), out=tmp_path / "run"), observer=told)
    assert told.warnings == ["recording: optim.critic_updates: 12 updates become 11"]
    assert [job.out for job in backend.jobs] == [tmp_path / "run"]


def test_every_setting_that_cannot_be_expressed_is_listed(backend: Recording, tmp_path: Path) -> None:
    names = ("advantage.estimator", "optim.critic_updates")
    backend.findings = tuple(Finding(name, "not supported", is_error=True) for name in names)
    with pytest.raises(ConfigError, match=r"cannot express 2 settings:") as caught:
        start("recording", Job(config=tiny(), out=tmp_path), observer=Told())
    assert all(f"\n  {name}: not supported" in str(caught.value) for name in names)
    assert not backend.jobs


def test_a_missing_library_is_named(backend: Recording, tmp_path: Path) -> None:
    backend.missing = "paint, which is not installed"
    with pytest.raises(ConfigError, match="recording cannot run here; missing: paint, which is not installed"):
        start("recording", Job(config=tiny(), out=tmp_path), observer=Told())


def test_brackets_in_what_is_missing_are_shown(backend: Recording, capsys: pytest.CaptureFixture[str]) -> None:
    backend.missing = "paint[all], which is not here"
    backends_command(json_output=False)
    assert "paint[all], which is not here" in capsys.readouterr().out


def test_a_run_of_another_backend_is_left_alone(backend: Recording, tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    run.create(kind="train", command=[], seed=0, environment={})
    assert backend_of(run) == "native"  # from before there were others
    job = Job(config=tiny(), out=run.path)
    with pytest.raises(RunDirError, match="the backend native trains this run, not recording"):
        start("recording", job, observer=Told())
    start("recording", Job(config=tiny(), out=run.path, fresh=True), observer=Told())
    assert len(backend.jobs) == 1


def test_a_checkpoint_is_exported_by_the_backend_that_trained_the_run(backend: Recording, tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    run.create(kind="train", command=[], seed=0, environment={"backend": "recording"})
    export_command(run.path, step=3, out=tmp_path / "out", critic=True)
    assert backend.exported == [(run.path, 3, tmp_path / "out", "critic")]


@pytest.mark.parametrize("name", ["verl", "prime-rl"])
def test_a_training_that_is_followed_is_neither_resumed_nor_exported_here(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = RunDir(tmp_path / "run")
    run.create(kind="train", command=[], seed=0, environment={"backend": name, "followed": "/there"})
    with pytest.raises(typer.Exit):
        export_command(run.path, step=3, out=tmp_path / "out")
    assert f"follows a training by {name} in /there" in capsys.readouterr().err
    with pytest.raises(RunDirError, match="Resume or export it there"):
        require_own(run, name)
