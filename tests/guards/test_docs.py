"""The documents and the program agree: commands, options, metrics, dependencies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields

import pytest
import typer.main
from typer.core import TyperGroup

from analysis.cli import app as analysis_app
from analysis.commands.catalogue import metrics_markdown
from orz_bench.cli import app as bench_app
from orz_bench.records.metrics import METRICS
from orz_bench.records.summary import Summary
from orz_rl.cli import app as rl_app
from tests.guards.tree import PROJECT, expect_none

README = PROJECT / "README.md"
DOCUMENTS = [README, PROJECT / "CONTRIBUTING.md", *sorted((PROJECT / "docs").rglob("*.md"))]


def _code(text: str) -> Iterator[str]:
    """Lines of fenced blocks and the content of inline code; a line that ends in a backslash goes on."""
    fences = re.findall(r"^```[^\n]*\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    for fence in fences:
        yield from fence.replace("\\\n", " ").splitlines()
    yield from re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


def _code_of_documents() -> Iterator[tuple[str, str]]:
    for document in DOCUMENTS:
        for line in _code(document.read_text(encoding="utf-8")):
            yield document.name, line.strip().removeprefix("$ ")


def test_readme_has_the_two_commands() -> None:
    lines = {line.strip().removeprefix("$ ").partition("#")[0].strip() for line in _code(README.read_text("utf-8"))}
    assert {"make demo", "make test"} <= lines


def test_readme_fits_and_its_first_screen_says_what_it_is() -> None:
    lines = README.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 120
    first = "\n".join(lines[:15])
    assert "researchers" in first
    assert {"make demo", "make test"} <= {line.partition("#")[0].strip() for line in lines[:15]}
    assert first.count("![") == 1


def test_every_make_command_exists() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):(?!=)", (PROJECT / "Makefile").read_text("utf-8"), flags=re.MULTILINE))
    assert {"demo", "test", "check", "bench"} <= targets
    named = (
        (doc, word) for doc, line in _code_of_documents() if line.startswith("make ") for word in [line.split()[1]]
    )
    expect_none(
        (f"{doc}: make {word}" for doc, word in named if word not in targets), wanted="only targets of the Makefile"
    )


PROGRAMS = {"orz-bench": bench_app, "orz-rl": rl_app, "orz-analysis": analysis_app}


def test_every_command_exists() -> None:
    lines = (
        (doc, line)
        for doc, line in _code_of_documents()
        if line.startswith(tuple(f"{program} " for program in PROGRAMS))
    )
    faults = (f"{doc}: {line}: {fault}" for doc, line in lines if (fault := fault_of_line(line)))
    expect_none(faults, wanted="only commands and options that there are")


def fault_of_line(line: str) -> str | None:
    program, *words = line.partition("#")[0].split()
    command = typer.main.get_command(PROGRAMS[program])
    while isinstance(command, TyperGroup) and words and not words[0].startswith("-"):
        word = words.pop(0)
        found = command.commands.get(word)
        if found is None:
            return f"no command {word!r}"
        command = found
    known = {"--help", "-h"} | {
        name for parameter in command.params if not getattr(parameter, "hidden", False) for name in parameter.opts
    }
    used = (match.group() for word in words if (match := re.match(r"\[?(--[a-z][a-z-]*)", word)))
    unknown = [option for option in used if option.lstrip("[") not in known]
    return f"no option {', '.join(unknown)}" if unknown else None


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("orz-bench eval --ckpt PATH [--n 16]", None),
        ("orz-bench data list  # all of them", None),
        ("orz-bench evil", "no command 'evil'"),
        ("orz-bench eval --chekpoint PATH", "no option --chekpoint"),
        ("orz-rl export RUN --step 1 --to DIR", "no option --to"),  # a former name, which still works
    ],
)
def test_a_wrong_command_is_found(line: str, fault: str | None) -> None:
    assert fault_of_line(line) == fault


def test_every_metric_is_documented() -> None:
    text = (PROJECT / "docs" / "statistics.md").read_text(encoding="utf-8")
    expect_none(
        (f"Summary.{field.name}" for field in fields(Summary) if f"`{field.name}`" not in text),
        wanted="every field of a summary named in docs/statistics.md, as `field`, with its formula",
    )


def test_changelog_has_a_place_for_today() -> None:
    headings = re.findall(r"^## (.+)$", (PROJECT / "CHANGELOG.md").read_text("utf-8"), flags=re.MULTILINE)
    assert headings[:1] == ["Unreleased"]


def test_relative_links_lead_somewhere() -> None:
    links = (
        (document, target)
        for document in DOCUMENTS
        for target in re.findall(r"\]\(([^)#\s]+)", document.read_text(encoding="utf-8"))
        if not re.match(r"[a-z]+:", target)
    )
    expect_none(
        (
            f"{document.relative_to(PROJECT)}: {target}"
            for document, target in links
            if not (document.parent / target).exists()
        ),
        wanted="links to files that exist",
    )


def test_every_metric_and_setting_is_documented() -> None:
    text = (PROJECT / "docs" / "training.md").read_text("utf-8")
    expect_none((name for name in METRICS if f"`{name}`" not in text), wanted="every metric in docs/training.md")


def test_the_catalogue_is_up_to_date() -> None:
    text = (PROJECT / "docs" / "metrics.md").read_text("utf-8")
    assert text == metrics_markdown(), "docs/metrics.md is not what the catalogue says; `make docs` writes it anew"
