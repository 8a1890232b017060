"""Starts a run by any backend: what is checked for all of them before the backend begins."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from orz_bench.errors import ConfigError, RunDirError, counted
from orz_bench.records.run_dir import RunDir
from orz_rl.backends.backend import Backend, Finding, Job, errors_of
from orz_rl.backends.registry import BACKENDS, DEFAULT
from orz_rl.config import TrainConfig
from orz_rl.training.progress import Observer, Outcome


def start(name: str, job: Job, *, observer: Observer) -> Outcome:
    """Start or resume the run by the backend of this name.

    Raises ConfigError where the backend is unknown or not installed, and one that lists every setting that it cannot
    express; RunDirError where another backend wrote the run.
    """
    backend = BACKENDS.load(name)
    if job.lineage and name != DEFAULT:
        raise ConfigError(f"--from and --replay are for the backend {DEFAULT}, not {name}; leave --backend out.")
    check(backend, job.config, warn=observer.warn)
    run = RunDir(job.out)
    if run.exists() and not job.fresh:
        require_own(run, name)
    return backend.train(job, observer)


def check(backend: Backend, config: TrainConfig, *, warn: Callable[[str], None]) -> None:
    """Raise ConfigError where the backend cannot train with this configuration here; `warn` gets what is lost."""
    findings = backend.check(config)
    errors = list(errors_of(findings))
    if errors:
        raise cannot_express(backend.name, errors)
    here = backend.available()
    if not here.is_available:
        raise ConfigError(f"the backend {backend.name} cannot run here; missing: {here.missing}")
    for finding in findings:
        warn(f"{backend.name}: {finding}")


def cannot_express(name: str, errors: Sequence[Finding]) -> ConfigError:
    """The error that lists them."""
    listed = "".join(f"\n  {error}" for error in errors)
    return ConfigError(
        f"the backend {name} cannot express {counted(len(errors), 'setting')}:{listed}\n"
        f"Change them, or use another backend; `orz-rl backends` lists all."
    )


def backend_of(run: RunDir) -> str:
    """The name of the backend that trains a run; runs from before there were others are native.

    Raises RunDirError where the run only follows a training.
    """
    info = run.info()
    name = str(info.get("backend", DEFAULT))
    if "followed" in info:
        raise RunDirError(
            f"{run.path}: this run follows a training by {name} in {info['followed']}, which has the checkpoints. "
            f"Resume or export it there, with {name} itself."
        )
    return name


def require_own(run: RunDir, name: str) -> None:
    """Raise RunDirError if another backend wrote the run: their checkpoints and settings are not interchangeable."""
    found = backend_of(run)
    if found != name and run.info()["kind"] == "train":
        raise RunDirError(
            f"{run.path}: the backend {found} trains this run, not {name}. Resume it with --backend {found}, or choose "
            f"another --out."
        )
