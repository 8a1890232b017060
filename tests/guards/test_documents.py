"""What stands in the documents twice is written from one place: numbers from records, tables from the code."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

from orz_bench.asking.protocol import PROTOCOLS
from orz_bench.asking.templates import TEMPLATES
from orz_bench.extraction.rules import EXTRACTOR_NAMES, RULES
from tests.documents import commands, numbers, parts, staging
from tests.guards.tree import PROJECT, expect_none

NOT_QUOTED = {
    "docs/benchmarks.md": {"likelihood_speed"},
    "docs/backends.md": {"backends"},
    "docs/statistics.md": {"interval_coverage"},
    "docs/analysis.md": {"analysis_loading"},
    "docs/gpu.md": {"overlap_plan"},
    "docs/training.md": {"zero_memory"},
    "docs/decisions/0005-arrays-chunks-shared-prompts.md": {"paper_sized_step"},
}
"""Records that a page names without taking a number from them, or that it takes whole tables from."""


@pytest.mark.parametrize("document", numbers.quotes())
def test_numbers_are_those_of_the_records(document: str) -> None:
    text = (PROJECT / document).read_text(encoding="utf-8")
    expect_none(
        numbers.wrong(document, text),
        wanted="the numbers of benchmarks/results; `python -m tests.documents.numbers` writes them",
    )


def test_a_page_that_names_a_measurement_quotes_its_record() -> None:
    faults = []
    for page in parts.pages():
        document = str(page.relative_to(PROJECT))
        text = page.read_text(encoding="utf-8")
        named = set(re.findall(r"benchmarks/(?:results/)?([a-z_]+)\.(?:py|json)", text))
        named &= {path.stem for path in numbers.RECORDS.glob("*.json")}
        quoted = set().union(*map(numbers.records_of, numbers.quotes().get(document, ())))
        is_written = "<!-- from the code: figures -->" in text
        missing = set() if is_written else named - quoted - NOT_QUOTED.get(document, set())
        faults += [f"{document}: {name}" for name in sorted(missing)]
    expect_none(faults, wanted="a sentence of tests/documents/quotes.yaml for each record that a page names")


@pytest.mark.parametrize("page", parts.pages(), ids=lambda path: str(path.relative_to(PROJECT)))
def test_parts_are_those_of_the_code(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    expect_none(
        [] if parts.with_parts(text) == text else [page.name],
        wanted="the parts that `python -m tests.documents.parts` writes",
    )
    assert text.count("<!-- from the code:") == len(
        re.findall(r"<!-- from the code: [a-z-]+ -->\n.*?<!-- end -->", text, re.DOTALL)
    )


def test_every_part_is_on_a_page() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in parts.pages())
    expect_none((name for name in parts.PARTS if f"<!-- from the code: {name} -->" not in text), wanted="its marks")


def test_every_rule_and_protocol_has_its_sentence() -> None:
    assert list(RULES) == list(EXTRACTOR_NAMES)
    text = (PROJECT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    expect_none((name for name in (*PROTOCOLS, *TEMPLATES) if f"`{name}`" not in text), wanted="docs/benchmarks.md")


def test_every_page_of_the_app_is_in_the_table_of_addresses() -> None:
    shell = (PROJECT / "app" / "shell.py").read_text(encoding="utf-8")
    text = (PROJECT / "docs" / "app.md").read_text(encoding="utf-8")
    names = re.findall(r"PageSpec\(\"([a-z]+)\"", shell)
    assert len(names) >= 7
    expect_none(
        (name for name in names if not re.search(rf"^\| `/.*`/?{name}`|^\| `/{name}`", text, re.MULTILINE)),
        wanted="a row each",
    )


def test_no_table_is_split() -> None:
    faults = []
    for page in parts.pages():
        lines = page.read_text(encoding="utf-8").splitlines()
        for before, line, after in zip(["", *lines], lines, [*lines[1:], ""], strict=False):
            begins = line.startswith("|") and not before.startswith("|")
            if begins and not re.fullmatch(r"\|(?: ?:?-+:? ?\|)+", after):
                faults.append(f"{page.name}: {line[:60]}")
    expect_none(faults, wanted="a row of dashes below the first line of each table, and no empty line within")


@pytest.mark.parametrize(
    ("form", "text"),
    [("1%", "28.2"), ("0%", "28"), ("2", "0.28"), ("1 / 0.01", None), ("3 / 100", "0.003")],
)
def test_numbers_are_written_as_asked(form: str, text: str | None) -> None:
    place = "tiny_curves > seed42 > arithmetic avg@16 > 0"
    if text is None:
        with pytest.raises(AssertionError):
            numbers.number(place, form)
    else:
        assert numbers.number(place, form) == text


def test_a_changed_number_is_found_and_corrected() -> None:
    document = "docs/decisions/0004-curation-libraries.md"
    right = (PROJECT / document).read_text(encoding="utf-8")
    changed = right.replace("0.13 CPU seconds; `datasketch` 0.80", "0.13 CPU\nseconds; `datasketch` 0.88")
    assert list(numbers.wrong(document, changed))
    assert not list(numbers.wrong(document, numbers.corrected(document, changed)))


def test_every_command_is_run_or_has_a_reason() -> None:
    """Blocks of the language `console` are run as they stand; other commands have a line in commands.yaml."""
    found = {page: {one.text for one in commands.commands_of(page) if one.is_plain} for page in commands.pages()}
    listed = commands.manifest()
    faults = [f"{page}: {text}" for page, texts in found.items() for text in texts - set(listed.get(page, {}))]
    faults += [
        f"{page}: {text} (no longer there)" for page in listed for text in set(listed[page]) - found.get(page, set())
    ]
    wrong = [
        what for lines in listed.values() for what in lines.values() if not re.match(r"ok$|(\+|=|data:|not:) \S", what)
    ]
    expect_none([*faults, *wrong], wanted="a line of tests/documents/commands.yaml for each command")


def test_every_page_has_a_place_in_the_navigation() -> None:
    """A new page would stand under *More*, where nobody looks for it."""
    navigation = yaml.safe_load(staging.CONFIGURATION.read_text(encoding="utf-8"))["nav"]
    named: set[str] = set()
    staging.each_page(navigation, named.add)
    pages = [str(path.relative_to(staging.DOCS)) for path in sorted(staging.DOCS.rglob("*.md"))]
    stars = [name for name in named if "*" in name and name != "*"]
    free = (page for page in pages if page not in named and not any(fnmatch(page, star) for star in stars))
    expect_none(free, wanted="a line in mkdocs.yml for each page of docs/")


def test_a_text_block_behind_a_python_block_is_what_it_prints(tmp_path: Path) -> None:
    text = "```console\n$ ls\na\n```\n\n```python\nprint(1)\n```\n\n```text\n1\n```\n\n```text\nnothing\n```\n"
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    found = list(commands.commands_of(str(page)))
    assert [(one.text, one.output, one.is_python) for one in found] == [
        ("ls", "a\n", False),
        ("print(1)\n", "1\n", True),
    ]
    ran = [commands.Done(one, printed, "", 0, 0.0) for one, printed in zip(found, ("b\n", "2\n"), strict=True)]
    assert [commands.fault_of(one) is None for one in ran] == [False, True], "numbers are the machine's, words are not"
    assert commands.written(str(page), ran) == text.replace("\na\n", "\nb\n").replace("text\n1\n", "text\n2\n")


@pytest.mark.parametrize(
    ("shown", "printed", "is_alike"),
    [
        ("score 0.5\n", "score 0.7\n", True),
        ("score 0.5\n", "points 0.7\n", False),
        ("...\nends\n", "a\nb\nends\n", True),
        ("a\n...\n", "b\n", False),
        ("a  1\n", "a      22\n", True),
    ],
)
def test_words_of_an_output_count_and_numbers_do_not(shown: str, printed: str, *, is_alike: bool) -> None:
    command = commands.Command("page", "x", output=shown)
    assert commands.is_like(shown, commands.Done(command, printed, "", 0, 0.0)) is is_alike


def test_python_blocks_can_be_read() -> None:
    for page in parts.pages():
        for block in re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
            compile(block, str(page), "exec")


def test_links_of_the_site_lead_to_its_pages() -> None:
    readme, page = PROJECT / "README.md", PROJECT / "docs" / "tutorials" / "figure-7.md"
    assert staging.relinked(readme, "[a](docs/app.md#x) ![b](docs/s.png) [c](orz_rl) `[d](docs/e.md)`") == (
        "[a](app.md#x) ![b](s.png) c `[d](docs/e.md)`"
    )
    assert staging.relinked(page, "[a](../app.md) [b](../../CONTRIBUTING.md) [c](https://example.org/)") == (
        "[a](../app.md) [b](../CONTRIBUTING.md) [c](https://example.org/)"
    )


def test_a_new_page_has_a_place_in_the_navigation() -> None:
    navigation = ["index.md", {"Decisions": ["decisions/*"]}, {"Empty": ["x/*"]}, {"More": ["*"]}]
    pages = ["decisions/1.md", "decisions/2.md", "index.md", "new.md"]
    assert staging.expanded(navigation, pages) == [
        "index.md",
        {"Decisions": ["decisions/1.md", "decisions/2.md"]},
        {"More": ["new.md"]},
    ]
