from __future__ import annotations

from importlib import metadata
from pathlib import Path

import yaml

from orz_bench.environment import VERSION
from tests.guards.tree import PROJECT
from tests.support.command_line import run_command


def test_it_says_its_version_and_options() -> None:
    assert run_command("app.cli", ["--version"]).stdout.startswith(f"orz-app {VERSION}")
    assert {"--runs", "--data", "--port"} <= set(run_command("app.cli", ["--help"]).stdout.split())


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    done = run_command("app.cli", ["--runs", tmp_path / "nothing"], expect=2)
    assert "nothing: no such folder; name the folder of runs: orz-app --runs DIR." in done.stderr
    done = run_command("app.cli", ["--runs", tmp_path, "--data", tmp_path / "no sets"], expect=2)
    assert "no sets: no such folder; name the folder of curated sets: orz-app --data DIR." in done.stderr


def test_the_citation_has_the_version_and_licence_of_the_project() -> None:
    citation = yaml.safe_load((PROJECT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == VERSION
    assert citation["license"] == metadata.metadata("orz-lab")["License-Expression"]
