"""A command's options from a dataclass: each is declared once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, get_type_hints

import pytest
import typer
from typer.testing import CliRunner

from orz_bench.commands.options import takes_options
from orz_bench.engines.model_options import EngineOptions
from orz_bench.engines.registry import ENGINES
from orz_bench.evaluation.options import EvalOptions
from tests.guards.test_docs import PROGRAMS


def words(text: str | None) -> tuple[str, ...]:
    return tuple((text or "").split(","))


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    size: Annotated[int, typer.Option(min=1, help="How large.")] = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    names: Annotated[tuple[str, ...], typer.Option("--name", help="Which."), words] = ("a", "b")
    inner: Inner = field(default_factory=Inner)
    note: str = "not an option"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    timeout_s: Annotated[float, typer.Option("--timeout", help="Seconds.")] = 1.0
    price: Annotated[float, typer.Option(help="Of a second.")] = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    inner: Inner = field(default_factory=Inner)
    waiting: Waiting = field(default_factory=Waiting, metadata={"without": ("price",)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefixed:
    size: Annotated[int, typer.Option(help="Its own.")] = 1
    judging: Judging = field(default_factory=Judging, metadata={"prefix": "judge_"})


def test_a_group_under_a_prefix_and_without_some_of_its_options() -> None:
    caught: list[Prefixed] = []

    @takes_options
    def command(options: Prefixed) -> None:
        caught.append(options)

    app = typer.Typer(rich_markup_mode=None)
    app.command()(command)
    done = CliRunner().invoke(app, ["--size", "2", "--judge-size", "4", "--judge-timeout", "9"])
    assert done.exit_code == 0, done.output
    assert caught == [Prefixed(size=2, judging=Judging(inner=Inner(size=4), waiting=Waiting(timeout_s=9.0)))]
    assert CliRunner().invoke(app, ["--judge-price", "1"]).exit_code == 2
    assert CliRunner().invoke(app, ["--judge-size", "0"]).exit_code == 2


def run(*arguments: str) -> tuple[int, str]:
    app = typer.Typer(rich_markup_mode=None)

    @app.command()
    @takes_options
    def command(options: Outer, *, path: Annotated[str, typer.Argument()], quiet: bool = False) -> None:
        print(options.names, options.inner.size, options.note, path, quiet)

    done = CliRunner().invoke(app, list(arguments))
    return done.exit_code, done.output


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (["x"], "('a', 'b') 3 not an option x False"),
        (["x", "--name", "c", "--size", "5", "--quiet"], "('c',) 5 not an option x True"),
    ],
)
def test_fields_are_options_and_groups_are_flattened(arguments: list[str], printed: str) -> None:
    assert run(*arguments) == (0, f"{printed}\n")


def test_bounds_hold_and_defaults_are_shown() -> None:
    assert run("x", "--size", "0")[0] == 2
    help_text = run("--help")[1]
    assert "[default: a,b]" in help_text
    assert "--note" not in help_text


def test_the_command_and_python_have_the_same_defaults() -> None:
    caught: list[EvalOptions] = []

    @takes_options
    def command(options: EvalOptions) -> None:
        caught.append(options)

    app = typer.Typer()
    app.command()(command)
    assert CliRunner().invoke(app, ["--ckpt", "x"], env={"ORZ_DATA": ""}).exit_code == 0
    assert caught == [EvalOptions(checkpoint="x")]
    assert "eval" in {command.name for command in PROGRAMS["orz-bench"].registered_commands}


def test_the_options_of_engines_are_those_that_the_engines_declare() -> None:
    """Neither a default nor a meaning is written twice, so the two cannot differ."""
    groups = {hint for hint in get_type_hints(EngineOptions).values() if hasattr(hint, "engine")}
    assert groups == {engine.settings for engine in ENGINES.values() if engine.settings.engine == engine.name} - {
        ENGINES["fake"].settings
    }
    assert set(EngineOptions.__annotations__) == {"vllm", "transformers", "server"}, "all else is inherited"
