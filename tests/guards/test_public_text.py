"""What may not stand in a public tree: addresses of package indexes, paths of one machine, notes to self, test data."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from orz_bench.installed.extras import DISTRIBUTION, EXTRAS
from tests.guards.tree import at, declared, expect_none, normal, text_files
from tests.support.shared_data import shared_data

# Written so that no pattern matches its own source.
INDEX_HOSTS = re.compile(r"pypi[.]org|pythonhosted[.]org|download[.]pytorch|whl/cp[u]\b", re.IGNORECASE)
MACHINE_PATHS = re.compile(r"(?<![\w.$~/})-])/(?:work|home|root|tmp|opt|mnt|Users)/[A-Za-z0-9._-]")
NOTES_TO_SELF = re.compile(r"\b(?:TOD[O]|FIXM[E]|XX[X]|HAC[K])\b")
WINDOW = 60
"""Characters of a question, white space removed, that are told from any other text."""
MAX_SHARED = 3
INSTALLS = re.compile(r"\bpip[0-9.]* install +(?P<arguments>[^`;|&\n]*)")
OPTIONS = re.compile(r"(?:^|(?<=\s))(?:(?:-r|-c|-i|-f|--target|--[a-z-]*index-url) \S+|-e|-[A-Z]|--[a-z-]+)(?=\s|$)")
THIRD_PARTIES = {"inspect-ai", "verl", "openrlhf", "skyrl", "flash-attn"}
"""What a text tells to install that is neither ours nor one of our dependencies: the other side of a measurement, and
trainers that run beside us."""
"""Questions that may begin alike; what more of them share is a turn of phrase."""


def test_installing_names_our_own() -> None:
    """`orz` on the package index is another project, and an upgrade of it would take our place."""
    expect_none(
        (
            f"{at(path, number)}: {word}"
            for path, text in text_files()
            for number, line in enumerate(text.splitlines(), start=1)
            for command in INSTALLS.finditer(line)
            for word in foreign_words(command["arguments"])
        ),
        wanted=f"installations of a checkout, a file, {DISTRIBUTION}, or a library that pyproject.toml names",
    )


@pytest.mark.parametrize(
    ("arguments", "foreign"),
    [
        ('"orz[vllm]"', ["orz[vllm]"]),
        ("orz", ["orz"]),
        ("-U orz==0.3.3 numpy", ["orz==0.3.3"]),
        ("orz-lab[evil]", ["orz-lab[evil]"]),
        ('-e ".[evil]"', [".[evil]"]),
        ("--upgrade somebodys-package", ["somebodys-package"]),
        ('-e ".[train,vllm]"', []),
        ('-e "{root}[{extra}]"', []),
        ('".[analysis]"', []),
        ("-r requirements/gpu.txt", []),
        ('"orz-lab[openai]"', []),
        ("--no-deps math-verify>=0.9,<0.10", []),
        ("dist/orz_lab-0.1.0-py3-none-any.whl", []),
    ],
)
def test_a_foreign_name_is_found(arguments: str, foreign: list[str]) -> None:
    assert list(foreign_words(arguments)) == foreign


def foreign_words(arguments: str) -> Iterator[str]:
    """The words of a `pip install` that name neither ours nor a library of ours.

    Prose may follow: after the first one, a word counts where it is quoted or looks like a requirement.
    """
    words = re.findall(r"\"[^\"]*\"|'[^']*'|[^\s\"']+", OPTIONS.sub("", arguments))
    for position, word in enumerate(words):
        is_requirement = position == 0 or word[0] in "'\"" or re.search(r"^orz$|[\[=<>]", word)
        if is_requirement and not _is_ours(word.strip("'\"")):
            yield word.strip("'\"")


def _is_ours(word: str) -> bool:
    what, _, extras = re.sub(r"[=<>!~].*", "", word).rstrip("]").partition("[")
    if what in (DISTRIBUTION, "{DISTRIBUTION}", "{root}", "{PROJECT}", "CHECKOUT") or "." in what or "/" in what:
        return {*extras.split(",")} <= {*EXTRAS, "dev", "", "{extra}", "{engine}", "EXTRA"}
    return normal(what) in {*declared(), *THIRD_PARTIES}


def _matches(pattern: re.Pattern[str]) -> Iterator[str]:
    for path, text in text_files():
        for number, line in enumerate(text.splitlines(), start=1):
            if match := pattern.search(line):
                yield f"{at(path, number)}: {match.group()!r}"


def test_no_package_index_is_named() -> None:
    expect_none(_matches(INDEX_HOSTS), wanted="no address of a package index; pip's own configuration names them")


def test_no_path_of_one_machine() -> None:
    expect_none(_matches(MACHINE_PATHS), wanted="no absolute path of one machine")


def test_no_notes_to_self() -> None:
    expect_none(_matches(NOTES_TO_SELF), wanted="no notes to self; an issue is where open work stands")


def test_no_benchmark_question_is_committed() -> None:
    openings = _distinct_openings(shared_data())
    assert len(openings) > 1000
    expect_none(_questions_in_tree(openings), wanted="no text of the benchmarks' questions, which others own")


def _distinct_openings(folder: Path) -> dict[str, str]:
    """Where each question's first characters come from, without openings such as "Which of these" that many share."""
    questions: dict[str, set[str]] = defaultdict(set)
    sources: dict[str, str] = {}
    for file in sorted((folder / "eval").glob("*.jsonl")):
        for number, line in enumerate(file.read_text(encoding="utf-8").split("\n"), start=1):
            row = json.loads(line or "{}")
            text = _dense(str(row.get("problem") or row.get("question") or row.get("prompt") or ""))
            if len(text) >= WINDOW:
                questions[text[:WINDOW]].add(text)
                sources[text[:WINDOW]] = f"{file.name}:{number}"
    return {opening: source for opening, source in sources.items() if len(questions[opening]) <= MAX_SHARED}


def _dense(text: str) -> str:
    return re.sub(r"\s+", "", text)


def _questions_in_tree(openings: dict[str, str]) -> Iterator[str]:
    for path, text in text_files():
        dense = _dense(text)
        windows = (dense[start : start + WINDOW] for start in range(len(dense) - WINDOW + 1))
        for found in {window for window in windows if window in openings}:
            yield f"{at(path, 1)}: the question of {openings[found]}"
