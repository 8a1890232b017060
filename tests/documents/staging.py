"""The folder that a site generator builds from: docs/, what its pages link to outside of it, and pages from the code.

In: the pages of the project. Out: build/pages, in which every link leads to a place of the site, and a configuration
whose navigation names every page. README.md is the first; of a link to a folder, which is no page, its words remain.
"""

from __future__ import annotations

import fnmatch
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.documents import reference
from tests.guards.tree import PROJECT

DOCS = PROJECT / "docs"
CONFIGURATION = PROJECT / "mkdocs.yml"
_LINK = re.compile(r"(!?\[[^\]]*\]\()([^)\s]+)(\))")
_CODE = re.compile(r"(^```.*?^```|`[^`\n]*`)", re.MULTILINE | re.DOTALL)
_ELSEWHERE = re.compile(r"[a-z]+:|#|//")


def stage(build: Path) -> Path:
    """Write build/pages and build/site.yml, the configuration, whose path is returned."""
    pages = build / "pages"
    shutil.rmtree(pages, ignore_errors=True)
    reference.main(pages)
    written = {str(path.relative_to(pages)) for path in pages.rglob("*.md")}
    configuration = yaml.safe_load(CONFIGURATION.read_text(encoding="utf-8"))
    waiting = [PROJECT / "README.md", *sorted(path for path in DOCS.rglob("*") if path.is_file())]
    each_page(configuration["nav"], lambda page: waiting.append(PROJECT / page))
    done: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path in done or not path.is_file():
            continue
        done.add(path)
        target = pages / place_of(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".md":
            text = path.read_text(encoding="utf-8")
            waiting += linked(path, text)
            target.write_text(relinked(path, text), encoding="utf-8")
        else:
            shutil.copyfile(path, target)
    free = sorted({place_of(path) for path in done if path.suffix == ".md"} | written)
    configuration |= {"docs_dir": "pages", "site_dir": "site"}
    configuration["nav"] = expanded(configuration["nav"], free)
    place = build / "site.yml"
    place.write_text(yaml.safe_dump(configuration, sort_keys=False), encoding="utf-8")
    return place


def place_of(path: Path) -> str:
    """Where a file of the project is on the site."""
    uri = str(path.relative_to(PROJECT)).removeprefix("docs/")
    return "index.md" if uri == "README.md" else uri


def linked(page: Path, text: str) -> Iterator[Path]:
    """The files of the project that a page links to."""
    for _, target, _ in _LINK.findall(_CODE.sub("", text)):
        path = (page.parent / target.partition("#")[0]).resolve()
        if not _ELSEWHERE.match(target) and path.is_relative_to(PROJECT):
            yield path


def relinked(page: Path, text: str) -> str:
    """The page with links of the site."""
    up = "../" * place_of(page).count("/")

    def link(found: re.Match[str]) -> str:
        begin, target, end = found.groups()
        name, mark, anchor = target.partition("#")
        path = (page.parent / name).resolve()
        if _ELSEWHERE.match(target) or not path.is_relative_to(PROJECT):
            return found.group()
        if path.is_dir():
            return begin[1:-2]
        return f"{begin}{up}{place_of(path)}{mark}{anchor}{end}"

    parts = _CODE.split(text)
    return "".join(part if number % 2 else _LINK.sub(link, part) for number, part in enumerate(parts))


def each_page(entry: Any, call: Callable[[str], object]) -> None:
    """Call it with every page of a navigation."""
    if isinstance(entry, str):
        call(entry)
    else:
        for one in entry if isinstance(entry, list) else entry.values():
            each_page(one, call)


def expanded(navigation: list[Any], pages: list[str]) -> list[Any]:
    """The navigation in which entries with a star are the pages that no other entry names; without empty sections."""
    named: set[str] = set()
    each_page(navigation, named.add)
    free = [page for page in pages if page not in named]

    def filled(entry: Any) -> Any:
        if isinstance(entry, dict):
            return {title: filled(one) for title, one in entry.items()}
        if not isinstance(entry, list):
            return entry
        found: list[Any] = []
        for one in entry:
            if isinstance(one, str) and "*" in one:
                matching = [page for page in free if fnmatch.fnmatch(page, one)]
                free[:] = [page for page in free if page not in matching]
                found += matching
            else:
                found.append(filled(one))
        return [one for one in found if not (isinstance(one, dict) and [] in one.values())]

    return list(filled(navigation))
