"""What a behaviour is, and how one is found by name: ours, entry points, `module:NAME` or `file.py:NAME`.

A program is the user's own Python, imported as a plug-in is; the text of a response is only ever its argument.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from orz_bench.errors import ConfigError, DataError
from orz_bench.installed.plugins import PluginGroup

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A response as programs and judges get it; unknown is None."""

    text: str
    question: str | None
    gold: str | None
    extracted: str | None
    verdict: str | None
    reward: float | None
    num_tokens: int | None
    stop_reason: str | None
    step: int
    problem_id: str
    sample_index: int


Program = Callable[[Response], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """A behaviour that a response shows or does not: exactly one of a pattern, a program, or a question to a judge."""

    name: str
    """Lower-case letters, digits, `-` and `_`; also the tag that it is held against."""
    what: str
    """A sentence for people."""
    version: int = 1
    pattern: str = ""
    """A regular expression that is searched in the text, ignoring case."""
    program: Program | None = None
    """Gets a Response and returns whether it shows the behaviour."""
    question: str = ""
    """A yes-no question about the response, which a model answers."""
    package: str = ""
    """Name and version of the package that adds it, which the group fills in; empty for ours."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ConfigError(f"behaviour {self.name!r}: wanted a name of lower-case letters, digits, - and _.")
        given = [name for name in ("pattern", "program", "question") if getattr(self, name)]
        if len(given) != 1:
            found = " and ".join(given) or "none"
            raise ConfigError(f"behaviour {self.name}: has {found} of pattern, program and question, wanted one.")
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise ConfigError(f"behaviour {self.name}: its pattern is no regular expression ({error}).") from error

    @property
    def card(self) -> dict[str, Any]:
        """What can move a mark, beside a judge: of a program also the file that it is in."""
        plain = {"name": self.name, "version": self.version, "pattern": self.pattern, "question": self.question}
        return plain | {"program": _source_digest(self.program) if self.program else None, "package": self.package}

    def shows(self, response: Response) -> bool:
        """Whether the response shows it, by pattern or program. DataError for a program that fails."""
        if self.program is None:
            return re.search(self.pattern, response.text, re.IGNORECASE) is not None
        where = f"behaviour {self.name}: sample {response.sample_index} of {response.problem_id}, step {response.step}"
        try:
            found: Any = self.program(response)
        except Exception as error:  # a program of somebody else does whatever it does
            raise DataError(f"{where}: its program raised {type(error).__name__}: {error}; correct it.") from error
        if not isinstance(found, bool) and type(found).__name__ not in ("bool", "bool_"):
            raise DataError(f"{where}: its program returned a {type(found).__name__}, wanted True or False.")
        return bool(found)


def _source_digest(program: Program) -> str:
    """Of the file that the program is in; of its name where there is none."""
    try:
        path = inspect.getsourcefile(inspect.unwrap(program))
        content = Path(path).read_bytes() if path is not None else b""
    except (TypeError, OSError):
        content = b""
    return hashlib.sha256(content + getattr(program, "__qualname__", "").encode()).hexdigest()[:16]


BEHAVIOURS: PluginGroup[Behaviour] = PluginGroup(
    name="orz.behaviours",
    noun="behaviour",
    kind=Behaviour,
    built_in={
        "reflection": "analysis.behaviours.shipped:REFLECTION",
        "guessing": "analysis.behaviours.shipped:GUESSING",
        "no-reasoning": "analysis.behaviours.shipped:NO_REASONING",
        "language-mixing": "analysis.behaviours.shipped:LANGUAGE_MIXING",
        "copied-prompt": "analysis.behaviours.shipped:COPIED_PROMPT",
        "repetition": "analysis.behaviours.shipped:REPETITION",
    },
)


def find_behaviour(name: str) -> Behaviour:
    """The behaviour of this name or place. ConfigError for one that is unknown, or cannot be used."""
    place, colon, attribute = name.rpartition(":")
    if not colon:
        return replace(BEHAVIOURS.load(name), package=BEHAVIOURS.package_of(name))
    module = _module(place)
    found = getattr(module, attribute, None)
    if not isinstance(found, Behaviour):
        kind = "nothing" if found is None else f"a {type(found).__name__}"
        raise ConfigError(f"{name}: {place} has {kind} under {attribute}, wanted an analysis.Behaviour.")
    return found


def _module(place: str) -> ModuleType:
    """A module by its path or its name, also one in the folder in which the command is run."""
    try:
        if place.endswith(".py"):
            path = Path(place).resolve()
            name = f"orz_behaviours_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
            spec = importlib.util.spec_from_file_location(name, path)
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            sys.modules[name] = module
            spec.loader.exec_module(module)
            return module
        sys.path.insert(0, str(Path.cwd()))
        try:
            return importlib.import_module(place)
        finally:
            sys.path.remove(str(Path.cwd()))
    except (Exception, SystemExit) as error:  # an import runs whatever that module does
        raise ConfigError(
            f"{place}: cannot be imported ({type(error).__name__}: {error}); name a behaviour as module:NAME or "
            f"file.py:NAME."
        ) from error
