"""A suite: benchmarks that are asked together, each in its own way. One YAML file, ours or a user's.

    title: My suite
    source: where these choices come from      # optional
    benchmarks:
      - aime24                                  # as the benchmark says
      - {bench: math500, protocol: orz, n: 4, sample: 100}
      - {bench: mine.jsonl, template: chat}     # a table beside this file

Beside `bench`, an entry may have `protocol`, every setting that changes a protocol, `limit`, `sample` and
`num_fewshot`; they mean what the options of these names mean.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from orz_bench.asking.changes import ProtocolChanges
from orz_bench.asking.suites.names import SUITES, is_suite
from orz_bench.benchmarks.own.address import HUB, table_address
from orz_bench.errors import ConfigError, nearest
from orz_bench.records.regular import read_text

_KEYS = ("title", "source", "benchmarks")
_LARGEST = 2**20
"""Bytes of a suite's file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteEntry:
    """A benchmark and how the suite asks it. None: as the benchmark or its protocol says."""

    bench: str
    """As `--bench` names it; the path of a table is seen from here."""
    protocol: str | None = None
    changes: ProtocolChanges = field(default_factory=ProtocolChanges)
    limit: int | None = None
    """Only the first questions."""
    sample: int | None = None
    """Only so many random questions."""
    num_fewshot: int | None = None
    """Worked examples of a task of lm-eval."""


_SETTINGS = tuple(one.name for one in fields(SuiteEntry) if one.name not in ("bench", "changes"))
_CHANGES = tuple(one.name for one in fields(ProtocolChanges))
_COUNTS = ("n", "limit", "sample", "max_tokens")


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """Benchmarks that are asked together."""

    name: str
    """`paper`, or the path of the file."""
    title: str
    source: str | None
    entries: tuple[SuiteEntry, ...]


def get_suite(name: str) -> Suite:
    """The suite of this name, or of this file. ConfigError for what is no suite, and for what is wrong with one."""
    if name in SUITES:
        return _built_in(name)
    if not is_suite(name):
        raise ConfigError(
            f"{name!r} is no suite{nearest(name, SUITES)}; there are {', '.join(SUITES)}, or give the YAML file of "
            f"your own."
        )
    path = Path(name)
    try:
        if path.stat().st_size > _LARGEST:
            raise ConfigError(f"{name}: {path.stat().st_size:,} bytes are no suite; one has at most {_LARGEST:,}.")
        text = read_text(path)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{name}: cannot be read as a suite: {error}.") from error
    return _Reading(name, folder=path.parent).suite(text)


@cache
def _built_in(name: str) -> Suite:
    text = files("orz_bench.asking.suites").joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    return _Reading(name, folder=Path()).suite(text)


@dataclass(frozen=True, slots=True)
class _Reading:
    """Reads one file; every error names it."""

    name: str
    folder: Path

    def suite(self, text: str) -> Suite:
        content = self._parsed(text)
        self._require_known(content, _KEYS, where="the suite")
        title, source = content.get("title", Path(self.name).stem), content.get("source")
        if not isinstance(title, str) or not isinstance(source, str | None):
            raise self._fault("title and source are lines of text")
        items = content.get("benchmarks")
        if not isinstance(items, list) or not items:
            raise self._fault("'benchmarks' is missing or empty; wanted a list, such as [aime24, math500]")
        entries = tuple(self._entry(item, where=f"benchmark {place}") for place, item in enumerate(items, start=1))
        return Suite(name=self.name, title=title, source=source, entries=entries)

    def _parsed(self, text: str) -> Mapping[str, Any]:
        try:
            content = yaml.load(text, Loader=_Loader)  # noqa: S506 (a SafeLoader)
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise self._fault(f"not YAML: {error}") from error
        if not isinstance(content, dict):
            raise self._fault("a suite is a mapping with 'benchmarks', and title and source if you like")
        return content

    def _entry(self, item: Any, *, where: str) -> SuiteEntry:
        settings = {"bench": item} if isinstance(item, str) else item
        if not isinstance(settings, dict) or not isinstance(settings.get("bench"), str) or not settings["bench"]:
            raise self._fault(f"{where} is {item!r:.80}; wanted a name, or a mapping with 'bench'")
        where = f"{where} ({settings['bench']})"
        if is_suite(settings["bench"]):
            raise self._fault(f"{where} is a suite itself; name its benchmarks")
        self._require_known(settings, ("bench", *_SETTINGS, *_CHANGES), where=where)
        changes = {name: value for name, value in settings.items() if name in _CHANGES}
        plain = {name: value for name, value in settings.items() if name not in _CHANGES}
        plain["bench"] = self._from_here(plain["bench"])
        for name in _COUNTS:
            value = settings.get(name)
            if isinstance(value, int) and value < 1:
                raise self._fault(f"{where}: {name} is {value}, wanted at least 1")
        return self._checked(_ENTRY, plain | {"changes": changes}, where=where)

    def _checked(self, adapter: TypeAdapter[SuiteEntry], value: Mapping[str, Any], *, where: str) -> SuiteEntry:
        try:
            return adapter.validate_json(json.dumps(value, default=str), strict=True)
        except ValidationError as error:
            first = error.errors()[0]
            name = next((str(part) for part in reversed(first["loc"]) if isinstance(part, str)), "")
            raise self._fault(f"{where}: {name} is {first['input']!r:.80}: {first['msg']}") from error

    def _require_known(self, given: Mapping[Any, Any], known: tuple[str, ...], *, where: str) -> None:
        for key in given:
            if key not in known:
                raise self._fault(
                    f"{where} has the key {key!r}{nearest(str(key), known)}; there are {', '.join(known)}"
                )

    def _from_here(self, bench: str) -> str:
        """The path of a table in the suite's folder, as seen from the working folder."""
        address = table_address(bench)
        if address is None or address.place.startswith(HUB):
            return bench
        return str(self.folder / address.place) + address.text.removeprefix(address.place)

    def _fault(self, text: str) -> ConfigError:
        return ConfigError(f"{self.name}: {text}.")


class _Loader(yaml.SafeLoader):
    """Refuses a key that is given twice, and aliases, which can stand for more text than fits into memory."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        keys = list(_keys(node))
        twice = next((key for key in keys if keys.count(key) > 1), None)
        if twice is not None:
            raise ValueError(f"the key {twice!r} is given twice")
        return super().construct_mapping(node, deep=deep)

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise ValueError("aliases (*name) are not read here")
        return super().compose_node(parent, index)


def _keys(node: yaml.MappingNode) -> Iterator[str]:
    return (str(key.value) for key, _ in node.value)


_ENTRY = TypeAdapter(SuiteEntry)
