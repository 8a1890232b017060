"""One vocabulary of options over the commands: the same name has the same meaning, and lists in help are complete."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

import pytest
import typer.main
from typer.core import TyperCommand, TyperGroup, TyperOption

from analysis.texts.lexicons import LEXICONS
from orz_bench.asking.protocol import PROTOCOLS
from orz_bench.asking.templates import TEMPLATES
from orz_bench.engines.registry import ENGINES
from orz_bench.extraction.rules import EXTRACTOR_NAMES
from tests.guards.test_docs import PROGRAMS
from tests.guards.tree import expect_none

MEAN_DIFFERENT_THINGS = {
    "--at": "a step that is forecast, or shares of a text",
    "--bench": "benchmarks to ask, to compare, of a file, or of rows",
    "--ckpt": "any model, or one that is loaded here",
    "--critic": "to be exported, to assess answers, or whose values are used",
    "--dtype": "of a model that generates, or of a critic",
    "--fresh": "new benchmarks, or to begin anew",
    "--from": "the tool whose files are imported, or whose training is followed; or the answers that are learned",
    "--from-step": "of answers that a student learns, or of rollouts that a critic learns",
    "--limit": "of questions, or of answers that are learned",
    "--metrics": "of a report, a figure, or to search",
    "--model": "to ask, or whose data have an age",
    "--out": "a run directory, a folder or a file",
    "--run": "the run of a file, to import or to read",
    "--seed": "of sampling, of weights or of the bootstrap",
    "--since": "the first day of a benchmark's questions, or the first step of a curve",
    "--steps": "to run, or to read",
    "--step": "of a checkpoint, of rows or to export",
    "--tokenizer": "of a model on a server, or whose words are counted",
}
LISTS: dict[str, Iterable[str]] = {
    "--protocol": PROTOCOLS,
    "--template": TEMPLATES,
    "--extractor": EXTRACTOR_NAMES,
    "--engine": ("auto", *ENGINES),
    "--lexicon": LEXICONS,
}


def commands(program: str, group: TyperGroup | None = None) -> Iterator[tuple[str, TyperCommand]]:
    found = group or typer.main.get_command(PROGRAMS[program])
    assert isinstance(found, TyperGroup)
    for name, command in found.commands.items():
        if isinstance(command, TyperGroup):
            yield from commands(f"{program} {name}", command)
        else:
            assert isinstance(command, TyperCommand)
            yield f"{program} {name}", command


OPTIONS = [
    (name, max(parameter.opts, key=len), parameter.help or "")
    for program in PROGRAMS
    for name, command in commands(program)
    for parameter in command.params
    if isinstance(parameter, TyperOption) and not parameter.hidden
]


def test_an_option_has_one_wording_wherever_it_is() -> None:
    wordings: dict[str, set[str]] = defaultdict(set)
    for _, option, text in OPTIONS:
        if option not in MEAN_DIFFERENT_THINGS:
            wordings[option].add(text.partition(" [default")[0].rstrip("."))
    expect_none(
        (f"{option}: {sorted(texts)}" for option, texts in wordings.items() if len(texts) > 1),
        wanted="an option that several commands have declared once, in orz_bench/terminal.py",
    )


@pytest.mark.parametrize("option", LISTS)
def test_a_list_in_help_is_complete(option: str) -> None:
    texts = [(command, text) for command, found, text in OPTIONS if found == option]
    assert texts
    names = [re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])") for name in LISTS[option]]
    expect_none(
        (
            f"{command} {option}: no {name.pattern}"
            for command, text in texts
            for name in names
            if not name.search(text)
        ),
        wanted="every name of the registry in the option's help",
    )


def test_every_command_that_prints_results_has_json() -> None:
    having = {command for command, option, _ in OPTIONS if option == "--json"}
    assert {"orz-bench eval", "orz-bench report", "orz-bench compare", "orz-rl plan", "orz-analysis compare"} <= having


def test_no_option_is_without_a_word() -> None:
    expect_none(
        (f"{command} {option}" for command, option, text in OPTIONS if not text and option != "--help"),
        wanted="a help text for every option",
    )
