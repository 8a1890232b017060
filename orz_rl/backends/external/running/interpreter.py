"""The Python interpreter of another trainer, whose packages conflict with ours, and what is installed there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from orz_bench.environment import has_gpu
from orz_rl.backends.backend import Availability

_PROBE = """
import importlib.metadata as m, json, sys
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = m.version(name)
    except m.PackageNotFoundError:
        pass
print(json.dumps(found))
"""
_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """What a trainer needs to run here."""

    package: str
    """For pip."""
    versions: tuple[str, ...]
    """The releases (`0.9`) for which it is configured."""
    also: tuple[str, ...]
    """Further packages without which it does not start."""
    variable: str
    """The environment variable that names its interpreter."""
    install: str
    """What `pip install` gets."""


def interpreter(requirement: Requirement) -> str:
    """The interpreter that the variable names, or ours."""
    return os.environ.get(requirement.variable) or sys.executable


def availability(requirement: Requirement) -> Availability:
    """Whether it can train on this machine. Never raises."""
    python = interpreter(requirement)
    if shutil.which(python) is None:
        return Availability(None, f"{requirement.variable} names {python}, which is not a program; correct it")
    found = installed(python, (requirement.package, *requirement.also))
    if found is None:
        return Availability(None, f"{python} does not run; correct {requirement.variable}")
    version = found.get(requirement.package)
    if version is None:
        return Availability(None, f"{requirement.package}, which is not installed for {python}. {_how(requirement)}")
    if not version.startswith(tuple(f"{release}." for release in requirement.versions)):
        wanted = " or ".join(requirement.versions)
        return Availability(
            version,
            f"{requirement.package} {wanted}: {python} has {version}, whose settings differ. {_how(requirement)}",
        )
    absent = [name for name in requirement.also if name not in found]
    if absent:
        return Availability(version, f"{', '.join(absent)} for {python}. {_how(requirement)}")
    if not has_gpu() and not os.environ.get("RAY_ADDRESS"):
        return Availability(version, "a GPU; start it where there is one, or name a Ray cluster in RAY_ADDRESS")
    return Availability(version)


def installed(python: str, packages: Sequence[str]) -> dict[str, str] | None:
    """Versions of those packages that an interpreter has; None if it does not run."""
    try:
        done = subprocess.run(
            [python, "-I", "-c", _PROBE, *packages], capture_output=True, text=True, timeout=_TIMEOUT_S, check=True
        )
        found: dict[str, str] = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return found


def _how(requirement: Requirement) -> str:
    return (
        f"It needs an environment of its own: python -m venv ENV && ENV/bin/pip install {requirement.install}; then "
        f"set {requirement.variable}=ENV/bin/python"
    )
