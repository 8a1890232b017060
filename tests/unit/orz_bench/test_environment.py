"""The version that commands print and run.json keeps."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from orz_bench.environment import VERSION, describe_environment, git_commit, version_text
from tests.support.shared_data import PROJECT


def test_the_version_is_kept_under_the_key_of_earlier_runs() -> None:
    assert describe_environment()["packages"]["orz"] == VERSION


def test_the_distribution_has_the_same_version() -> None:
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    assert settings["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "orz_bench.environment.VERSION"}


def test_the_text_names_the_commit_of_a_checkout() -> None:
    commit = git_commit()
    assert version_text() == (VERSION if commit is None else f"{VERSION}, commit {commit[:12]}")


def test_an_installation_inside_of_another_repository_has_no_commit(tmp_path: Path) -> None:
    """Such as an environment in a project's folder: git would answer with the commit of that project."""
    git = ("git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b")
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    installed = tmp_path / "site-packages" / "orz_bench"
    installed.mkdir(parents=True)
    for name in ("__init__.py", "environment.py"):
        shutil.copy(PROJECT / "orz_bench" / name, installed)
    code = "from orz_bench.environment import git_commit; print(git_commit())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=installed.parent, env={}, capture_output=True, text=True, check=True
    )
    assert done.stdout == "None\n"
