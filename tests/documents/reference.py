"""Pages of the site that are the code's own words: `python -m tests.documents.reference build/pages` writes them.

Commands and options from the command lines, settings and recipes from the configuration, public names for mkdocstrings.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import typer.main
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from app.cli import app as orz_app
from orz_bench.engines.registry import ENGINES
from orz_rl.recipes.registry import RECIPES, leaves
from orz_rl.recipes.variants import VARIANTS
from tests.documents.parts import table
from tests.guards.test_docs import PROGRAMS

PACKAGES = ("orz_bench", "orz_rl", "analysis")


def commands_page() -> str:
    """Every command with its arguments and options."""
    blocks = [
        "# Commands\n\nEvery command takes `--help`; results go to stdout, notices to stderr. Exit codes: 0, 2 (a "
        "fault that the message names), and 130, 143 or 129 (stopped by Ctrl-C, SIGTERM or SIGHUP); `orz-bench gate` "
        "also has 3 (NO-GO) and 4 (INCONCLUSIVE).\n"
    ]
    for program, app in PROGRAMS.items():
        group = typer.main.get_command(app)
        assert isinstance(group, TyperGroup)
        blocks.append(f"## {program}\n\n{_text(group.help)}\n")
        blocks += [_command(name, command) for name, command in _commands(program, group)]
    served = typer.main.get_command(orz_app)
    assert isinstance(served, TyperCommand)
    blocks.append(_command("orz-app", served).replace("### ", "## "))
    return "\n".join(blocks)


def _commands(name: str, group: TyperGroup) -> Iterator[tuple[str, TyperCommand | TyperGroup]]:
    for word, command in group.commands.items():
        if isinstance(command, TyperGroup):
            if command.params:
                yield f"{name} {word}", command
            yield from _commands(f"{name} {word}", command)
        elif isinstance(command, TyperCommand) and not command.hidden:
            yield f"{name} {word}", command


def _command(name: str, command: TyperCommand | TyperGroup) -> str:
    arguments = [one for one in command.params if isinstance(one, TyperArgument)]
    options = [one for one in command.params if isinstance(one, TyperOption) and not one.hidden]
    usage = " ".join([name, *map(_placeholder, arguments)])
    rows = [(f"`{_placeholder(one)}`", _text(one.help)) for one in arguments]
    rows += [(", ".join(f"`{opt}`" for opt in (*one.opts, *one.secondary_opts)), _option(one)) for one in options]
    return f"### {name}\n\n{_text(command.help)}\n\n```\n{usage} [OPTIONS]\n```\n\n" + (
        table(("option", "meaning"), rows) if rows else ""
    )


def _placeholder(argument: TyperArgument) -> str:
    word = (argument.name or "").upper() + ("..." if argument.nargs == -1 else "")
    return word if argument.required else f"[{word}]"


def _option(option: TyperOption) -> str:
    text = _text(option.help)
    default = option.default
    is_shown = default not in (None, (), [], "", False) and not callable(default) and "[default" not in text
    return f"{text} [default: `{default}`]" if is_shown else text


def _text(text: str | None) -> str:
    return " ".join((text or "").split()).replace("<", "&lt;")


def settings_page() -> str:
    """Every setting of a training, the recipes and the variants."""
    rows = [
        (
            f"`{name}`",
            "required" if field.is_required() else f"`{field.get_default(call_default_factory=True)}`",
            _text(field.description),
        )
        for name, field in leaves()
    ]
    recipes = [(f"`{name}`", _first_line(recipe.__doc__)) for name, recipe in RECIPES.items()]
    variants = [(f"`{name}`", _first_line(variant.__doc__)) for name, variant in VARIANTS.items()]
    return (
        "# Settings\n\nOf `orz-rl train`, as `SECTION.KEY=VALUE` behind the options. Options of `orz-bench eval` are "
        "on the page of commands.\n\n"
        + table(("setting", "default", "meaning"), rows)
        + "\n## Recipes\n\n"
        + table(("`--recipe`", "what it is"), recipes)
        + "\n## Variants\n\n"
        + table(("`--variant`", "what it changes"), variants)
        + "\n## Engines\n\n"
        + table(("`--engine`",), ((f"`{name}`",) for name in ENGINES))
    )


def _first_line(text: str | None) -> str:
    return _text((text or "").strip().partition("\n\n")[0])


def python_page() -> str:
    """A mark of mkdocstrings for each public name."""
    blocks = ["# Python API\n\nGenerated from the code. Examples: [From Python](../api.md).\n"]
    for package in PACKAGES:
        names: list[str] = import_module(package).__all__
        blocks.append(f"## {package}\n")
        blocks += [f"::: {package}.api.{name}\n    options: {{heading_level: 3}}\n" for name in names]
    return "\n".join(blocks)


def main(out: Path) -> None:
    """Write the pages."""
    for name, text in (("commands", commands_page()), ("settings", settings_page()), ("python", python_page())):
        path = out / "reference" / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
