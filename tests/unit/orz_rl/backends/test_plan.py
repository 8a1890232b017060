"""`orz-rl plan --backend`: what another backend would run, and what it cannot express."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from orz_rl.backends.registry import BACKENDS
from orz_rl.cli import app

GROUPS = ("advantage.estimator=grpo", "model.critic=null")


def planned(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["plan", *arguments])
    return done.exit_code, done.stdout, done.stderr


@pytest.mark.parametrize("name", [name for name in BACKENDS.built_in if name != "native"])
def test_every_other_backend_has_its_plan(name: str) -> None:
    code, out, _ = planned("--recipe", "orz_7b", "--backend", name, "--json", *GROUPS)
    found = json.loads(out)
    assert found["backend"].startswith(name)
    assert found["rollouts a step"] == "128 x 64"
    assert found["warnings"]
    assert code == (2 if found["errors"] else 0)


def test_settings_that_it_cannot_express_are_listed_after_the_plan() -> None:
    code, out, error = planned("--recipe", "orz_7b", "--backend", "trl", *GROUPS)
    assert code == 2
    assert "GRPOTrainer" in out
    assert "the backend trl cannot express" in error
    assert "cluster.policy_ranks: is 32" in error


def test_an_unknown_backend() -> None:
    code, _, error = planned("--recipe", "tiny", "--backend", "verk")
    assert code == 2
    assert "did you mean 'verl'" in error
